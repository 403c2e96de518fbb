package java.trilane;

import java.util.Map;

/** Reads {@code ServiceInstance} objects: address, and the metadata that may name a tag. */
final class SpringInstances {
    static final SpringInstances INSTANCE = new SpringInstances();

    private final Call host = new Call("getHost");
    private final Call port = new Call("getPort");
    private final Call metadata = new Call("getMetadata");
    private final Call service = new Call("getServiceId");
    private volatile Keys keys;

    private SpringInstances() {}

    /** The service that an instance says it belongs to; null without one. */
    String service(Object instance) throws Throwable {
        return instance == null ? null : service.text(instance);
    }

    /** Publishes a list under the service's name; the engine's number of it, 0 if it was refused. */
    long publish(String name, Object[] instances) throws Throwable {
        Packer packer = new Packer(32 + 48 * instances.length);
        packer.number(1);
        packer.text(name);
        packer.number(instances.length);
        String[] wanted = keys();
        for (int i = 0; i < instances.length; i++) {
            packer.text(address(instances[i]));
            packer.number(1); // Spring Cloud hands out what it holds for usable
            metadata(packer, metadata(instances[i]), wanted);
        }
        return Native.listNew(packer.done());
    }

    /** Equal, or, where the class has no equality of its own, the same address with the same metadata. */
    boolean alike(Object a, Object b) throws Throwable {
        if (a == null || b == null || a.getClass() != b.getClass()) {
            return false;
        }
        if (a.equals(b)) {
            return true;
        }
        Map<?, ?> of = metadata(a);
        return address(a).equals(address(b)) && (of == null ? metadata(b) == null : of.equals(metadata(b)));
    }

    private String address(Object instance) throws Throwable {
        String name = String.valueOf(host.text(instance));
        int number = port.number(instance);
        boolean bare = name.indexOf(':') >= 0 && name.charAt(0) != '[';
        return bare ? "[" + name + "]:" + number : name + ":" + number;
    }

    private Map<?, ?> metadata(Object instance) throws Throwable {
        return (Map<?, ?>) metadata.on(instance);
    }

    private static void metadata(Packer packer, Map<?, ?> metadata, String[] wanted) {
        String[] pairs = new String[16];
        int size = 0;
        if (metadata != null && !metadata.isEmpty()) {
            for (Map.Entry<?, ?> entry : metadata.entrySet()) {
                if (entry.getKey() instanceof String && entry.getValue() instanceof String
                        && size < pairs.length && wanted((String) entry.getKey(), wanted)) {
                    pairs[size++] = (String) entry.getKey();
                    pairs[size++] = (String) entry.getValue();
                }
            }
        }
        packer.number(size / 2);
        for (int i = 0; i < size; i++) {
            packer.text(pairs[i]);
        }
    }

    private static boolean wanted(String key, String[] wanted) {
        for (int i = 0; i < wanted.length; i++) {
            String one = wanted[i];
            int last = one.length() - 1;
            if (last >= 0 && one.charAt(last) == '*' ? key.startsWith(one.substring(0, last)) : key.equals(one)) {
                return true;
            }
        }
        return false;
    }

    private String[] keys() {
        Keys now = keys;
        int epoch = Trilane.epoch;
        if (now == null || now.epoch != epoch) {
            String[] read = Native.metadataKeys();
            now = new Keys(epoch, read == null ? new String[0] : read);
            keys = now;
        }
        return now.keys;
    }

    private static final class Keys {
        final int epoch;
        final String[] keys;

        Keys(int epoch, String[] keys) {
            this.epoch = epoch;
            this.keys = keys;
        }
    }
}
