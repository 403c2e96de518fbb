package java.trilane;

/** A call goes out: which headers to write, and whether this host may get them. */
final class Outbound {
    /** How a hook reads and writes headers on its library's per-call copy. */
    abstract static class Headers {
        /** The value the call has under that name; null if none. */
        abstract String get(Object call, String name) throws Throwable;

        /** Sets the value, in place of one that is there. */
        abstract void set(Object call, String name, String value) throws Throwable;
    }

    static final String BAGGAGE = "baggage";

    private static volatile Carriers carriers;

    private Outbound() {}

    /** True if carriers are to be written towards this host; a negative port stands for none. */
    static boolean towards(String host, int port) {
        return host != null && Trilane.mode == Trilane.ON && Known.known(host, port);
    }

    /**
     * Writes the carriers and what is passed through. What the application put there itself stays; existing baggage is
     * extended.
     */
    static void write(Scope scope, Headers headers, Object call) throws Throwable {
        if (scope.id != 0) {
            writeTag(scope, headers, call);
        }
        String[] pass = scope.pass;
        for (int i = 0; pass != null && i < pass.length; i += 2) {
            if (headers.get(call, pass[i]) == null) {
                headers.set(call, pass[i], pass[i + 1]);
            }
        }
    }

    private static void writeTag(Scope scope, Headers headers, Object call) throws Throwable {
        String[] names = names();
        for (int i = 0; i < names.length; i++) {
            if (headers.get(call, names[i]) == null) {
                headers.set(call, names[i], scope.tag);
            }
        }
        String baggage = headers.get(call, BAGGAGE);
        if (baggage != null) {
            String extended = Native.baggage(baggage, scope.tag);
            if (extended != null && !extended.equals(baggage)) {
                headers.set(call, BAGGAGE, extended);
            }
        }
    }

    /** The HTTP headers to write, by the settings in force. */
    static String[] names() {
        Carriers now = carriers;
        int epoch = Trilane.epoch;
        if (now == null || now.epoch != epoch) {
            String[] read = Native.carriersWrite(Native.HTTP);
            now = new Carriers(epoch, read == null ? new String[0] : read);
            carriers = now;
        }
        return now.names;
    }

    private static final class Carriers {
        final int epoch;
        final String[] names;

        Carriers(int epoch, String[] names) {
            this.epoch = epoch;
            this.names = names;
        }
    }
}
