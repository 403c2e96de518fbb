package java.trilane;

import sun.net.www.MessageHeader;

/** Hooks of {@code HttpURLConnection}: one request's headers, on their way to the socket. */
public final class JdkUrlConnection {
    private static final String PACKAGE = "sun.net.www";
    private static final Hops HOPS = new Hops();
    /** True once this package may use the JDK's class of headers, which java.base keeps to itself. */
    private static volatile boolean opened;

    private JdkUrlConnection() {}

    /** {@code sun.net.www.http.HttpClient.writeRequests(MessageHeader, ...)}. */
    public static void write(Object headers) {
        if (!Trilane.carries(Trilane.JDK_URL_CONNECTION) || headers == null) {
            return;
        }
        Holder holder = Trilane.holderOrNull();
        Scope scope = holder == null ? null : holder.scope;
        boolean suspect = scope == null && Lost.suspect(holder);
        if (scope == null && !suspect && !Traced.any()) {
            return;
        }
        try {
            if (!opened) {
                Native.export(Handles.named(headers.getClass(), "sun.net.www.MessageHeader"), PACKAGE, false);
                opened = true;
            }
            Hop hop = Hop.of(headers, holder == null ? null : (Hop) holder.urlConnection);
            if (hop == null) {
                return;
            }
            scope = Traced.of(scope, HOPS, hop);
            if (scope != null) {
                Trilane.holder().urlConnection = hop;
                Outbound.write(scope, HOPS, hop);
            } else if (suspect) {
                Lost.tell();
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
        Hop hop = (Hop) holder.urlConnection;
        if (hop.headers != headers) {
            return;
        }
        holder.urlConnection = hop.outer;
        try {
            hop.restore();
        } catch (Throwable cause) {
            Trilane.failed("jdk-url-connection", cause);
        }
    }

    /** The headers of one hop, and what those that we set had been before. */
    private static final class Hop {
        final MessageHeader headers;
        final Hop outer;
        /** Name and former value in turn. */
        private String[] changed = new String[4];
        private int size;

        private Hop(MessageHeader headers, Hop outer) {
            this.headers = headers;
            this.outer = outer;
        }

        /** Null where nothing is to be written: to a proxy, or to a host that gets nothing from us. */
        static Hop of(Object given, Hop outer) {
            MessageHeader headers = (MessageHeader) given;
            String line = headers.getKey(0);
            boolean forService = line != null && !line.startsWith("CONNECT ");
            return forService && Outbound.towards(headers.findValue("Host"), -1) ? new Hop(headers, outer) : null;
        }

        void set(String name, String value) {
            if (size == changed.length) {
                String[] grown = new String[size * 2];
                System.arraycopy(changed, 0, grown, 0, size);
                changed = grown;
            }
            changed[size++] = name;
            changed[size++] = headers.findValue(name);
            headers.set(name, value);
        }

        void restore() {
            while (size > 0) {
                String before = changed[--size];
                String name = changed[--size];
                if (before == null) {
                    headers.remove(name);
                } else {
                    headers.set(name, before);
                }
            }
        }
    }

    private static final class Hops extends Outbound.Headers {
        @Override
        String get(Object hop, String name) {
            return ((Hop) hop).headers.findValue(name);
        }

        @Override
        void set(Object hop, String name, String value) {
            ((Hop) hop).set(name, value);
        }
    }
}
