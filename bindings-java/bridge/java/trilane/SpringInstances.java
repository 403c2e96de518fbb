package java.trilane;

import java.util.Arrays;
import java.util.Collections;
import java.util.Map;

/** Reads {@code ServiceInstance} objects: address, and the metadata that may name a tag. */
final class SpringInstances {
    private static final Call HOST = new Call("getHost");
    private static final Call PORT = new Call("getPort");
    private static final Call METADATA = new Call("getMetadata");
    private static final Call SERVICE = new Call("getServiceId");

    private SpringInstances() {}

    /** The service that an instance says it belongs to; null without one. */
    static String service(Object instance) throws Throwable {
        return instance == null ? null : SERVICE.text(instance);
    }

    /** Publishes a list under the service's name; null if the engine refused it. */
    static Listing publish(String name, Object[] instances) throws Throwable {
        boolean[] healthy = new boolean[instances.length];
        Arrays.fill(healthy, true); // Spring Cloud hands out what it holds for usable
        Listing.Publisher publisher =
                new Listing.Publisher(Collections.singletonList(name), instances, healthy);
        String[] wanted = publisher.wanted();
        for (int i = 0; i < instances.length; i++) {
            Map<?, ?> metadata = metadata(instances[i]);
            if (metadata != null && !metadata.isEmpty()) {
                describe(publisher, metadata, wanted);
            }
            publisher.instance(address(instances[i]));
        }
        return publisher.publish();
    }

    private static void describe(Listing.Publisher publisher, Map<?, ?> metadata, String[] wanted) {
        boolean prefixes = false;
        for (int i = 0; i < wanted.length; i++) {
            if (Listing.Publisher.isPrefix(wanted[i])) {
                prefixes = true;
                continue;
            }
            Object value = metadata.get(wanted[i]);
            if (value instanceof String) {
                publisher.metadata(wanted[i], (String) value);
            }
        }
        if (prefixes) {
            publisher.prefixed(metadata);
        }
    }

    /** Equal, or, where the class has no equality of its own, the same address with the same metadata. */
    static boolean alike(Object a, Object b) throws Throwable {
        if (a == null || b == null || a.getClass() != b.getClass()) {
            return false;
        }
        if (a.equals(b)) {
            return true;
        }
        Map<?, ?> of = metadata(a);
        return address(a).equals(address(b)) && (of == null ? metadata(b) == null : of.equals(metadata(b)));
    }

    private static String address(Object instance) throws Throwable {
        String host = String.valueOf(HOST.text(instance));
        boolean bare = host.indexOf(':') >= 0 && host.charAt(0) != '[';
        return (bare ? "[" + host + "]" : host) + ":" + PORT.number(instance);
    }

    private static Map<?, ?> metadata(Object instance) throws Throwable {
        return (Map<?, ?>) METADATA.on(instance);
    }
}
