package java.trilane;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A published list: the engine's number of it, the framework's own objects in the engine's order, and one ready-made
 * unmodifiable list per subset, all of one stamp and swapped whole.
 *
 * <p>Whoever keeps a listing keeps the framework's objects; keep it where they live (a {@link ClassValue} of one of
 * their classes). The engine's list is freed when the listing is gone, or some time after {@link #retire}.
 */
final class Listing {
    private static final long STALE = 1L << 56;
    static final long OFF_OR_OBSERVE = 6L << 56;
    private static final int FAIL = 3;
    /** How long a thread may still look at a list that was replaced. */
    private static final long GRACE_NANOS = 10_000_000_000L;

    private static final ReferenceQueue<Listing> GONE = new ReferenceQueue<Listing>();
    private static final Set<Handle> HANDLES = Collections.newSetFromMap(new ConcurrentHashMap<Handle, Boolean>());
    private static final ArrayDeque<Handle> RETIRED = new ArrayDeque<Handle>();

    private final long id;
    private final Object[] instances;
    private final boolean[] healthy;
    /** The keys of metadata that the engine was given: other rules may select by others. */
    private final String[] keys;
    private final Handle handle;
    private volatile Ready ready;
    private volatile boolean retired;

    private Listing(long id, Object[] instances, boolean[] healthy, String[] keys) {
        this.id = id;
        this.keys = keys;
        this.instances = instances;
        this.healthy = healthy;
        this.handle = new Handle(this, id);
        HANDLES.add(handle);
    }

    int size() {
        return instances.length;
    }

    /** True if these are the very objects of this listing, in its order. */
    boolean holds(Object[] others) {
        if (others.length != instances.length) {
            return false;
        }
        for (int i = 0; i < others.length; i++) {
            if (others[i] != instances[i]) {
                return false;
            }
        }
        return true;
    }

    /** Tells the engine whose health has changed. Not for two threads at once. */
    void health(boolean[] now) {
        for (int i = 0; i < now.length; i++) {
            if (now[i] != healthy[i]) {
                healthy[i] = now[i];
                Native.listHealth(id, i, now[i]);
            }
        }
    }

    /**
     * What the framework is to choose from for a request in this scope; empty when nothing may serve. {@code reader}
     * is asked about the call where rules decide by its values.
     *
     * @return null when the framework's own choice stands, or when the listing is to be published again
     */
    List<?> choose(Scope scope, Outgoing reader, Object target, Object call) throws Throwable {
        int tag = number(scope);
        Ready now = ready;
        for (int attempt = 0; attempt < 3; attempt++) {
            if (now == null) {
                now = read();
                if (now == null) {
                    return null;
                }
            }
            long answer = now.names == null ? Native.route(id, tag, 0, 0, now.stamp)
                    : decide(now, tag, scope, reader, target, call);
            if ((answer & OFF_OR_OBSERVE) != 0) {
                return null;
            }
            if ((answer & STALE) == 0) {
                if ((answer >>> 48 & 0xFF) == FAIL) {
                    return Collections.emptyList();
                }
                int subset = (int) (answer >>> 32) & 0xFFFF;
                if (subset == Ready.NONE) {
                    return one((int) answer);
                }
                List<?> chosen = now.list(subset);
                if (chosen != null) {
                    return chosen;
                }
                now = with(now, subset);
                if (now != null) {
                    ready = now;
                    return now.list(subset);
                }
            }
            now = null;
        }
        return null; // moved under our hands more than once, or gone: the engine counts it
    }

    /** Chance decides too where destinations have weights. */
    private long decide(Ready now, int tag, Scope scope, Outgoing reader, Object target, Object call)
            throws Throwable {
        long entropy = ThreadLocalRandom.current().nextLong();
        if (now.names.length == 0) {
            return Native.route(id, tag, 0, entropy, now.stamp);
        }
        byte[] values = reader.packed(now.names, scope, target, call);
        return Native.routeWith(id, tag, entropy, now.stamp, values);
    }

    /** Under what the engine decides now; null if the rules select by labels that this listing did not give. */
    private Ready read() {
        int[] stamp = new int[1];
        String[] names = Native.routeNames(id, stamp);
        if (names != null && !Arrays.equals(keys, Native.metadataKeys())) {
            retired = true;
            return null;
        }
        return new Ready(stamp[0], names, new List<?>[4], null);
    }

    /** An instance that was chosen by what only this call has. */
    private List<?> one(int index) {
        return index < 0 || index >= instances.length ? null : Collections.singletonList(instances[index]);
    }

    /** A tag that was unknown when the request came may have become known since, for one by this very list. */
    private static int number(Scope scope) {
        if (scope == null) {
            return 0;
        }
        return scope.id == Scope.UNKNOWN ? Native.tagFind(scope.tag) : scope.id;
    }

    /** The same stamp with one more subset; null when the engine's list has moved on. */
    private Ready with(Ready now, int subset) {
        int[] stamp = new int[1];
        int[] indices = Native.subset(id, subset, stamp);
        if (indices == null || stamp[0] != now.stamp) {
            return null;
        }
        Object[] chosen = new Object[indices.length];
        for (int i = 0; i < indices.length; i++) {
            chosen[i] = instances[indices[i]];
        }
        List<?> list = Collections.unmodifiableList(Arrays.asList(chosen));
        if (subset == Ready.EVERYONE) {
            return new Ready(now.stamp, now.names, now.lists, list);
        }
        List<?>[] lists = Arrays.copyOf(now.lists, Math.max(now.lists.length, subset + 1));
        lists[subset] = list;
        return new Ready(now.stamp, now.names, lists, now.everyone);
    }

    /** True once another one has taken its place or has to: who still holds it is to look again. */
    boolean retired() {
        return retired;
    }

    /** The listing is replaced: the engine's list is freed when no thread can still be about to use it. */
    void retire() {
        retired = true;
        synchronized (RETIRED) {
            handle.retiredAt = System.nanoTime();
            RETIRED.add(handle);
        }
        sweep();
    }

    /** Frees the lists of listings that are gone or were retired long enough ago. */
    private static void sweep() {
        for (Object gone = GONE.poll(); gone != null; gone = GONE.poll()) {
            ((Handle) gone).free();
        }
        long now = System.nanoTime();
        synchronized (RETIRED) {
            while (!RETIRED.isEmpty() && now - RETIRED.peek().retiredAt > GRACE_NANOS) {
                RETIRED.poll().free();
            }
        }
    }

    /** The ready-made lists of one stamp. Immutable once another thread can see it. */
    private static final class Ready {
        /** The subset that means every instance. */
        static final int EVERYONE = 0xFFFE;
        /** No subset: the index alone counts. */
        static final int NONE = 0xFFFF;

        final int stamp;
        /** What deciding reads of a call; null where native rules decide. */
        final String[] names;
        final List<?>[] lists;
        final List<?> everyone;

        Ready(int stamp, String[] names, List<?>[] lists, List<?> everyone) {
            this.stamp = stamp;
            this.names = names;
            this.lists = lists;
            this.everyone = everyone;
        }

        List<?> list(int subset) {
            if (subset < lists.length) {
                return lists[subset];
            }
            return subset == EVERYONE ? everyone : null;
        }
    }

    /** Outlives the listing and knows only its number. */
    private static final class Handle extends PhantomReference<Listing> {
        private final long list;
        long retiredAt;

        Handle(Listing listing, long list) {
            super(listing, GONE);
            this.list = list;
        }

        void free() {
            if (HANDLES.remove(this)) {
                Native.listFree(list);
                Known.listsMoved();
            }
        }
    }

    /** Describes instances to the engine and publishes them. */
    static final class Publisher {
        private final Packer packer;
        private final Object[] instances;
        private final boolean[] healthy;
        private final String[] wanted;
        private final String[] pairs = new String[32];
        private int size;
        private int described;

        /** {@code names}: those under which rules may know the list. */
        Publisher(List<String> names, Object[] instances, boolean[] healthy) {
            this.instances = instances;
            this.healthy = healthy;
            String[] keys = Native.metadataKeys();
            this.wanted = keys == null ? new String[0] : keys;
            packer = new Packer(64 + 64 * instances.length);
            packer.number(names.size());
            for (int i = 0; i < names.size(); i++) {
                packer.text(names.get(i));
            }
            packer.number(instances.length);
        }

        /** The keys of metadata that the engine wants to see; one that ends in * is a prefix. */
        String[] wanted() {
            return wanted;
        }

        /** One value of the next instance's metadata. */
        void metadata(String key, String value) {
            if (key != null && value != null && !value.isEmpty() && size < pairs.length) {
                pairs[size++] = key;
                pairs[size++] = value;
            }
        }

        /** Those of a map's entries whose keys begin like one of the wanted prefixes. */
        void prefixed(Map<?, ?> all) {
            for (Map.Entry<?, ?> entry : all.entrySet()) {
                if (entry.getKey() instanceof String && entry.getValue() instanceof String) {
                    for (int i = 0; i < wanted.length; i++) {
                        int last = wanted[i].length() - 1;
                        if (isPrefix(wanted[i]) && wanted[i].regionMatches(0, (String) entry.getKey(), 0, last)) {
                            metadata((String) entry.getKey(), (String) entry.getValue());
                            break;
                        }
                    }
                }
            }
        }

        /** Ends the description of the next instance. */
        void instance(String address) {
            packer.text(address);
            packer.number(healthy[described++] ? 1 : 0);
            packer.number(size / 2);
            for (int i = 0; i < size; i++) {
                packer.text(pairs[i]);
            }
            size = 0;
        }

        /** The published listing; null when the engine refused it. */
        Listing publish() {
            sweep();
            long id = Native.listNew(packer.done());
            Known.listsMoved();
            return id == 0 ? null : new Listing(id, instances, healthy, wanted);
        }

        static boolean isPrefix(String key) {
            return key.endsWith("*");
        }
    }
}
