package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
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

        private static MethodHandle find(Object exchange) throws Throwable {
            Class<?> type = Handles.named(exchange.getClass(), "com.sun.net.httpserver.HttpExchange");
            Class<?> headers = Class.forName("com.sun.net.httpserver.Headers", false, type.getClassLoader());
            MethodHandle found =
                    MethodHandles.publicLookup().findVirtual(type, "getRequestHeaders", MethodType.methodType(headers));
            return found.asType(MethodType.methodType(Object.class, Object.class));
        }
    }
}
