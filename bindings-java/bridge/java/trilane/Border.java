package java.trilane;

/**
 * What the settings say about the outside: an edge removes carriers before the application sees them, and further
 * headers are passed through. Fixed for the life of the process; where nothing is set, both are empty.
 */
final class Border {
    /** The answer of {@link Native#edge}: do not only disbelieve the carriers, remove them. */
    private static final int REMOVE = 2;
    private static final String[] NONE = new String[0];
    private static final Border NOTHING = new Border(NONE, NONE);

    private static volatile Border border;

    /** Lower-case names of what an edge removes. */
    private final String[] edge;
    /** Lower-case names of the headers that are passed through; these objects are ours alone. */
    final String[] pass;

    private Border(String[] edge, String[] pass) {
        this.edge = edge;
        this.pass = pass;
    }

    static Border get() {
        Border known = border;
        if (known == null) {
            String[] edge = Native.edgeNames();
            String[] pass = Native.passNames();
            if (edge == null || pass == null) {
                return NOTHING; // there is no engine yet
            }
            known = new Border(edge, pass);
            border = known;
        }
        return known;
    }

    /** Removes what an edge does not let in; gives the kind to decide the request by. */
    int enter(int kind, Inbound.Reader reader, Object request) throws Throwable {
        if (edge.length == 0) {
            return kind;
        }
        int answer = Native.edge(reader.peer(request));
        if (answer == 0) {
            return kind | Native.TRUSTED;
        }
        if ((answer & REMOVE) != 0) {
            remove(reader, request);
        }
        return kind;
    }

    private void remove(Inbound.Reader reader, Object request) throws Throwable {
        boolean removed = false;
        for (int i = 0; i < edge.length; i++) {
            String there = reader.read(request, edge[i]);
            if (there == null) {
                continue;
            }
            if (!edge[i].equals(Outbound.BAGGAGE)) {
                reader.replace(request, edge[i], null);
                removed = true;
            } else if (there.contains(DubboCarriers.MEMBER)) {
                String kept = Native.baggage(there, "");
                reader.replace(request, edge[i], kept == null || kept.isEmpty() ? null : kept);
                removed = true;
            }
        }
        if (removed) {
            Native.stripped();
        }
    }

    /** The scope with the values that this request brings and the engine lets through. */
    Scope passed(Scope scope, Inbound.Reader reader, Object request) throws Throwable {
        if (pass.length == 0) {
            return scope;
        }
        String[] values = new String[pass.length];
        int present = 0;
        for (int i = 0; i < values.length; i++) {
            values[i] = reader.read(request, pass[i]);
            present += values[i] == null ? 0 : 1;
        }
        if (present == 0) {
            return scope;
        }
        Packer packer = new Packer(64 * values.length);
        for (int i = 0; i < values.length; i++) {
            packer.text(values[i]);
        }
        int kept = Native.pass(packer.done());
        if (kept == 0) {
            return scope;
        }
        String[] passed = new String[2 * Integer.bitCount(kept)];
        int at = 0;
        for (int i = 0; i < values.length; i++) {
            if ((kept >> i & 1) != 0) {
                passed[at++] = pass[i];
                passed[at++] = values[i];
            }
        }
        return Scope.passing(scope, passed);
    }
}
