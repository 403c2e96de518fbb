package java.trilane;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What a directory and its invokers say of themselves: names, addresses, metadata. Asked when addresses change. */
final class DubboNames {
    static final String TAG = "dubbo.tag";
    static final String FORCE = "dubbo.force.tag";
    private static final String CLUSTER_INVOKER = "org.apache.dubbo.rpc.cluster.ClusterInvoker";
    private static final String STATIC_DIRECTORY = "org.apache.dubbo.rpc.cluster.directory.StaticDirectory";
    /** So many provider applications of one list are named; more would be a list of something else. */
    private static final int MOST_APPLICATIONS = 8;

    private static final Call CONSUMER_URL = new Call("getConsumerUrl");
    private static final Call INTERFACE = new Call("getInterface");
    private static final Call URL = new Call("getUrl");
    private static final Call PARAMETER = new Call("getParameter", String.class);
    private static final Call PARAMETERS = new Call("getParameters");
    private static final Call OWN_PARAMETER = new Call("getOriginalParameter", String.class);
    private static final Call OWN_PARAMETERS = new Call("getOriginalParameters");
    private static final Call ADDRESS = new Call("getAddress");
    private static final Call APPLICATION = new Call("getRemoteApplication");
    private static final Call PROTOCOL = new Call("getProtocol");

    private static final ClassValue<Boolean> IS_CLUSTER = new ClassValue<Boolean>() {
        @Override
        protected Boolean computeValue(Class<?> type) {
            try {
                Handles.named(type, CLUSTER_INVOKER);
                return Boolean.TRUE;
            } catch (ClassNotFoundException plain) {
                return Boolean.FALSE;
            }
        }
    };

    /** Since 3.0 an address answers for its consumer too, unless it is asked for its own parameters. */
    private static final ClassValue<Boolean> IS_THREE = new ClassValue<Boolean>() {
        @Override
        protected Boolean computeValue(Class<?> type) {
            try {
                type.getMethod("getOriginalParameter", String.class);
                return Boolean.TRUE;
            } catch (NoSuchMethodException old) {
                return Boolean.FALSE;
            }
        }
    };

    private DubboNames() {}

    /** False where the lanes are decided elsewhere: by the directories behind, or group by group. */
    static boolean routable(Object directory, Object[] invokers) throws Throwable {
        Object consumer = CONSUMER_URL.on(directory);
        if (isConfigured(directory) && "true".equals(parameter(consumer, FORCE))) {
            return false; // the application wants Dubbo's own tags, and rather fails than falls back
        }
        String group = parameter(consumer, "group");
        if (group != null && (group.equals("*") || group.indexOf(',') >= 0)) {
            return false;
        }
        for (int i = 0; i < invokers.length; i++) {
            if (invokers[i] == null || IS_CLUSTER.get(invokers[i].getClass()).booleanValue()) {
                return false;
            }
        }
        return true;
    }

    /** True if an invoker stands in for a service that is not there. */
    static boolean mock(Object invoker) throws Throwable {
        return "mock".equals(PROTOCOL.on(URL.on(invoker)));
    }

    static Listing publish(Object directory, Object[] invokers, boolean[] healthy) throws Throwable {
        Listing.Publisher publisher = new Listing.Publisher(names(directory, invokers), invokers, healthy);
        String[] wanted = publisher.wanted();
        boolean prefixes = false;
        for (int i = 0; i < wanted.length; i++) {
            prefixes |= Listing.Publisher.isPrefix(wanted[i]);
        }
        for (int i = 0; i < invokers.length; i++) {
            Object url = URL.on(invokers[i]);
            boolean three = IS_THREE.get(url.getClass()).booleanValue();
            Call own = three ? OWN_PARAMETER : PARAMETER;
            for (int k = 0; k < wanted.length; k++) {
                if (!Listing.Publisher.isPrefix(wanted[k])) {
                    publisher.metadata(wanted[k], (String) own.on(url, wanted[k]));
                }
            }
            Object all = prefixes ? (three ? OWN_PARAMETERS : PARAMETERS).on(url) : null;
            if (all != null) {
                publisher.prefixed((Map<?, ?>) all);
            }
            publisher.instance((String) ADDRESS.on(url));
        }
        return publisher.publish();
    }

    /** Provider applications, interface, and the name in the IDL; each also with group and version. */
    private static List<String> names(Object directory, Object[] invokers) throws Throwable {
        Object consumer = CONSUMER_URL.on(directory);
        List<String> plain = new ArrayList<String>();
        for (int i = 0; i < invokers.length && plain.size() < MOST_APPLICATIONS; i++) {
            add(plain, application(URL.on(invokers[i])));
        }
        add(plain, parameter(consumer, "interface"));
        Object type = INTERFACE.on(directory);
        if (type instanceof Class) {
            add(plain, ((Class<?>) type).getName());
            add(plain, idl((Class<?>) type));
        }
        String group = parameter(consumer, "group");
        String version = parameter(consumer, "version");
        List<String> names = new ArrayList<String>(plain);
        if (group != null || version != null) {
            for (int i = 0; i < plain.size(); i++) {
                names.add((group == null ? "" : group + "/") + plain.get(i) + (version == null ? "" : ":" + version));
            }
        }
        return names;
    }

    /** The provider's application. Since 3.0 only the method knows it in every kind of address. */
    private static String application(Object url) throws Throwable {
        if (!IS_THREE.get(url.getClass()).booleanValue()) {
            return parameter(url, "remote.application");
        }
        String name = (String) APPLICATION.on(url);
        return name == null || name.isEmpty() ? null : name;
    }

    private static void add(List<String> names, String name) {
        if (name != null && !names.contains(name)) {
            names.add(name);
        }
    }

    /** Interfaces that Dubbo's compiler made keep the name of the IDL in a constant. */
    private static String idl(Class<?> type) {
        try {
            Object name = type.getField("SERVICE_NAME").get(null);
            return name instanceof String ? (String) name : null;
        } catch (ReflectiveOperationException plain) {
            return null;
        }
    }

    /** The directory's service, for a log line. */
    static String service(Object directory) throws Throwable {
        return String.valueOf(parameter(CONSUMER_URL.on(directory), "interface"));
    }

    /** The tag that the application itself configured for its calls through this directory. */
    static Scope ownTag(Object directory) throws Throwable {
        return isConfigured(directory) ? DubboCarriers.named(parameter(CONSUMER_URL.on(directory), TAG)) : null;
    }

    /** False where Dubbo takes the first provider's URL for the consumer's. */
    private static boolean isConfigured(Object directory) {
        try {
            Handles.named(directory.getClass(), STATIC_DIRECTORY);
            return false;
        } catch (ClassNotFoundException other) {
            return true;
        }
    }

    private static String parameter(Object url, String key) throws Throwable {
        String value = url == null ? null : (String) PARAMETER.on(url, key);
        return value == null || value.isEmpty() ? null : value;
    }
}
