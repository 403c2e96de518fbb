package java.trilane;

import java.util.Arrays;
import java.util.Map;

/** Hooks of {@code ContextFilter}, the head of every provider's chain: a call comes in. */
public final class DubboProvider {
    private static final Inbound.Reader READER = new DubboCarriers.Reader();

    private static volatile Boolean edge;

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
            if (attachments == null) {
                return null;
            }
            Scope scope = Inbound.decide(Native.DUBBO, READER, attachments);
            if (edge()) {
                strip(attachments);
            }
            return scope;
        } catch (Throwable cause) {
            Trilane.failed("dubbo-provider", cause);
            return null;
        }
    }

    /** At an edge carriers are not believed. 2.7 would also hand them on to the next call. */
    private static void strip(Map<String, Object> attachments) {
        attachments.remove(DubboCarriers.HEADER);
        attachments.remove(DubboCarriers.MEMBER);
        attachments.remove(DubboNames.TAG);
        Object baggage = attachments.get(Outbound.BAGGAGE);
        if (baggage instanceof String) {
            attachments.put(Outbound.BAGGAGE, Native.baggage((String) baggage, ""));
        }
    }

    /** The engine asks for no carrier; that follows from a setting, which never changes in a process. */
    private static boolean edge() {
        Boolean known = edge;
        if (known == null) {
            String[] names = Native.names(Native.DUBBO);
            if (names == null) {
                return false;
            }
            known = Boolean.valueOf(!Arrays.asList(names).contains(DubboCarriers.MEMBER));
            edge = known;
        }
        return known.booleanValue();
    }

    /** The end of the filter, also by an exception: restores. */
    public static void exit(Object invocation) {
        Holder holder = Trilane.holderOrNull();
        if (holder != null && invocation != null) {
            holder.exit(invocation);
        }
    }
}
