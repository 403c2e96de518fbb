package java.trilane;

/**
 * Hooks of OkHttp 3.14, 4 and 5. The scope is taken where a call is made, because a dispatcher runs calls on the
 * threads of other calls; it rides in the request's tags, which no one sees on the wire. Headers are written at each
 * hop, on the copy that goes to the socket.
 */
public final class OkHttp {
    private static final Call TAG = new Call("tag", Class.class);
    private static final Call BUILDER = new Call("newBuilder");
    private static final Call SET_TAG = new Call("tag", Class.class, Object.class);
    private static final Call BUILD = new Call("build");
    private static final Call URL = new Call("url");
    private static final Call HOST = new Call("host");
    private static final Call PORT = new Call("port");
    private static final Outbound.Headers HEADERS = new Copy();
    private static final Kept QUEUED = new Kept();

    private OkHttp() {}

    /** {@code RealCall(OkHttpClient, Request, boolean)}: a new call, or the clone of one. */
    public static Object begin(Object request) {
        if (!Trilane.carries(Trilane.OKHTTP) || request == null) {
            return request;
        }
        try {
            Scope scope = Trilane.current();
            if (scope == null && Lost.suspect(Trilane.holderOrNull())) {
                Object url = URL.on(request);
                boolean traced = Traced.any() && Traced.of(null, HEADERS, new Edit(request)) != null;
                if (!traced && Apache.known(HOST.text(url), PORT.number(url))) {
                    Lost.tell();
                }
            }
            Object before = TAG.on(request, Scope.class);
            if (before == scope) {
                return request;
            }
            return BUILD.on(SET_TAG.on(BUILDER.on(request), Scope.class, scope));
        } catch (Throwable cause) {
            Trilane.failed("okhttp", cause);
            return request;
        }
    }

    /** {@code Dispatcher.enqueue(AsyncCall)}: on the thread of whoever makes the call. */
    public static void queued(Object call) {
        if (!Trilane.carries(Trilane.OKHTTP) || call == null) {
            return;
        }
        Scope scope = Trilane.current();
        if (scope != null) {
            QUEUED.put(call, scope);
        }
    }

    /** {@code AsyncCall} runs: a call that had to wait was handed to the pool by the end of another, in that one's scope. */
    public static void enter(Object call) {
        if (!Trilane.carries(Trilane.OKHTTP) || call == null) {
            return;
        }
        Holder holder = Trilane.holder();
        if (holder.enter(call)) {
            holder.scope = QUEUED.take(call);
        }
    }

    /** The end of it. */
    public static void exit(Object call) {
        Holder holder = Trilane.seen ? Trilane.holderOrNull() : null;
        if (holder != null && call != null) {
            holder.exit(call);
        }
    }

    /** {@code Exchange.writeRequestHeaders(Request)}. */
    public static Object headers(Object request) {
        if (!Trilane.carries(Trilane.OKHTTP) || request == null) {
            return request;
        }
        try {
            Object kept = TAG.on(request, Scope.class);
            Edit edit = new Edit(request);
            Scope scope = Traced.of(kept instanceof Scope ? (Scope) kept : null, HEADERS, edit);
            if (scope == null) {
                return request;
            }
            Object url = URL.on(request);
            if (!Apache.known(HOST.text(url), PORT.number(url))) {
                return request;
            }
            Outbound.write(scope, HEADERS, edit);
            return edit.builder == null ? request : BUILD.on(edit.builder);
        } catch (Throwable cause) {
            Trilane.failed("okhttp", cause);
            return request;
        }
    }

    /** A request, and the builder of its copy once something is to be changed. */
    private static final class Edit {
        final Object request;
        Object builder;

        Edit(Object request) {
            this.request = request;
        }
    }

    private static final class Copy extends Outbound.Headers {
        private final Call get = new Call("header", String.class);
        private final Call set = new Call("header", String.class, String.class);

        @Override
        String get(Object call, String name) throws Throwable {
            return (String) get.on(((Edit) call).request, name);
        }

        @Override
        void set(Object call, String name, String value) throws Throwable {
            Edit edit = (Edit) call;
            if (edit.builder == null) {
                edit.builder = BUILDER.on(edit.request);
            }
            set.on(edit.builder, name, value);
        }
    }
}
