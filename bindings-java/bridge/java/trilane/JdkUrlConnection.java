package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

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
                Outbound.write(scope, HEADERS, headers);
            }
        } catch (Throwable cause) {
            Trilane.failed("jdk-url-connection", cause);
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

        private MethodHandle[] handles(Object headers) throws Throwable {
            MethodHandle[] found = handles;
            if (found == null) {
                Class<?> type = Handles.named(headers.getClass(), "sun.net.www.MessageHeader");
                Native.export(type, PACKAGE);
                MethodHandles.Lookup lookup = MethodHandles.lookup();
                found = new MethodHandle[] {
                    lookup.findVirtual(type, "findValue", MethodType.methodType(String.class, String.class))
                            .asType(MethodType.methodType(String.class, Object.class, String.class)),
                    lookup.findVirtual(type, "set", MethodType.methodType(void.class, String.class, String.class))
                            .asType(MethodType.methodType(void.class, Object.class, String.class, String.class)),
                    lookup.findVirtual(type, "getKey", MethodType.methodType(String.class, int.class))
                            .asType(MethodType.methodType(String.class, Object.class, int.class)),
                };
                handles = found;
            }
            return found;
        }
    }
}
