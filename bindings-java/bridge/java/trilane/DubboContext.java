package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.ref.WeakReference;
import java.lang.reflect.Method;
import java.util.Map;

/**
 * One class of invocations: how to get at a call's attachments, and in 2.7 at those of the thread's {@code RpcContext}.
 * There each attempt copies them over those of the call, so what the application put there must be known before. Since
 * 3.0 this is done earlier, and never over what is there.
 */
final class DubboContext {
    private static final ClassValue<DubboContext> CONTEXTS = new ClassValue<DubboContext>() {
        @Override
        protected DubboContext computeValue(Class<?> type) {
            return new DubboContext(type);
        }
    };
    /** What was found last, one a slot by identity: past the class's table, which is cold at each call, and weakly. */
    private static final Shortcut[] SHORTCUTS = new Shortcut[8];
    private static final Call ATTACHMENTS = new Call("getObjectAttachments");

    private final Class<?> type;
    private final Shortcut shortcut;
    private final MethodHandle attachments;
    /** Gives the attachments of the thread's context; null since 3.0. */
    private final MethodHandle context;

    private DubboContext(Class<?> type) {
        this.type = type;
        this.shortcut = new Shortcut(this);
        this.attachments = ATTACHMENTS.get(type);
        MethodHandle found = null;
        try {
            found = find(type);
        } catch (Throwable notThere) {
            // Not Dubbo's own: nothing is merged.
        }
        this.context = found;
    }

    static DubboContext of(Object invocation) {
        Class<?> type = invocation.getClass();
        int slot = System.identityHashCode(type) & SHORTCUTS.length - 1;
        Shortcut last = SHORTCUTS[slot];
        DubboContext found = last == null ? null : last.get();
        if (found == null || found.type != type) {
            found = CONTEXTS.get(type);
            SHORTCUTS[slot] = found.shortcut;
        }
        return found;
    }

    /** The call's own map: what is put there rides on the call. */
    @SuppressWarnings("unchecked")
    Map<String, Object> attachments(Object invocation) throws Throwable {
        return (Map<String, Object>) (Object) attachments.invokeExact(invocation);
    }

    /** True in 2.7. */
    boolean merges() {
        return context != null;
    }

    /** Does for the carriers what 2.7 is about to do for all attachments. */
    void merge(Map<String, Object> attachments) throws Throwable {
        if (context == null) {
            return;
        }
        Map<?, ?> there = (Map<?, ?>) (Object) context.invokeExact();
        if (there != null && !there.isEmpty()) {
            merge(attachments, there, DubboCarriers.HEADER);
            merge(attachments, there, DubboCarriers.MEMBER);
            merge(attachments, there, DubboNames.TAG);
        }
    }

    private static void merge(Map<String, Object> attachments, Map<?, ?> context, String name) {
        Object value = context.get(name);
        if (value != null) {
            attachments.put(name, value);
        }
    }

    private static MethodHandle find(Class<?> type) throws Throwable {
        Class<?> context = Class.forName("org.apache.dubbo.rpc.RpcContext", false, type.getClassLoader());
        for (Method method : context.getMethods()) {
            if (method.getName().equals("getClientAttachment")) {
                return null;
            }
        }
        MethodHandles.Lookup lookup = MethodHandles.publicLookup();
        MethodHandle get = lookup.unreflect(context.getMethod("getContext"));
        MethodHandle attachments = lookup.unreflect(context.getMethod("getObjectAttachments"));
        return MethodHandles.filterReturnValue(get, attachments).asType(MethodType.methodType(Object.class));
    }

    /** What is known of a class lives in its own table, not here. */
    private static final class Shortcut extends WeakReference<DubboContext> {
        Shortcut(DubboContext to) {
            super(to);
        }
    }
}
