package java.trilane;

import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.util.Map;

/** Hooks of Spring Cloud's registration: a tagged copy says so in the metadata that it registers under. */
public final class SpringRegistration {
    private static final Call METADATA = new Call("getMetadata");

    private SpringRegistration() {}

    /** {@code AbstractAutoServiceRegistration.register}: the registration is complete and not sent yet. */
    @SuppressWarnings("unchecked")
    public static void register(Object self) {
        if (!Trilane.on(Trilane.SPRING_REGISTRATION) || self == null) {
            return;
        }
        try {
            String[] pairs = Native.metadataWrite("spring");
            if (pairs == null || pairs.length == 0) {
                return;
            }
            Object registration = registration(self);
            Map<Object, Object> metadata =
                    registration == null ? null : (Map<Object, Object>) METADATA.on(registration);
            if (metadata == null) {
                Native.log(1, "TRL-405", "spring-registration", "no metadata to write to: callers see no tag here");
                return;
            }
            for (int i = 0; i + 1 < pairs.length; i += 2) {
                metadata.put(pairs[i], pairs[i + 1]);
            }
        } catch (Throwable cause) {
            Trilane.failed("spring-registration", cause);
        }
    }

    /** {@code getRegistration()} is protected, and declared anew by each registry. Once per start. */
    private static Object registration(Object self) throws Throwable {
        for (Class<?> at = self.getClass(); at != null; at = at.getSuperclass()) {
            Method[] all = at.getDeclaredMethods();
            for (int i = 0; i < all.length; i++) {
                if (all[i].getName().equals("getRegistration") && all[i].getParameterTypes().length == 0) {
                    all[i].setAccessible(true);
                    return MethodHandles.lookup().unreflect(all[i]).invokeWithArguments(self);
                }
            }
        }
        return null;
    }
}
