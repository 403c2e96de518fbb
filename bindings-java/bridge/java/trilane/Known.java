package java.trilane;

/**
 * May carriers be written towards a host? The one answer of the engine's that is kept: it follows from the rules and
 * from the published lists, so it is thrown away whenever one of the two moves.
 */
final class Known {
    /** The last answers, one a slot: bounded, whoever is called. */
    private static final Known[] RECENT = new Known[64];
    /** Moves with every list that is published or freed. */
    private static volatile int lists;

    private final String host;
    private final int port;
    private final int epoch;
    private final int listed;
    private final boolean answer;

    private Known(String host, int port, int epoch, int listed, boolean answer) {
        this.host = host;
        this.port = port;
        this.epoch = epoch;
        this.listed = listed;
        this.answer = answer;
    }

    /** Asks about {@code host[:port]}. */
    static boolean known(String authority) {
        return known(authority, -1);
    }

    /** Asks about a host and its port; a negative port stands for none, or for one that the text has already. */
    static boolean known(String host, int port) {
        int epoch = Trilane.epoch;
        int listed = lists;
        int slot = (host.hashCode() * 31 + port) & (RECENT.length - 1);
        Known recent = RECENT[slot]; // its fields are final: a race only asks twice
        if (recent != null && recent.epoch == epoch && recent.listed == listed && recent.port == port
                && recent.host.equals(host)) {
            return recent.answer;
        }
        boolean answer = Native.known(port < 0 ? host : host + ":" + port);
        RECENT[slot] = new Known(host, port, epoch, listed, answer);
        return answer;
    }

    /** A list was published or freed, and with it the addresses that carriers may be written to. */
    static synchronized void listsMoved() {
        lists++;
    }
}
