package java.trilane;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * What is known of one directory of Dubbo's: a listing of its invokers, and how far Dubbo's own routers have a say.
 *
 * <p>Kept in a table that hangs on the directory's class, so that it dies with the application's class loader; the
 * directory itself is held weakly.
 */
final class DubboDirectory extends WeakReference<Object> {
    private static final ClassValue<Table> TABLES = new ClassValue<Table>() {
        @Override
        protected Table computeValue(Class<?> type) {
            return new Table();
        }
    };
    private static final AtomicIntegerFieldUpdater<DubboDirectory> MOVES =
            AtomicIntegerFieldUpdater.newUpdater(DubboDirectory.class, "moves");
    private static final int KEPT = 4;
    /** What was found last, one a slot by identity: past the class's table, and weakly. */
    private static final Shortcut[] SHORTCUTS = new Shortcut[64];

    private static final Call ALL = new Call("getAllInvokers");
    private static final Call VALID = new Call("getValidInvokers");
    private static final Call DESTROYED = new Call("isDestroyed");

    private final int hash;
    private final Shortcut shortcut;
    /** 2.7 replaces its list as a whole and knows no validity; since 3.0 there are methods to be told by. */
    private final boolean legacy;
    /** Counts what happened to the directory's invokers. */
    private volatile int moves;
    private volatile State state;

    private DubboDirectory(Object directory, int hash) {
        super(directory);
        this.hash = hash;
        this.shortcut = new Shortcut(this);
        boolean old = false;
        try {
            VALID.of(directory);
        } catch (IllegalStateException notThere) {
            old = true;
        }
        legacy = old;
    }

    static DubboDirectory of(Object directory) {
        int slot = System.identityHashCode(directory) & SHORTCUTS.length - 1;
        Shortcut last = SHORTCUTS[slot];
        DubboDirectory found = last == null ? null : last.get();
        if (found != null && found.get() == directory) {
            return found;
        }
        Table table = TABLES.get(directory.getClass());
        found = table.find(directory);
        if (found == null) {
            found = table.add(directory);
        }
        SHORTCUTS[slot] = found.shortcut;
        return found;
    }

    /** The directory's invokers have changed, or are about to. */
    void moved() {
        MOVES.incrementAndGet(this);
    }

    /** A destroyed directory may stay reachable for long: its lists go now. */
    static void ended(Object directory) {
        DubboDirectory found = TABLES.get(directory.getClass()).find(directory);
        if (found != null) {
            found.end();
        }
    }

    private synchronized void end() {
        moved();
        State last = state;
        state = null;
        if (last != null && last.listing != null) {
            last.retire(null);
        }
    }

    /** What holds now; read again if anything has moved. */
    State current(Object directory) throws Throwable {
        State now = state;
        return now != null && holds(now, directory) ? now : again(directory);
    }

    private boolean holds(State now, Object directory) throws Throwable {
        boolean retired = now.listing != null && now.listing.retired();
        if (now.moves != moves || now.rules != DubboRules.moves || retired) {
            return false;
        }
        return !legacy || now.source == ALL.on(directory) && !destroyed(directory);
    }

    private static boolean destroyed(Object directory) throws Throwable {
        return ((Boolean) DESTROYED.on(directory)).booleanValue();
    }

    private synchronized State again(Object directory) throws Throwable {
        State before = state;
        if (before != null && holds(before, directory)) {
            return before;
        }
        State after = read(directory, before);
        state = after;
        if (before != null && before.listing != null && before.listing != after.listing) {
            before.retire(after.listing);
        }
        if (after.way == DubboRules.DUBBO && (before == null || before.way != DubboRules.DUBBO)) {
            Native.log(1, "TRL-310", DubboNames.service(directory),
                    "a dynamic tag rule of Dubbo's is in force: Dubbo routes these calls, not the lanes");
        }
        return after;
    }

    private State read(Object directory, State before) throws Throwable {
        int atMoves = moves;
        int atRules = DubboRules.moves;
        Object source = ALL.on(directory);
        Object[] all = source == null ? new Object[0] : ((List<?>) source).toArray();
        Object kept = legacy ? source : null;
        if (all.length == 0 || destroyed(directory) || !DubboNames.routable(directory, all)) {
            return new State(atMoves, atRules, kept, null, DubboRules.SKIP, null);
        }
        Object[] valid = legacy ? all : ((List<?>) VALID.on(directory)).toArray();
        boolean[] healthy = healthy(all, valid);
        Listing listing = before == null ? null : before.listing;
        if (listing != null && listing.holds(all) && !listing.retired()) {
            listing.health(healthy);
        } else {
            listing = DubboNames.publish(directory, all, healthy);
        }
        int way = DubboRules.of(directory, all);
        return new State(atMoves, atRules, kept, listing, way, DubboNames.ownTag(directory));
    }

    private static boolean[] healthy(Object[] all, Object[] valid) {
        boolean[] healthy = new boolean[all.length];
        if (valid.length == all.length) {
            Arrays.fill(healthy, true);
            return healthy;
        }
        Set<Object> usable = Collections.newSetFromMap(new IdentityHashMap<Object, Boolean>(2 * valid.length + 1));
        Collections.addAll(usable, valid);
        for (int i = 0; i < all.length; i++) {
            healthy[i] = usable.contains(all[i]);
        }
        return healthy;
    }

    /** What was read at one time. */
    static final class State {
        private final int moves;
        private final int rules;
        private final Object source;
        /** Null: Dubbo's own choice stands. */
        final Listing listing;
        /** One of the words of {@link DubboRules}. */
        final int way;
        /** The tag that the application configured for this reference; null for none. */
        final Scope ownTag;
        /** Listings of what Dubbo's routers left lately, the latest last. */
        private final ArrayList<Listing> left = new ArrayList<Listing>(KEPT);

        State(int moves, int rules, Object source, Listing listing, int way, Scope ownTag) {
            this.moves = moves;
            this.rules = rules;
            this.source = source;
            this.listing = listing;
            this.way = listing == null ? DubboRules.SKIP : way;
            this.ownTag = ownTag;
        }

        /** The listing of what Dubbo's routers have left of the directory's invokers; null when it was refused. */
        Listing left(Object directory, Object[] rest) throws Throwable {
            if (listing.holds(rest)) {
                return listing;
            }
            synchronized (left) {
                for (int i = left.size() - 1; i >= 0; i--) {
                    if (left.get(i).holds(rest) && !left.get(i).retired()) {
                        return left.get(i);
                    }
                }
                boolean[] healthy = new boolean[rest.length];
                Arrays.fill(healthy, true);
                Listing made = DubboNames.publish(directory, rest, healthy);
                if (made != null) {
                    if (left.size() == KEPT) {
                        left.remove(0).retire();
                    }
                    left.add(made);
                }
                return made;
            }
        }

        private void retire(Listing successor) {
            if (listing != successor) {
                listing.retire();
            }
            synchronized (left) {
                for (int i = 0; i < left.size(); i++) {
                    left.get(i).retire();
                }
                left.clear();
            }
        }
    }

    /** What is kept of a directory lives in its class's table, not here. */
    private static final class Shortcut extends WeakReference<DubboDirectory> {
        Shortcut(DubboDirectory to) {
            super(to);
        }
    }

    /** Directories of one class by identity. Reading takes no lock and allocates nothing. */
    private static final class Table {
        private volatile DubboDirectory[] slots = new DubboDirectory[16];

        DubboDirectory find(Object directory) {
            DubboDirectory[] all = slots;
            int mask = all.length - 1;
            for (int at = System.identityHashCode(directory) & mask; all[at] != null; at = at + 1 & mask) {
                if (all[at].get() == directory) {
                    return all[at];
                }
            }
            return null;
        }

        /** Adds an entry to a copy, without the entries whose directory is gone. */
        synchronized DubboDirectory add(Object directory) {
            DubboDirectory found = find(directory);
            if (found != null) {
                return found;
            }
            int live = 1;
            for (DubboDirectory one : slots) {
                live += one != null && one.get() != null ? 1 : 0;
            }
            DubboDirectory[] copy = new DubboDirectory[Math.max(16, Integer.highestOneBit(live) * 4)];
            for (DubboDirectory one : slots) {
                if (one != null && one.get() != null) {
                    put(copy, one);
                }
            }
            DubboDirectory added = new DubboDirectory(directory, System.identityHashCode(directory));
            put(copy, added);
            slots = copy;
            return added;
        }

        private static void put(DubboDirectory[] slots, DubboDirectory entry) {
            int mask = slots.length - 1;
            int at = entry.hash & mask;
            while (slots[at] != null) {
                at = at + 1 & mask;
            }
            slots[at] = entry;
        }
    }
}
