package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.URI;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiPredicate;

/** Hooks of {@code java.net.http}. */
public final class JdkHttpClient {
    private static final Fields FIELDS = new Fields();
    private static volatile Handle handle;

    private JdkHttpClient() {}

    /** {@code HttpClientImpl.sendAsync}: the copy of the request that is made here, on this thread, is the call's. */
    public static void enter() {
        if (Trilane.carries(Trilane.JDK_HTTP_CLIENT)) {
            Holder holder = Trilane.holderOrNull();
            if (holder != null && holder.scope != null) {
                holder.sending++;
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
        if (holder == null || holder.sending == 0 || holder.scope == null) {
            return headers;
        }
        try {
            Handle found = handle;
            if (found == null) {
                found = new Handle(request);
                handle = found;
            }
            URI uri = (URI) found.uri.invokeExact(request);
            Scope scope = Outbound.towards(authority(uri));
            if (scope == null) {
                return headers;
            }
            TreeMap<String, List<String>> fields = new TreeMap<String, List<String>>(String.CASE_INSENSITIVE_ORDER);
            fields.putAll((Map<String, List<String>>) (Object) found.map.invokeExact(headers));
            Outbound.write(scope, FIELDS, fields);
            return (Object) found.of.invokeExact((Object) fields, (Object) ALL);
        } catch (Throwable cause) {
            Trilane.failed("jdk-http-client", cause);
            return headers;
        }
    }

    /** {@code HttpRequestImpl.getUserHeaders()}, on the way to the wire: a redirect may lead where we do not write. */
    @SuppressWarnings("unchecked")
    public static Object wire(Object headers, Object request) {
        Handle found = handle;
        if (found == null || headers == null) {
            return headers; // no call of this process has got anything from us
        }
        try {
            Map<String, List<String>> map = (Map<String, List<String>>) (Object) found.map.invokeExact(headers);
            if (!hasOurs(map)) {
                return headers;
            }
            String authority = authority((URI) found.uri.invokeExact(request));
            if (authority != null && Native.known(authority)) {
                return headers;
            }
            TreeMap<String, List<String>> fields = new TreeMap<String, List<String>>(String.CASE_INSENSITIVE_ORDER);
            fields.putAll(map);
            String[] names = Outbound.names();
            for (int i = 0; i < names.length; i++) {
                if (Scope.wrote(FIELDS.get(fields, names[i]))) {
                    fields.remove(names[i]);
                }
            }
            String baggage = FIELDS.get(fields, Outbound.BAGGAGE);
            if (baggage != null) {
                FIELDS.set(fields, Outbound.BAGGAGE, Native.baggage(baggage, ""));
            }
            String[] pass = Border.get().pass;
            for (int i = 0; i < pass.length; i++) {
                if (hasKey(map, pass[i])) {
                    fields.remove(pass[i]);
                }
            }
            return (Object) found.of.invokeExact((Object) fields, (Object) ALL);
        } catch (Throwable cause) {
            Trilane.failed("jdk-http-client", cause);
            return headers;
        }
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
            if (Scope.wrote(FIELDS.get(map, names[i]))) {
                return true;
            }
        }
        return false;
    }

    private static String authority(URI uri) {
        String host = uri == null ? null : uri.getHost();
        if (host == null) {
            return null;
        }
        int port = uri.getPort();
        return port < 0 ? host : host.concat(":").concat(Integer.toString(port));
    }

    private static final BiPredicate<String, String> ALL = new BiPredicate<String, String>() {
        @Override
        public boolean test(String name, String value) {
            return true;
        }
    };

    /** A map from name to values. */
    private static final class Fields extends Outbound.Headers {
        @Override
        @SuppressWarnings("unchecked")
        String get(Object fields, String name) {
            return Values.joined(((Map<String, List<String>>) fields).get(name));
        }

        @Override
        @SuppressWarnings("unchecked")
        void set(Object fields, String name, String value) {
            ArrayList<String> values = new ArrayList<String>(Collections.singletonList(value));
            ((Map<String, List<String>>) fields).put(name, values);
        }
    }

    /** The public types of java.net.http; one loader has them, and it is never unloaded. */
    private static final class Handle {
        final MethodHandle uri;
        final MethodHandle map;
        final MethodHandle of;

        Handle(Object request) throws Throwable {
            Class<?> requests = Handles.named(request.getClass(), "java.net.http.HttpRequest");
            Class<?> headers = Class.forName("java.net.http.HttpHeaders", false, requests.getClassLoader());
            MethodHandles.Lookup lookup = MethodHandles.publicLookup();
            uri = lookup.findVirtual(requests, "uri", MethodType.methodType(URI.class))
                    .asType(MethodType.methodType(URI.class, Object.class));
            map = lookup.findVirtual(headers, "map", MethodType.methodType(Map.class))
                    .asType(MethodType.methodType(Object.class, Object.class));
            of = lookup.findStatic(headers, "of", MethodType.methodType(headers, Map.class, BiPredicate.class))
                    .asType(MethodType.methodType(Object.class, Object.class, Object.class));
        }
    }
}
