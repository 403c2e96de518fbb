package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.ref.WeakReference;
import java.lang.reflect.Field;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Hooks of Spring Cloud LoadBalancer: the balancer gets the instances of the lane and picks among them as ever.
 *
 * <p>Spring Cloud publishes no list of instances that lives longer than one call. So a list is known by its identity,
 * else by its elements among the last four of its service, else it is published. What is known lies beside the
 * balancer's class and goes with it.
 */
public final class SpringLoadBalancer {
    private static final int KEPT = 4;

    private static final ClassValue<Services> SERVICES = new ClassValue<Services>() {
        @Override
        protected Services computeValue(Class<?> type) {
            return new Services(serviceId(type));
        }
    };

    private SpringLoadBalancer() {}

    /** {@code getInstanceResponse}: the list that the balancer is about to choose from. */
    public static Object list(Object list, Object balancer) {
        if (!Trilane.on(Trilane.SPRING_LOADBALANCER) || !(list instanceof List) || balancer == null) {
            return list;
        }
        try {
            Services services = SERVICES.get(balancer.getClass());
            return services.choose(balancer, (List<?>) list);
        } catch (Throwable cause) {
            Trilane.failed("spring-loadbalancer", cause);
            return list;
        }
    }

    /** Reads the balancer's field {@code serviceId}; null where a version has none. */
    private static MethodHandle serviceId(Class<?> type) {
        for (Class<?> at = type; at != null; at = at.getSuperclass()) {
            try {
                Field field = at.getDeclaredField("serviceId");
                field.setAccessible(true);
                return MethodHandles.lookup().unreflectGetter(field)
                        .asType(MethodType.methodType(Object.class, Object.class));
            } catch (Exception notHere) {
                continue;
            }
        }
        return null;
    }

    private static final class Services {
        private final MethodHandle serviceId;
        private final ConcurrentHashMap<String, SpringListing[]> known =
                new ConcurrentHashMap<String, SpringListing[]>();

        /** What balancers asked about last, one a slot. */
        private final Recent[] recent = new Recent[8];

        Services(MethodHandle serviceId) {
            this.serviceId = serviceId;
        }

        String name(Object balancer, List<?> list) throws Throwable {
            Object name = serviceId == null ? null : (Object) serviceId.invokeExact(balancer);
            if (name instanceof String && !((String) name).isEmpty()) {
                return (String) name;
            }
            return list.isEmpty() ? null : SpringInstances.service(list.get(0));
        }

        List<?> choose(Object balancer, List<?> list) throws Throwable {
            int slot = System.identityHashCode(balancer) & (recent.length - 1);
            Recent last = recent[slot]; // its fields are final: a race only looks once more
            Listing listing = last == null ? null : last.of(balancer, list);
            if (listing == null) {
                String name = name(balancer, list);
                SpringListing found = name == null ? null : listing(name, list);
                if (found == null) {
                    return list;
                }
                listing = found.listing;
                recent[slot] = new Recent(balancer, found);
            }
            Scope scope = Trilane.current();
            Object call = scope == null ? null : scope.call;
            scope = Traced.of(scope, SpringCalls.READER, call);
            List<?> chosen = listing.choose(scope, SpringCalls.READER, null, call);
            if (chosen == null && listing.retired()) {
                String name = name(balancer, list);
                SpringListing again = name == null ? null : listing(name, list);
                chosen = again == null ? null : again.listing.choose(scope, SpringCalls.READER, null, call);
            }
            return chosen == null || chosen.size() == list.size() ? list : chosen;
        }

        private SpringListing listing(String name, List<?> list) throws Throwable {
            SpringListing[] known = this.known.get(name);
            int count = known == null ? 0 : known.length;
            for (int i = 0; i < count; i++) {
                if (known[i].isFor(list)) {
                    return known[i];
                }
            }
            Object[] elements = list.toArray();
            for (int i = 0; i < count; i++) {
                if (known[i].holds(list, elements)) {
                    return known[i];
                }
            }
            SpringListing like = like(known, elements);
            return like != null ? like : publish(name, list, elements);
        }

        private static SpringListing like(SpringListing[] known, Object[] elements) throws Throwable {
            for (int i = 0; known != null && i < known.length; i++) {
                if (known[i].isLike(elements)) {
                    return known[i];
                }
            }
            return null;
        }

        /** One at a time, so that many first calls at once publish one list. */
        private synchronized SpringListing publish(String name, List<?> list, Object[] elements) throws Throwable {
            SpringListing[] before = known.get(name);
            SpringListing like = like(before, elements);
            if (like != null) {
                return like;
            }
            Listing published = SpringInstances.publish(name, elements);
            if (published == null) {
                return null;
            }
            SpringListing made = new SpringListing(published, list, elements);
            keep(name, before, made);
            return made;
        }

        private void keep(String name, SpringListing[] before, SpringListing made) {
            int kept = before == null ? 0 : Math.min(before.length, KEPT - 1);
            SpringListing[] after = new SpringListing[kept + 1];
            after[0] = made;
            for (int i = 0; i < kept; i++) {
                after[i + 1] = before[i];
            }
            known.put(name, after);
            for (int i = kept; before != null && i < before.length; i++) {
                before[i].listing.retire();
            }
        }
    }

    /** A balancer, and the list it chose from last. */
    private static final class Recent {
        private final WeakReference<Object> balancer;
        private final SpringListing listing;

        Recent(Object balancer, SpringListing listing) {
            this.balancer = new WeakReference<Object>(balancer);
            this.listing = listing;
        }

        /** Null if it is another balancer or another list, or if the listing is kept no longer. */
        Listing of(Object balancer, List<?> list) {
            boolean same = this.balancer.get() == balancer && listing.isFor(list) && !listing.listing.retired();
            return same ? listing.listing : null;
        }
    }
}
