package java.trilane;

import java.util.List;

/** One published list of a service, and how to know it again. */
final class SpringListing {
    final Listing listing;
    private final Object[] instances;
    /** The framework's list as it was last seen with these very elements. */
    private volatile List<?> source;

    SpringListing(Listing listing, List<?> source, Object[] instances) {
        this.listing = listing;
        this.source = source;
        this.instances = instances;
    }

    /** The same list object, as far as its ends show it to be unchanged. */
    boolean isFor(List<?> list) {
        int size = instances.length;
        return list == source && list.size() == size && !listing.retired()
                && (size == 0 || list.get(0) == instances[0] && list.get(size - 1) == instances[size - 1]);
    }

    /** Another list of the very same elements: known by its identity from now on. */
    boolean holds(List<?> list, Object[] elements) {
        if (!listing.holds(elements) || listing.retired()) {
            return false;
        }
        source = list;
        return true;
    }

    /** Another list of equal elements. */
    boolean isLike(Object[] elements) throws Throwable {
        if (elements.length != instances.length || listing.retired()) {
            return false;
        }
        for (int i = 0; i < elements.length; i++) {
            if (elements[i] != instances[i] && !SpringInstances.alike(elements[i], instances[i])) {
                return false;
            }
        }
        return true;
    }
}
