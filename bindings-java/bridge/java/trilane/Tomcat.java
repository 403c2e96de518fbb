package java.trilane;

import java.nio.charset.StandardCharsets;
import java.util.Enumeration;

/**
 * Hooks of Tomcat, below every valve and above HTTP/1.1, HTTP/2 and AJP alike.
 *
 * <p>An asynchronous request comes by twice. The second pass must be in the scope of the first even when the rules
 * have changed in between, so the scope is kept among the attributes of the connector's own request: no servlet sees
 * them, and Tomcat clears them before it uses the request object again.
 */
public final class Tomcat {
    private static final String KEPT = "java.trilane.scope";
    private static final Inbound.Reader READER = new RequestReader();
    private static final Call SET = new Call("setAttribute", String.class, Object.class);
    private static final Call GET = new Call("getAttribute", String.class);

    private Tomcat() {}

    /** {@code CoyoteAdapter.service}: a request begins. Sets or clears. */
    public static void enter(Object request) {
        if (!Trilane.on(Trilane.TOMCAT) || request == null) {
            return;
        }
        Holder holder = Trilane.holder();
        if (!holder.enter(request)) {
            return;
        }
        Scope scope = Inbound.decide(Native.HTTP, READER, request);
        holder.scope = scope;
        if (scope != null) {
            try {
                SET.on(request, KEPT, scope);
            } catch (Throwable cause) {
                Trilane.failed("tomcat", cause);
            }
        }
    }

    /** {@code CoyoteAdapter.asyncDispatch}: the same request goes on, on any thread. Sets or clears. */
    public static void again(Object request) {
        if (!Trilane.on(Trilane.TOMCAT) || request == null) {
            return;
        }
        Holder holder = Trilane.holder();
        if (!holder.enter(request)) {
            return;
        }
        Scope scope = null;
        try {
            Object kept = GET.on(request, KEPT);
            scope = kept instanceof Scope ? (Scope) kept : null;
        } catch (Throwable cause) {
            Trilane.failed("tomcat", cause);
        }
        holder.scope = scope;
    }

    /** The end of either, also by an exception: restores. */
    public static void exit(Object request) {
        Holder holder = Trilane.holderOrNull();
        if (holder != null && request != null) {
            holder.exit(request);
        }
    }

    /** {@code AsyncContextImpl.start}: Tomcat's pool is a class of its own, the executors' hooks do not see it. */
    public static Object task(Object task) {
        return Trilane.carries(Trilane.TOMCAT) ? Tasks.carried(task) : task;
    }

    private static final class RequestReader extends Inbound.Reader {
        private final Call header = new Call("getHeader", String.class);
        private final Call headers = new Call("getMimeHeaders");
        private final Call values = new Call("values", String.class);

        @Override
        String read(Object request, String name) throws Throwable {
            String value = (String) header.on(request, name);
            if (value == null) {
                return null;
            }
            // Baggage may come in several lines; of every other header the first one counts.
            return utf8(Outbound.BAGGAGE.equals(name) ? joined(request, name, value) : value);
        }

        private String joined(Object request, String name, String first) throws Throwable {
            Enumeration<?> all = (Enumeration<?>) values.on(headers.on(request), name);
            if (!all.hasMoreElements() || all.nextElement() == null || !all.hasMoreElements()) {
                return first;
            }
            StringBuilder text = new StringBuilder(first);
            while (all.hasMoreElements()) {
                text.append(',').append(all.nextElement());
            }
            return text.toString();
        }

        /** Tomcat reads a header's bytes as ISO-8859-1; the engine hashes and compares them as the UTF-8 they are. */
        private static String utf8(String value) {
            for (int i = 0; i < value.length(); i++) {
                if (value.charAt(i) >= 0x80) {
                    return new String(value.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
                }
            }
            return value;
        }
    }
}
