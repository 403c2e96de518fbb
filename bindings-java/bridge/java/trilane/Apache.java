package java.trilane;

/** What the hooks of Apache HttpClient 4 and 5 have in common: headers of a message, and where a route ends. */
final class Apache {
    private static final Call TARGET = new Call("getTargetHost");
    private static final Call HOST = new Call("getHostName");
    private static final Call PORT = new Call("getPort");

    private Apache() {}

    /** May carriers be written to the end of this route? A proxy in between never is the one who is asked about. */
    static boolean known(Object route) throws Throwable {
        Object host = TARGET.on(route);
        return host != null && known(HOST.text(host), PORT.number(host));
    }

    /** The clients fill in the default port; the rules may name the host without it. */
    static boolean known(String host, int port) {
        if (host == null || Trilane.mode != Trilane.ON) {
            return false;
        }
        String name = host.indexOf(':') >= 0 && host.charAt(0) != '[' ? "[" + host + "]" : host;
        boolean standard = port <= 0 || port == 80 || port == 443;
        return port > 0 && Known.known(name, port) || standard && Known.known(name);
    }

    /** The headers of a message of either major version. */
    static final class MessageHeaders extends Outbound.Headers {
        private final Call first = new Call("getFirstHeader", String.class);
        private final Call value = new Call("getValue");
        private final Call set;

        /** @param valueType version 4 takes a text, version 5 any object */
        MessageHeaders(Class<?> valueType) {
            set = new Call("setHeader", String.class, valueType);
        }

        @Override
        String get(Object message, String name) throws Throwable {
            Object header = first.on(message, name);
            if (header == null) {
                return null;
            }
            String text = value.text(header);
            return text == null ? "" : text;
        }

        @Override
        void set(Object message, String name, String text) throws Throwable {
            set.on(message, name, text);
        }
    }
}
