package java.trilane;

/**
 * Calls of which nothing but a trace id is known: the tag that came in with that id is theirs (the trace-id table).
 * Nothing of this happens where no setting and no rule names a header of trace ids.
 */
final class Traced {
    private static volatile Names names;

    private Traced() {}

    /** True where some header names a trace. */
    static boolean any() {
        return names().of.length > 0;
    }

    /** The scope of a call: the given one, and where that has no tag the one that came with the call's trace id. */
    static Scope of(Scope scope, Outbound.Headers headers, Object call) throws Throwable {
        String[] of = names().of;
        if (of.length == 0 || scope != null && scope.id != 0) {
            return scope;
        }
        for (int i = 0; i < of.length; i++) {
            Scope found = find(headers.get(call, of[i]));
            if (found != null) {
                return with(scope, found);
            }
        }
        return scope;
    }

    /** The same where an instance is chosen for the call. */
    static Scope of(Scope scope, Outgoing reader, Object call) throws Throwable {
        String[] of = names().of;
        if (of.length == 0 || call == null || scope != null && scope.id != 0) {
            return scope;
        }
        for (int i = 0; i < of.length; i++) {
            Scope found = find(reader.value(null, call, of[i]));
            if (found != null) {
                return with(scope, found);
            }
        }
        return scope;
    }

    private static Scope find(String id) {
        return id == null || id.isEmpty() ? null : Scope.of(Native.traceFind(id));
    }

    private static Scope with(Scope scope, Scope found) {
        return scope == null || scope.pass == null ? found : Scope.passing(found, scope.pass);
    }

    private static Names names() {
        Names now = names;
        int epoch = Trilane.epoch;
        if (now == null || now.epoch != epoch) {
            String[] read = Native.traceNames();
            now = new Names(epoch, read == null ? new String[0] : read);
            names = now;
        }
        return now;
    }

    private static final class Names {
        final int epoch;
        final String[] of;

        Names(int epoch, String[] of) {
            this.epoch = epoch;
            this.of = of;
        }
    }
}
