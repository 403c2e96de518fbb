package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.util.Map;

/**
 * The thread's {@code RpcContext} of 2.7: each attempt copies its attachments over those of the call, so what the
 * application put there must be known before. Since 3.0 this is done earlier, and never over what is there.
 */
final class DubboContext {
    private static final Object NONE = new Object();

    /** Per class of invocations: a handle that gives the attachments of the thread's context, or NONE. */
    private static final ClassValue<Object> CONTEXTS = new ClassValue<Object>() {
        @Override
        protected Object computeValue(Class<?> type) {
            try {
                return find(type);
            } catch (Throwable notThere) {
                return NONE;
            }
        }
    };

    private DubboContext() {}

    /** True in 2.7. */
    static boolean merges(Object invocation) {
        return CONTEXTS.get(invocation.getClass()) != NONE;
    }

    /** Does for the carriers what 2.7 is about to do for all attachments. */
    static void merge(Object invocation, Map<String, Object> attachments) throws Throwable {
        Object handle = CONTEXTS.get(invocation.getClass());
        if (handle == NONE) {
            return;
        }
        Map<?, ?> context = (Map<?, ?>) (Object) ((MethodHandle) handle).invokeExact();
        if (context != null && !context.isEmpty()) {
            merge(attachments, context, DubboCarriers.HEADER);
            merge(attachments, context, DubboCarriers.MEMBER);
            merge(attachments, context, DubboNames.TAG);
        }
    }

    private static void merge(Map<String, Object> attachments, Map<?, ?> context, String name) {
        Object value = context.get(name);
        if (value != null) {
            attachments.put(name, value);
        }
    }

    private static Object find(Class<?> type) throws Throwable {
        Class<?> context = Class.forName("org.apache.dubbo.rpc.RpcContext", false, type.getClassLoader());
        for (Method method : context.getMethods()) {
            if (method.getName().equals("getClientAttachment")) {
                return NONE;
            }
        }
        MethodHandles.Lookup lookup = MethodHandles.publicLookup();
        MethodHandle get = lookup.unreflect(context.getMethod("getContext"));
        MethodHandle attachments = lookup.unreflect(context.getMethod("getObjectAttachments"));
        return MethodHandles.filterReturnValue(get, attachments).asType(MethodType.methodType(Object.class));
    }
}
