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
            Holder holder = Trilane.holderOrNull();
            Scope scope = holder == null ? null : holder.scope;
            write(scope, scope == null && Lost.suspect(holder), request, exchange);
        }
    }

    /**
     * {@code AsyncExecChain.Scope(String exchangeId, ..., HttpClientContext, ...)}. A redirect makes another such
     * object for the same exchange on the client's own thread: the first one's scope stays. A call that lost its tag is
     * looked for here, on the thread that makes it.
     */
    public static Object begin(Object context, Object exchangeId, Object route) {
        if (!Trilane.carries(Trilane.HTTPCLIENT5) || context == null || exchangeId == null) {
            return context;
        }
        try {
            Object kept = GET.on(context, KEPT);
            if (!(kept instanceof Kept) || !exchangeId.equals(((Kept) kept).exchange)) {
                Holder holder = Trilane.holderOrNull();
                Scope scope = holder == null ? null : holder.scope;
                if (scope != null || kept != null) {
                    SET.on(context, KEPT, scope == null ? null : new Kept(exchangeId, scope));
                }
                if (scope == null && route != null && Lost.suspect(holder) && Apache.known(route)) {
                    Lost.tell();
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
            write(kept instanceof Kept ? ((Kept) kept).scope : null, false, request, exchange);
        } catch (Throwable cause) {
            Trilane.failed("httpclient5", cause);
        }
    }

    private static void write(Scope scope, boolean suspect, Object request, Object exchange) {
        if (scope == null && !suspect && !Traced.any()) {
            return;
        }
        try {
            if (!Apache.known(ROUTE.on(exchange))) {
                return;
            }
            Scope of = Traced.of(scope, HEADERS, request);
            if (of != null) {
                Outbound.write(of, HEADERS, request);
            } else if (suspect) {
                Lost.tell();
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
