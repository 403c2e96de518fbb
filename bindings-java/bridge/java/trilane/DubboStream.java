package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;

/**
 * Hooks of Triple's listeners for streams of requests: the call comes in once, by {@link DubboProvider}, and each of
 * its messages later, on any thread of the pool. What was decided for the call is kept with its invocation.
 */
public final class DubboStream {
    private static final String KEPT = "java.trilane.scope";
    private static final Call PUT = new Call("put", Object.class, Object.class);
    private static final Call GET = new Call("get", Object.class);

    /** Per class of listeners: gives the invocation, which a field holds that is not public. */
    private static final ClassValue<MethodHandle> INVOCATION = new ClassValue<MethodHandle>() {
        @Override
        protected MethodHandle computeValue(Class<?> type) {
            for (Class<?> at = type; at != null; at = at.getSuperclass()) {
                try {
                    Field field = at.getDeclaredField("invocation");
                    field.setAccessible(true);
                    return MethodHandles.lookup().unreflectGetter(field)
                            .asType(MethodType.methodType(Object.class, Object.class));
                } catch (NoSuchFieldException inherited) {
                    continue;
                } catch (IllegalAccessException closed) {
                    throw new IllegalStateException(closed);
                }
            }
            throw new IllegalStateException("no field invocation in " + type.getName());
        }
    };

    private DubboStream() {}

    /** Attributes of an invocation stay in the process. */
    static void keep(Object invocation, Scope scope) {
        try {
            PUT.on(invocation, KEPT, scope);
        } catch (Throwable cause) {
            Trilane.failed("dubbo-stream", cause);
        }
    }

    /** {@code onMessage}, {@code onComplete}, {@code onCancel}: sets or clears. */
    public static void enter(Object listener) {
        if (!Trilane.on(Trilane.DUBBO) || listener == null) {
            return;
        }
        Holder holder = Trilane.holder();
        if (!holder.enter(listener)) {
            return;
        }
        Scope scope = null;
        try {
            Object kept = GET.on((Object) INVOCATION.get(listener.getClass()).invokeExact(listener), KEPT);
            scope = kept instanceof Scope ? (Scope) kept : null;
        } catch (Throwable cause) {
            Trilane.failed("dubbo-stream", cause);
        }
        holder.scope = scope;
    }

    /** The end of each, also by an exception: restores. */
    public static void exit(Object listener) {
        Holder holder = Trilane.holderOrNull();
        if (holder != null && listener != null) {
            holder.exit(listener);
        }
    }
}
