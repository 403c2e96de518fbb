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
        if (scope == null && !Lost.suspect(Trilane.holderOrNull())) {
            return;
        }
        try {
            if (!Apache.known(route)) {
                return;
            }
            if (scope == null) {
                Lost.tell();
            } else {
                Outbound.write(scope, HEADERS, request);
            }
        } catch (Throwable cause) {
            Trilane.failed("httpclient4", cause);
        }
    }
}
