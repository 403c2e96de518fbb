package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** Hooks of {@code com.sun.net.httpserver}: one request passes several chains of filters with the same exchange. */
public final class JdkHttpServer {
    private static final Inbound.Reader READER = new ExchangeReader();

    private JdkHttpServer() {}

    /** {@code Filter.Chain.doFilter}: sets or clears. */
    public static void enter(Object exchange) {
        if (!Trilane.on(Trilane.JDK_HTTP_SERVER) || exchange == null) {
            return;
        }
        Holder holder = Trilane.holder();
        if (holder.enter(exchange)) {
            holder.scope = Inbound.decide(Native.HTTP, READER, exchange);
        }
    }

    /** The end of {@code doFilter}, also by an exception: restores. */
    public static void exit(Object exchange) {
        Holder holder = Trilane.holderOrNull();
        if (holder != null && exchange != null) {
            holder.exit(exchange);
        }
    }

    /** Per class of headers: gives those that may be edited. The server's own are a view of them, behind a field. */
    private static final ClassValue<MethodHandle> EDITABLE = new ClassValue<MethodHandle>() {
        @Override
        protected MethodHandle computeValue(Class<?> type) {
            Field[] fields = type.getDeclaredFields();
            for (int i = 0; i < fields.length; i++) {
                if (fields[i].getType().getName().equals("com.sun.net.httpserver.Headers")) {
                    return open(type, fields[i]);
                }
            }
            return MethodHandles.identity(Object.class);
        }

        private MethodHandle open(Class<?> type, Field field) {
            String name = type.getName();
            Native.export(type, name.substring(0, name.lastIndexOf('.')), true);
            try {
                field.setAccessible(true);
                return MethodHandles.lookup().unreflectGetter(field);
            } catch (ReflectiveOperationException refused) {
                throw new IllegalStateException(refused);
            }
        }
    };

    private static final Call REMOTE = new Call("getRemoteAddress");

    private static final class ExchangeReader extends Inbound.Reader {
        private volatile MethodHandle getRequestHeaders;

        @Override
        @SuppressWarnings("unchecked")
        String read(Object exchange, String name) throws Throwable {
            MethodHandle get = getRequestHeaders;
            if (get == null) {
                get = find(exchange);
                getRequestHeaders = get;
            }
            Map<String, List<String>> headers = (Map<String, List<String>>) (Object) get.invokeExact(exchange);
            return Values.joined(headers.get(name));
        }

        @Override
        String peer(Object exchange) throws Throwable {
            InetSocketAddress from = (InetSocketAddress) REMOTE.on(exchange);
            return from == null || from.getAddress() == null ? null : from.getAddress().getHostAddress();
        }

        @Override
        @SuppressWarnings("unchecked")
        void replace(Object exchange, String name, String value) throws Throwable {
            Object headers = getRequestHeaders.invokeExact(exchange);
            Map<String, List<String>> all = (Map<String, List<String>>) EDITABLE.get(headers.getClass()).invoke(headers);
            if (value == null) {
                all.remove(name);
            } else {
                all.put(name, new ArrayList<String>(Collections.singletonList(value)));
            }
        }

        private static MethodHandle find(Object exchange) throws Throwable {
            Class<?> type = Handles.named(exchange.getClass(), "com.sun.net.httpserver.HttpExchange");
            Class<?> headers = Class.forName("com.sun.net.httpserver.Headers", false, type.getClassLoader());
            MethodHandle found =
                    MethodHandles.publicLookup().findVirtual(type, "getRequestHeaders", MethodType.methodType(headers));
            return found.asType(MethodType.methodType(Object.class, Object.class));
        }
    }
}
