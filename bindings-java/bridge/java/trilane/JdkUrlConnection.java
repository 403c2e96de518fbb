package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Arrays;

/** Hooks of {@code HttpURLConnection}: one request's headers, on their way to the socket. */
public final class JdkUrlConnection {
    private static final String PACKAGE = "sun.net.www";
    private static final MessageHeaders HEADERS = new MessageHeaders();

    private JdkUrlConnection() {}

    /** {@code sun.net.www.http.HttpClient.writeRequests(MessageHeader, ...)}. */
    public static void write(Object headers) {
        if (!Trilane.carries(Trilane.JDK_URL_CONNECTION) || headers == null || Trilane.current() == null) {
            return;
        }
        try {
            String line = HEADERS.requestLine(headers);
            if (line == null || line.startsWith("CONNECT ")) {
                return; // for the proxy, not for the service
            }
            Scope scope = Outbound.towards(HEADERS.get(headers, "Host"));
            if (scope != null) {
                Holder holder = Trilane.holder();
                holder.urlConnection = new Before(headers, (Before) holder.urlConnection);
                Outbound.write(scope, HEADERS, headers);
            }
        } catch (Throwable cause) {
            Trilane.failed("jdk-url-connection", cause);
        }
    }

    /** The end of it: the connection uses the same headers for the next hop, which may lead anywhere. */
    public static void written(Object headers) {
        Holder holder = Trilane.holderOrNull();
        if (holder == null || holder.urlConnection == null) {
            return;
        }
        Before before = (Before) holder.urlConnection;
        if (before.headers != headers) {
            return;
        }
        holder.urlConnection = before.outer;
        try {
            before.restore();
        } catch (Throwable cause) {
            Trilane.failed("jdk-url-connection", cause);
        }
    }

    /** The values that our carriers had before we wrote them. */
    private static final class Before {
        final Object headers;
        final Before outer;
        private final String[] names;
        private final String[] values;

        Before(Object headers, Before outer) throws Throwable {
            this.headers = headers;
            this.outer = outer;
            String[] carriers = Outbound.names();
            String[] pass = Border.get().pass;
            this.names = Arrays.copyOf(carriers, carriers.length + pass.length);
            System.arraycopy(pass, 0, names, carriers.length, pass.length);
            this.values = new String[names.length + 1];
            for (int i = 0; i < values.length; i++) {
                values[i] = HEADERS.get(headers, name(i));
            }
        }

        private String name(int at) {
            return at < names.length ? names[at] : Outbound.BAGGAGE;
        }

        void restore() throws Throwable {
            for (int i = 0; i < values.length; i++) {
                if (values[i] == null) {
                    HEADERS.remove(headers, name(i));
                } else {
                    HEADERS.set(headers, name(i), values[i]);
                }
            }
        }
    }

    /** {@code sun.net.www.MessageHeader}, in a package that java.base keeps to itself: opened on first use. */
    private static final class MessageHeaders extends Outbound.Headers {
        private volatile MethodHandle[] handles;

        String requestLine(Object headers) throws Throwable {
            return (String) handles(headers)[2].invokeExact(headers, 0);
        }

        @Override
        String get(Object headers, String name) throws Throwable {
            return (String) handles(headers)[0].invokeExact(headers, name);
        }

        @Override
        void set(Object headers, String name, String value) throws Throwable {
            handles(headers)[1].invokeExact(headers, name, value);
        }

        void remove(Object headers, String name) throws Throwable {
            handles(headers)[3].invokeExact(headers, name);
        }

        private MethodHandle[] handles(Object headers) throws Throwable {
            MethodHandle[] found = handles;
            if (found == null) {
                Class<?> type = Handles.named(headers.getClass(), "sun.net.www.MessageHeader");
                Native.export(type, PACKAGE, false);
                MethodHandles.Lookup lookup = MethodHandles.lookup();
                found = new MethodHandle[] {
                    lookup.findVirtual(type, "findValue", MethodType.methodType(String.class, String.class))
                            .asType(MethodType.methodType(String.class, Object.class, String.class)),
                    lookup.findVirtual(type, "set", MethodType.methodType(void.class, String.class, String.class))
                            .asType(MethodType.methodType(void.class, Object.class, String.class, String.class)),
                    lookup.findVirtual(type, "getKey", MethodType.methodType(String.class, int.class))
                            .asType(MethodType.methodType(String.class, Object.class, int.class)),
                    lookup.findVirtual(type, "remove", MethodType.methodType(void.class, String.class))
                            .asType(MethodType.methodType(void.class, Object.class, String.class)),
                };
                handles = found;
            }
            return found;
        }
    }
}
