package java.trilane;

import java.net.URI;

/**
 * For which call does Spring Cloud's balancer choose? The balancer is told when it is asked ({@code choose}); the list
 * it chooses from it learns later, perhaps on another thread. Between the two the scope knows the call.
 *
 * <p>Nothing of this happens while no rule reads values of calls and no header names a trace.
 */
public final class SpringCalls {
    /** Makes choices that know their call. */
    public interface Around {
        /** The same choice, which tells the thread that subscribes to it. */
        Object around(Object choice, Object call);
    }

    static final Outgoing READER = new Reader();

    private static final Beside<Around> AROUND =
            new Beside<Around>("reactor.core.publisher.Mono", "io.github.trilane.SpringMono");

    /** Whether values of calls are asked for, and the epoch for which that holds: twice the epoch, plus one if so. */
    private static volatile long asked = -2;

    private SpringCalls() {}

    /** What a balancer's {@code choose} returns. */
    public static Object chosen(Object choice, Object request) {
        if (!Trilane.on(Trilane.SPRING_LOADBALANCER) || choice == null || request == null || !asked()) {
            return choice;
        }
        try {
            Inbound.handOver();
            return AROUND.get(choice.getClass()).around(choice, request);
        } catch (Throwable cause) {
            Trilane.failed("spring-loadbalancer", cause);
            return choice;
        }
    }

    private static boolean asked() {
        long now = asked;
        int epoch = Trilane.epoch;
        if (now >> 1 != epoch) {
            now = (long) epoch << 1 | (Native.rulesByCall() || Traced.any() ? 1 : 0);
            asked = now;
        }
        return (now & 1) != 0;
    }

    /** The thread begins to choose for this call; gives what {@link #leave} restores. */
    public static Object enter(Object call) {
        Holder holder = Trilane.holder();
        Scope before = holder.scope;
        holder.scope = Scope.calling(before, call);
        return before;
    }

    /** The thread has chosen, or another one will. */
    public static void leave(Object before) {
        Trilane.holder().scope = (Scope) before;
    }

    /** Reads a {@code Request} whose context is a {@code RequestDataContext}; of any other it knows nothing. */
    private static final class Reader extends Outgoing {
        private static final Call CONTEXT = new Call("getContext");
        private static final Call CLIENT_REQUEST = new Call("getClientRequest");
        private static final Call METHOD = new Call("getHttpMethod");
        private static final Call URL = new Call("getUrl");
        private static final Call HEADERS = new Call("getHeaders");
        private static final Call FIRST = new Call("getFirst", String.class);
        private static final String DATA_CONTEXT = "org.springframework.cloud.client.loadbalancer.RequestDataContext";

        /** Null for a context that holds no request. */
        private static final ClassValue<Boolean> HAS_DATA = new ClassValue<Boolean>() {
            @Override
            protected Boolean computeValue(Class<?> type) {
                try {
                    Handles.named(type, DATA_CONTEXT);
                    return Boolean.TRUE;
                } catch (ClassNotFoundException other) {
                    return Boolean.FALSE;
                }
            }
        };

        @Override
        String value(Object target, Object call, String name) throws Throwable {
            Object context = CONTEXT.on(call);
            Object data = context != null && HAS_DATA.get(context.getClass()).booleanValue()
                    ? CLIENT_REQUEST.on(context) : null;
            if (data == null) {
                return null;
            }
            if (name.charAt(0) != ':') {
                Object headers = HEADERS.on(data);
                return headers == null ? null : (String) FIRST.on(headers, name);
            }
            if (name.equals(":method")) {
                return String.valueOf(METHOD.on(data));
            }
            URI url = (URI) URL.on(data);
            return url == null ? null : part(url, name);
        }

        private static String part(URI url, String name) {
            if (name.equals(":path")) {
                String path = url.getRawPath() == null || url.getRawPath().isEmpty() ? "/" : url.getRawPath();
                return url.getRawQuery() == null ? path : path + "?" + url.getRawQuery();
            }
            if (name.equals(":authority")) {
                return url.getRawAuthority();
            }
            return name.equals(":scheme") ? url.getScheme() : null;
        }
    }
}
