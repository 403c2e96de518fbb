package java.trilane;

import java.nio.charset.StandardCharsets;

/** What the hooks of Tomcat do with its class of requests; {@code io.github.trilane.TomcatRequests} does it. */
public abstract class TomcatAccess {
    /** Gives the values of these headers, in this order. */
    public abstract void read(Object request, String[] names, Asked into);

    /** Keeps a value among the attributes of the connector's request. */
    public abstract void keep(Object request, String name, Object value);

    /** What was kept; null if nothing was. */
    public abstract Object kept(Object request, String name);

    /** Baggage may come in several lines; of every other header the first one counts. */
    protected static boolean mayComeInLines(String name) {
        return Outbound.BAGGAGE.equals(name);
    }

    /** Tomcat reads a header's bytes as ISO-8859-1; the engine hashes and compares them as the UTF-8 they are. */
    protected static String utf8(String value) {
        for (int i = 0; value != null && i < value.length(); i++) {
            if (value.charAt(i) >= 0x80) {
                return new String(value.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
            }
        }
        return value;
    }
}
