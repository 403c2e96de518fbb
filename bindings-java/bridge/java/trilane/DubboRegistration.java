package java.trilane;

import java.util.Map;

/** Hooks of Dubbo's configuration: which tag this process registers under, and what it is called. */
public final class DubboRegistration {
    private static final String SERVICE_CONFIG = "org.apache.dubbo.config.ServiceConfig";
    /** The application that Dubbo makes for itself. */
    private static final String INTERNAL = "DUBBO_INTERNAL_APPLICATION";

    private static final Call METADATA = new Call("getMetadata");

    private DubboRegistration() {}

    /** {@code ServiceConfig.buildAttributes}: the parameters of a provider's URL. */
    public static Object attributes(Object attributes) {
        publish(attributes);
        return attributes;
    }

    /** {@code AbstractConfig.appendParameters}: in 2.7 a provider's URL is put together by these. */
    public static void parameters(Object parameters, Object config) {
        if (config == null) {
            return;
        }
        for (Class<?> type = config.getClass(); type != null; type = type.getSuperclass()) {
            if (type.getName().equals(SERVICE_CONFIG)) {
                publish(parameters);
                return;
            }
        }
    }

    /** {@code ServiceInstanceMetadataUtils.customizeInstance}: what the registry knows of the whole process. */
    public static void instance(Object instance) {
        if (instance == null || !Trilane.on(Trilane.DUBBO)) {
            return;
        }
        try {
            publish(METADATA.on(instance));
        } catch (Throwable cause) {
            Trilane.failed("dubbo-instance", cause);
        }
    }

    /** {@code ApplicationConfig.setName}. */
    public static void name(Object name) {
        if (name instanceof String && !((String) name).isEmpty() && !name.equals(INTERNAL)) {
            try {
                Native.learnService((String) name);
            } catch (Throwable cause) {
                Trilane.failed("dubbo-name", cause);
            }
        }
    }

    /** A baseline copy adds nothing. A {@code dubbo.tag} that the application configured itself stays. */
    @SuppressWarnings("unchecked")
    private static void publish(Object target) {
        if (!Trilane.on(Trilane.DUBBO) || !(target instanceof Map)) {
            return;
        }
        try {
            String[] pairs = Native.metadataWrite("dubbo");
            Map<Object, Object> map = (Map<Object, Object>) target;
            for (int i = 0; pairs != null && i + 1 < pairs.length; i += 2) {
                if (!pairs[i].equals(DubboNames.TAG) || map.get(DubboNames.TAG) == null) {
                    map.put(pairs[i], pairs[i + 1]);
                }
            }
        } catch (Throwable cause) {
            Trilane.failed("dubbo-metadata", cause);
        }
    }
}
