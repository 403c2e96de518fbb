package java.trilane;

/**
 * Hooks of our own gRPC transport. The tag of a call crosses as text: a call's events run in its scope, and a call takes
 * its tag from the thread that makes it.
 */
public final class Triple {
    private Triple() {}

    /** {@code Lane.ofThread()}: the tag of this thread's scope. */
    public static Object tag(Object none) {
        if (!Trilane.carries(Trilane.TRIPLE)) {
            return none;
        }
        Scope scope = Trilane.current();
        return scope == null || scope.id == 0 ? none : scope.tag;
    }

    /** {@code Lane.enter(Object, String)}. */
    public static void enter(Object owner, Object tag) {
        if (!Trilane.on(Trilane.TRIPLE)) {
            return;
        }
        try {
            String text = (String) tag;
            if (!text.isEmpty()) {
                Inbound.handOver();
            } else if (!Trilane.seen) {
                return;
            }
            Holder holder = Trilane.holder();
            if (holder.enter(owner)) {
                holder.scope = text.isEmpty() ? null : scope(text);
            }
        } catch (Throwable cause) {
            Trilane.failed("triple", cause);
        }
    }

    private static Scope scope(String tag) {
        Scope known = Scope.of(Native.tagFind(tag));
        return known == null ? Scope.unknown(tag) : known;
    }

    /** {@code Lane.leave(Object)}. */
    public static void leave(Object owner) {
        Holder holder = Trilane.holderOrNull();
        if (holder != null) {
            holder.exit(owner);
        }
    }
}
