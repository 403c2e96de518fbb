package java.trilane;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** One published list of a service's instances, and one ready list per subset that was asked for. */
final class SpringListing {
    private static final long STALE = 1L << 56;
    private static final long OFF_OR_OBSERVE = 6L << 56;
    private static final int FAIL = 3;
    private static final int NO_SUBSET = 0xFFFF;

    /** Published lists whose listing is gone are freed in the engine too. */
    private static final ReferenceQueue<SpringListing> GONE = new ReferenceQueue<SpringListing>();
    private static final Set<Ticket> TICKETS = Collections.newSetFromMap(new ConcurrentHashMap<Ticket, Boolean>());

    final long id;
    /** The framework's list as it was last seen with these very elements. */
    volatile List<?> source;
    private final Object[] instances;
    private volatile Ready ready;

    SpringListing(long id, List<?> source, Object[] instances) {
        this.id = id;
        this.source = source;
        this.instances = instances;
        for (Object gone = GONE.poll(); gone != null; gone = GONE.poll()) {
            TICKETS.remove(gone);
            Native.listFree(((Ticket) gone).list);
        }
        TICKETS.add(new Ticket(this, id));
    }

    /** The same list object, as far as its ends show it to be unchanged. */
    boolean isFor(List<?> list) {
        int size = instances.length;
        return list == source && list.size() == size
                && (size == 0 || list.get(0) == instances[0] && list.get(size - 1) == instances[size - 1]);
    }

    /** Another list of the very same elements. */
    boolean hasElements(Object[] elements) {
        if (elements.length != instances.length) {
            return false;
        }
        for (int i = 0; i < elements.length; i++) {
            if (elements[i] != instances[i]) {
                return false;
            }
        }
        return true;
    }

    /** Another list of equal elements. */
    boolean equals(Object[] elements, SpringInstances how) throws Throwable {
        if (elements.length != instances.length) {
            return false;
        }
        for (int i = 0; i < elements.length; i++) {
            if (elements[i] != instances[i] && !how.alike(elements[i], instances[i])) {
                return false;
            }
        }
        return true;
    }

    /**
     * What the framework is to choose from.
     *
     * @param list the framework's own list, given back where nothing is to be taken away
     * @param others null, or elements equal to ours that the framework expects to get back
     */
    List<?> choose(int tag, List<?> list, Object[] others) {
        Ready now = ready;
        for (int attempt = 0; attempt < 3; attempt++) {
            if (now == null) {
                now = new Ready(Native.listStamp(id), new int[0], new int[0][], new List<?>[0]);
            }
            long answer = Native.route(id, tag, 0, 0, now.stamp);
            if ((answer & OFF_OR_OBSERVE) != 0) {
                return list;
            }
            if ((answer & STALE) == 0) {
                int subset = (int) (answer >>> 32) & 0xFFFF;
                if (((answer >>> 48) & 0xFF) == FAIL) {
                    return Collections.emptyList();
                }
                if (subset == NO_SUBSET) {
                    return list;
                }
                now = now.with(this, subset);
                if (now != null) {
                    ready = now;
                    return now.given(subset, list, others);
                }
            }
            now = null;
        }
        return list; // moved under our hands more than once: counted by the engine, the framework decides
    }

    /** The lists of one stamp. Immutable, swapped whole. */
    private static final class Ready {
        final int stamp;
        private final int[] subsets;
        private final int[][] indices;
        private final List<?>[] lists;

        Ready(int stamp, int[] subsets, int[][] indices, List<?>[] lists) {
            this.stamp = stamp;
            this.subsets = subsets;
            this.indices = indices;
            this.lists = lists;
        }

        /** This with that subset in it; null when the engine's list has moved on. */
        Ready with(SpringListing of, int subset) {
            if (at(subset) >= 0) {
                return this;
            }
            int[] stampOut = new int[1];
            int[] found = Native.subset(of.id, subset, stampOut);
            if (found == null || stampOut[0] != stamp) {
                return null;
            }
            int size = subsets.length;
            int[] newSubsets = Arrays.copyOf(subsets, size + 1);
            int[][] newIndices = Arrays.copyOf(indices, size + 1);
            List<?>[] newLists = Arrays.copyOf(lists, size + 1);
            newSubsets[size] = subset;
            newIndices[size] = found;
            newLists[size] = pick(of.instances, found);
            return new Ready(stamp, newSubsets, newIndices, newLists);
        }

        List<?> given(int subset, List<?> list, Object[] others) {
            int at = at(subset);
            if (indices[at].length == list.size()) {
                return list;
            }
            return others == null ? lists[at] : pick(others, indices[at]);
        }

        private int at(int subset) {
            for (int i = 0; i < subsets.length; i++) {
                if (subsets[i] == subset) {
                    return i;
                }
            }
            return -1;
        }

        private static List<?> pick(Object[] from, int[] indices) {
            List<Object> picked = new ArrayList<Object>(indices.length);
            for (int i = 0; i < indices.length; i++) {
                picked.add(from[indices[i]]);
            }
            return Collections.unmodifiableList(picked);
        }
    }

    private static final class Ticket extends PhantomReference<SpringListing> {
        final long list;

        Ticket(SpringListing listing, long list) {
            super(listing, GONE);
            this.list = list;
        }
    }
}
