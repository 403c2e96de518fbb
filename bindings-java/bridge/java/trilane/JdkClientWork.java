package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * The work of {@code java.net.http} itself: the functions of its own stages and the tasks of its connections. They
 * serve whichever call is due on a connection, so they run without a scope; what an application adds to the future that
 * it gets is the application's own, and carried. A call makes more than a dozen such functions.
 */
final class JdkClientWork {
    private static final MethodHandle MODULE_OF = moduleOf();
    /** The module of the JDK's client, once it was seen; itself else, which is nobody's module. */
    private static volatile Object module = JdkClientWork.class;

    private JdkClientWork() {}

    private static MethodHandle moduleOf() {
        try {
            MethodType type = MethodType.methodType(Class.forName("java.lang.Module"));
            return MethodHandles.publicLookup().findVirtual(Class.class, "getModule", type)
                    .asType(MethodType.methodType(Object.class, Class.class));
        } catch (ReflectiveOperationException java8) {
            return MethodHandles.dropArguments(MethodHandles.constant(Object.class, null), 0, Class.class);
        }
    }

    /** Tells which class belongs to the client. */
    static void seen(Class<?> one) throws Throwable {
        if (module == JdkClientWork.class) {
            module = (Object) MODULE_OF.invokeExact(one);
        }
    }

    /** Whether a function or task belongs to the client. */
    static boolean is(Object task) {
        try {
            return (Object) MODULE_OF.invokeExact((Class<?>) task.getClass()) == module;
        } catch (Throwable never) {
            return false;
        }
    }
}
