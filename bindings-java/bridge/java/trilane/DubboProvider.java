package java.trilane;

import java.util.Map;

/** Hooks of {@code ContextFilter}, the head of every provider's chain: a call comes in. */
public final class DubboProvider {
    private static final Inbound.Reader READER = new DubboCarriers.Reader();

    private DubboProvider() {}

    /** Sets or clears. A call inside the process runs on its caller's thread, which {@link #exit} restores. */
    public static void enter(Object invocation) {
        if (!Trilane.on(Trilane.DUBBO) || invocation == null) {
            return;
        }
        Holder holder = Trilane.holder();
        if (holder.enter(invocation)) {
            holder.scope = scope(invocation);
        }
    }

    private static Scope scope(Object invocation) {
        try {
            Map<String, Object> attachments = DubboCarriers.attachments(invocation);
            return attachments == null ? null : Inbound.decide(Native.DUBBO, READER, attachments);
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
}
