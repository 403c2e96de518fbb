package java.trilane;

/** Hooks of Apache HttpClient 4: the last link of its chain has a request of its own for every hop. */
public final class HttpClient4 {
    private static final Outbound.Headers HEADERS = new Apache.MessageHeaders(String.class);

    private HttpClient4() {}

    /** {@code MainClientExec.execute(HttpRoute, HttpRequestWrapper, ...)}. */
    public static void write(Object route, Object request) {
        if (!Trilane.carries(Trilane.HTTPCLIENT4) || route == null || request == null) {
            return;
        }
        Scope scope = Trilane.current();
        boolean suspect = scope == null && Lost.suspect(Trilane.holderOrNull());
        if (scope == null && !suspect && !Traced.any()) {
            return;
        }
        try {
            if (!Apache.known(route)) {
                return;
            }
            scope = Traced.of(scope, HEADERS, request);
            if (scope != null) {
                Outbound.write(scope, HEADERS, request);
            } else if (suspect) {
                Lost.tell();
            }
        } catch (Throwable cause) {
            Trilane.failed("httpclient4", cause);
        }
    }
}
