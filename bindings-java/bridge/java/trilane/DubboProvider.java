package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.net.InetSocketAddress;
import java.util.Map;

/** Hooks of {@code ContextFilter}, the head of every provider's chain: a call comes in. */
public final class DubboProvider {
    private static final Inbound.Reader READER = new ProviderReader();

    private DubboProvider() {}

    /** Sets or clears. A call inside the process runs on its caller's thread, which {@link #exit} restores. */
    public static void enter(Object invocation) {
        if (!Trilane.on(Trilane.DUBBO) || invocation == null) {
            return;
        }
        Holder holder = Trilane.holder();
        if (holder.enter(invocation)) {
            Scope scope = scope(invocation);
            holder.scope = scope;
            if (scope != null) {
                DubboStream.keep(invocation, scope);
            }
        }
    }

    private static Scope scope(Object invocation) {
        try {
            Map<String, Object> attachments = DubboCarriers.attachments(invocation);
            if (attachments == null) {
                return null;
            }
            return Inbound.decide(Native.DUBBO, READER, attachments);
        } catch (Throwable cause) {
            Trilane.failed("dubbo-provider", cause);
            return null;
        }
    }

    /** The end of the filter, also by an exception: restores. */
    public static void exit(Object invocation) {
        Holder holder = Trilane.holderOrNull();
        if (holder != null && invocation != null) {
            holder.exit(invocation);
        }
    }

    /** 2.7 would also hand on to the next call what is not removed here. */
    private static final class ProviderReader extends DubboCarriers.Reader {
        /** Per class of invocations: gives the address of the call's other end. */
        private final ClassValue<MethodHandle> remote = new ClassValue<MethodHandle>() {
            @Override
            protected MethodHandle computeValue(Class<?> type) {
                try {
                    Class<?> context = Class.forName("org.apache.dubbo.rpc.RpcContext", false, type.getClassLoader());
                    MethodHandles.Lookup lookup = MethodHandles.publicLookup();
                    return MethodHandles.filterReturnValue(lookup.unreflect(context.getMethod("getContext")),
                            lookup.unreflect(context.getMethod("getRemoteAddress")));
                } catch (ReflectiveOperationException notThere) {
                    return MethodHandles.constant(InetSocketAddress.class, null);
                }
            }
        };

        @Override
        String peer(Object attachments) throws Throwable {
            Object invocation = Trilane.holder().owner();
            if (invocation == null) {
                return null;
            }
            // Not getRemoteHost: that gives another address of this machine for its loopback.
            InetSocketAddress from = (InetSocketAddress) remote.get(invocation.getClass()).invokeExact();
            return from == null || from.getAddress() == null ? null : from.getAddress().getHostAddress();
        }
    }
}
