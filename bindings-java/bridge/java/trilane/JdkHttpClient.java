package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.URI;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiPredicate;

/** Hooks of {@code java.net.http}. */
public final class JdkHttpClient {
    private static final Writer WRITER = new Writer();
    /** {@code java.net.http.HttpRequest}, once a call got something from us. The JDK's: it is never unloaded. */
    private static volatile Class<?> requests;

    private JdkHttpClient() {}

    /** {@code HttpClientImpl.sendAsync}: the copy of the request that is made here, on this thread, is the call's. */
    public static void enter() {
        if (Trilane.carries(Trilane.JDK_HTTP_CLIENT)) {
            Holder holder = Trilane.holderOrNull();
            if (holder != null && holder.scope != null) {
                holder.sending++;
            } else if (Lost.suspect(holder) || Traced.any()) {
                Trilane.holder().sending++;
            }
        }
    }

    /** The end of {@code sendAsync}. */
    public static void exit() {
        if (Trilane.seen) {
            Holder holder = Trilane.holderOrNull();
            if (holder != null && holder.sending > 0) {
                holder.sending--;
            }
        }
    }

    /** {@code ImmutableHttpRequest.headers()}: as the application wrote them, and ours while a call copies them. */
    public static Object headers(Object headers, Object request) {
        if (!Trilane.carries(Trilane.JDK_HTTP_CLIENT) || headers == null) {
            return headers;
        }
        Holder holder = Trilane.holderOrNull();
        if (holder == null || holder.sending == 0) {
            return headers;
        }
        try {
            JdkClientWork.seen(request.getClass());
            if (requests == null) {
                requests = Handles.named(request.getClass(), "java.net.http.HttpRequest");
            }
            URI uri = (URI) Http.URI_OF.invokeExact(request);
            if (uri == null || !Outbound.towards(uri.getHost(), uri.getPort())) {
                return headers;
            }
            Fields fields = new Fields(map(headers));
            Scope scope = Traced.of(holder.scope, WRITER, fields);
            if (scope == null) {
                if (Lost.suspect(holder)) {
                    Lost.tell();
                }
                return headers;
            }
            Outbound.write(scope, WRITER, fields);
            return fields.headers();
        } catch (Throwable cause) {
            Trilane.failed("jdk-http-client", cause);
            return headers;
        }
    }

    /** {@code HttpRequestImpl.getUserHeaders()}, on the way to the wire: a redirect may lead where we do not write. */
    public static Object wire(Object headers, Object request) {
        if (requests == null || headers == null) {
            return headers; // no call of this process has got anything from us
        }
        try {
            Map<String, List<String>> map = map(headers);
            if (!hasOurs(map)) {
                return headers;
            }
            URI uri = (URI) Http.URI_OF.invokeExact(request);
            if (uri != null && uri.getHost() != null && Known.known(uri.getHost(), uri.getPort())) {
                return headers;
            }
            Fields fields = new Fields(map);
            String[] names = Outbound.names();
            for (int i = 0; i < names.length; i++) {
                if (Scope.wrote(fields.get(names[i]))) {
                    fields.set(names[i], null);
                }
            }
            String baggage = fields.get(Outbound.BAGGAGE);
            if (baggage != null) {
                fields.set(Outbound.BAGGAGE, Native.baggage(baggage, ""));
            }
            String[] pass = Border.get().pass;
            for (int i = 0; i < pass.length; i++) {
                if (hasKey(map, pass[i])) {
                    fields.set(pass[i], null);
                }
            }
            return fields.headers();
        } catch (Throwable cause) {
            Trilane.failed("jdk-http-client", cause);
            return headers;
        }
    }

    @SuppressWarnings("unchecked")
    private static Map<String, List<String>> map(Object headers) throws Throwable {
        return (Map<String, List<String>>) (Object) Http.MAP_OF.invokeExact(headers);
    }

    /** A header that is passed through is ours if its name is our very object: a map keeps the keys it was given. */
    private static boolean hasKey(Map<String, List<String>> map, String name) {
        for (String key : map.keySet()) {
            if (key == name) {
                return true;
            }
        }
        return false;
    }

    private static boolean hasOurs(Map<String, List<String>> map) {
        String[] pass = Border.get().pass;
        for (int i = 0; i < pass.length; i++) {
            if (hasKey(map, pass[i])) {
                return true;
            }
        }
        String[] names = Outbound.names();
        for (int i = 0; i < names.length; i++) {
            if (Scope.wrote(Values.joined(map.get(names[i])))) {
                return true;
            }
        }
        return false;
    }

    private static final BiPredicate<String, String> ALL = new BiPredicate<String, String>() {
        @Override
        public boolean test(String name, String value) {
            return true;
        }
    };

    /** The headers of one request, which never change, and what is to be different in a copy of them. */
    private static final class Fields {
        private final Map<String, List<String>> before;
        private final TreeMap<String, List<String>> changed =
                new TreeMap<String, List<String>>(String.CASE_INSENSITIVE_ORDER);

        Fields(Map<String, List<String>> before) {
            this.before = before;
        }

        String get(String name) {
            return Values.joined(changed.containsKey(name) ? changed.get(name) : before.get(name));
        }

        /** Null takes the header away. */
        void set(String name, String value) {
            changed.put(name, value == null ? null : Collections.singletonList(value));
        }

        /** The copy. */
        Object headers() throws Throwable {
            HashMap<String, List<String>> all = new HashMap<String, List<String>>();
            for (Map.Entry<String, List<String>> entry : before.entrySet()) {
                if (!changed.containsKey(entry.getKey())) {
                    all.put(entry.getKey(), entry.getValue());
                }
            }
            for (Map.Entry<String, List<String>> entry : changed.entrySet()) {
                if (entry.getValue() != null) {
                    all.put(entry.getKey(), entry.getValue());
                }
            }
            return (Object) Http.HEADERS_OF.invokeExact((Object) all, (Object) ALL);
        }
    }

    private static final class Writer extends Outbound.Headers {
        @Override
        String get(Object fields, String name) {
            return ((Fields) fields).get(name);
        }

        @Override
        void set(Object fields, String name, String value) {
            ((Fields) fields).set(name, value);
        }
    }

    /** The public types of java.net.http: constants, so that a call through them costs what any call costs. */
    private static final class Http {
        static final MethodHandle URI_OF;
        static final MethodHandle MAP_OF;
        static final MethodHandle HEADERS_OF;

        static {
            try {
                Class<?> headers = Class.forName("java.net.http.HttpHeaders", false, requests.getClassLoader());
                MethodHandles.Lookup lookup = MethodHandles.publicLookup();
                URI_OF = lookup.findVirtual(requests, "uri", MethodType.methodType(URI.class))
                        .asType(MethodType.methodType(URI.class, Object.class));
                MAP_OF = lookup.findVirtual(headers, "map", MethodType.methodType(Map.class))
                        .asType(MethodType.methodType(Object.class, Object.class));
                MethodType of = MethodType.methodType(headers, Map.class, BiPredicate.class);
                HEADERS_OF = lookup.findStatic(headers, "of", of)
                        .asType(MethodType.methodType(Object.class, Object.class, Object.class));
            } catch (ReflectiveOperationException notThere) {
                throw new IllegalStateException(notThere);
            }
        }
    }
}
