package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
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
            List<?> given = (List<?>) list;
            String name = services.name(balancer, given);
            return name == null ? list : services.choose(name, given);
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

        Services(MethodHandle serviceId) {
            this.serviceId = serviceId;
        }

        String name(Object balancer, List<?> list) throws Throwable {
            Object name = serviceId == null ? null : (Object) serviceId.invokeExact(balancer);
            if (name instanceof String && !((String) name).isEmpty()) {
                return (String) name;
            }
            return list.isEmpty() ? null : SpringInstances.INSTANCE.service(list.get(0));
        }

        List<?> choose(String name, List<?> list) throws Throwable {
            Scope scope = Trilane.current();
            SpringListing[] listings = known.get(name);
            if (listings != null) {
                for (int i = 0; i < listings.length; i++) {
                    if (listings[i].isFor(list)) {
                        return listings[i].choose(Scope.number(scope), list, null);
                    }
                }
            }
            Object[] elements = list.toArray();
            SpringListing listing = find(listings, elements);
            if (listing != null) {
                listing.source = list;
                return listing.choose(Scope.number(scope), list, null);
            }
            listing = alike(listings, elements);
            if (listing != null) {
                return listing.choose(Scope.number(scope), list, elements);
            }
            listing = publish(name, list, elements);
            if (listing == null) {
                return list;
            }
            return listing.choose(Scope.number(scope), list, listing.hasElements(elements) ? null : elements);
        }

        private static SpringListing find(SpringListing[] listings, Object[] elements) {
            for (int i = 0; listings != null && i < listings.length; i++) {
                if (listings[i].hasElements(elements)) {
                    return listings[i];
                }
            }
            return null;
        }

        private static SpringListing alike(SpringListing[] listings, Object[] elements) throws Throwable {
            for (int i = 0; listings != null && i < listings.length; i++) {
                if (listings[i].equals(elements, SpringInstances.INSTANCE)) {
                    return listings[i];
                }
            }
            return null;
        }

        /** One at a time, so that many first calls at once publish one list. */
        private synchronized SpringListing publish(String name, List<?> list, Object[] elements) throws Throwable {
            SpringListing[] before = known.get(name);
            SpringListing same = alike(before, elements);
            if (same != null) {
                return same;
            }
            long id = SpringInstances.INSTANCE.publish(name, elements);
            if (id == 0) {
                return null;
            }
            SpringListing made = new SpringListing(id, list, elements);
            int kept = before == null ? 0 : Math.min(before.length, KEPT - 1);
            SpringListing[] after = new SpringListing[kept + 1];
            after[0] = made;
            if (kept > 0) {
                System.arraycopy(before, 0, after, 1, kept);
            }
            known.put(name, after);
            return made;
        }
    }
}
