package java.trilane;

/**
 * Hooks of Apache HttpClient 5. The last link of its chain has a request of its own for every hop; the asynchronous
 * client may come to it on a thread of its own, so there the scope is taken where the exchange begins and kept in
 * the exchange's context.
 */
public final class HttpClient5 {
    private static final String KEPT = "java.trilane.scope";
    private static final Outbound.Headers HEADERS = new Apache.MessageHeaders(Object.class);
    private static final Call ROUTE = Call.field("route");
    private static final Call CONTEXT = Call.field("clientContext");
    private static final Call SET = new Call("setAttribute", String.class, Object.class);
    private static final Call GET = new Call("getAttribute", String.class);

    private HttpClient5() {}

    /** {@code MainClientExec.execute(ClassicHttpRequest, ExecChain.Scope, ...)}. */
    public static void write(Object request, Object exchange) {
        if (Trilane.carries(Trilane.HTTPCLIENT5) && request != null && exchange != null) {
            write(Trilane.current(), request, exchange);
            lookForLost(exchange);
        }
    }

    /**
     * {@code AsyncExecChain.Scope(String exchangeId, ..., HttpClientContext, ...)}. A redirect makes another such
     * object for the same exchange on the client's own thread: the first one's scope stays.
     */
    public static Object begin(Object context, Object exchangeId) {
        if (!Trilane.carries(Trilane.HTTPCLIENT5) || context == null || exchangeId == null) {
            return context;
        }
        try {
            Object kept = GET.on(context, KEPT);
            if (!(kept instanceof Kept) || !exchangeId.equals(((Kept) kept).exchange)) {
                Scope scope = Trilane.current();
                if (scope != null || kept != null) {
                    SET.on(context, KEPT, scope == null ? null : new Kept(exchangeId, scope));
                }
            }
        } catch (Throwable cause) {
            Trilane.failed("httpclient5", cause);
        }
        return context;
    }

    /** {@code HttpAsyncMainClientExec.execute(HttpRequest, AsyncEntityProducer, AsyncExecChain.Scope, ...)}. */
    public static void writeKept(Object request, Object exchange) {
        if (!Trilane.carries(Trilane.HTTPCLIENT5) || request == null || exchange == null) {
            return;
        }
        try {
            Object context = CONTEXT.on(exchange);
            Object kept = context == null ? null : GET.on(context, KEPT);
            write(kept instanceof Kept ? ((Kept) kept).scope : null, request, exchange);
        } catch (Throwable cause) {
            Trilane.failed("httpclient5", cause);
        }
    }

    private static void lookForLost(Object exchange) {
        Holder holder = Trilane.holderOrNull();
        if ((holder == null || holder.scope == null) && Lost.suspect(holder)) {
            try {
                if (Apache.known(ROUTE.on(exchange))) {
                    Lost.tell();
                }
            } catch (Throwable cause) {
                Trilane.failed("httpclient5", cause);
            }
        }
    }

    private static void write(Scope scope, Object request, Object exchange) {
        if (scope == null) {
            return;
        }
        try {
            if (Apache.known(ROUTE.on(exchange))) {
                Outbound.write(scope, HEADERS, request);
            }
        } catch (Throwable cause) {
            Trilane.failed("httpclient5", cause);
        }
    }

    private static final class Kept {
        final Object exchange;
        final Scope scope;

        Kept(Object exchange, Scope scope) {
            this.exchange = exchange;
            this.scope = scope;
        }
    }
}
