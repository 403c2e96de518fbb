package java.trilane;

/**
 * A request comes in: its values are read by name, the engine decides, the thread's scope is set or cleared.
 *
 * <p>The answer of {@link Native#inbound}: bits 0..16 tag id, 24..32 flags; for an unknown tag 32..40 position of the
 * value, 40..56 offset and 56..64 length of the tag in it.
 */
final class Inbound {
    /** How a hook reads the values of its library's request. */
    abstract static class Reader {
        /** The value of that name, null if the request has none; several values joined by a comma. */
        abstract String read(Object request, String name) throws Throwable;

        /** Gives the values of these names, in this order. */
        void read(Object request, String[] names, Asked into) throws Throwable {
            for (int i = 0; i < names.length; i++) {
                into.text(read(request, names[i]));
            }
        }

        /** The address that the request came from; null or empty if it is not known. */
        String peer(Object request) throws Throwable {
            return null;
        }

        /** Sets the value that the application will see; null removes it. */
        void replace(Object request, String name, String value) throws Throwable {
            throw new UnsupportedOperationException(name);
        }
    }

    private static final long STALE = 1L << 24;
    private static final long OFF = 2L << 24;
    private static final long UNTAGGED = 32L << 24;

    /** Per kind: element 0 the snapshot, then the names. Read again whenever the engine says STALE. */
    private static final Names[] NAMES = new Names[3];

    private Inbound() {}

    /** Decides the scope of a request that came in; null for none. Never throws. */
    static Scope decide(int kind, Reader reader, Object request) {
        try {
            Border border = Border.get();
            Scope scope = tagged(border.enter(kind, reader, request), reader, request);
            return seen(border.passed(scope, reader, request));
        } catch (Throwable cause) {
            Trilane.failed("inbound", cause);
            return null;
        }
    }

    /** The scope of the tag that the application itself wrote on a call; null for none. */
    static Scope written(int kind, Reader reader, Object call) throws Throwable {
        return seen(tagged(kind | Native.TRUSTED, reader, call));
    }

    private static Scope seen(Scope scope) {
        if (scope != null) {
            handOver();
        }
        return scope;
    }

    /** There is something to hand over to other threads from now on. */
    static void handOver() {
        if (!Trilane.seen) {
            Native.firstTag();
            Trilane.seen = true;
        }
    }

    private static Scope tagged(int kind, Reader reader, Object request) throws Throwable {
        Asked asked = new Asked();
        long answer = ask(kind, names(kind, false), reader, request, asked);
        if ((answer & STALE) != 0 && (answer & OFF) == 0) {
            asked = new Asked();
            answer = ask(kind, names(kind, true), reader, request, asked);
        }
        if ((answer & (STALE | OFF)) != 0) {
            return null;
        }
        if ((answer & UNTAGGED) != 0) {
            Native.untagged(reader.peer(request));
            return null;
        }
        int id = (int) (answer & 0xFFFF);
        if (id == 0) {
            return null;
        }
        return id == Scope.UNKNOWN ? carried(answer, asked) : Scope.of(id);
    }

    /** {@code kind} with {@link Native#TRUSTED} where an edge believes the caller. */
    private static long ask(int kind, Names names, Reader reader, Object request, Asked asked) throws Throwable {
        reader.read(request, names.names, asked);
        return asked.decide(kind, names.snapshot);
    }

    /** The text of a tag that nobody named: cut out of the value that held it. */
    private static Scope carried(long answer, Asked asked) {
        int value = (int) (answer >>> 32) & 0xFF;
        int offset = (int) (answer >>> 40) & 0xFFFF;
        int length = (int) (answer >>> 56) & 0xFF;
        String tag = asked.cut(value, offset, length);
        return tag == null ? null : Scope.unknown(tag);
    }

    private static Names names(int kind, boolean again) {
        int slot = kind & ~Native.TRUSTED;
        Names names = NAMES[slot];
        if (names == null || again) {
            names = new Names(Native.names(slot));
            NAMES[slot] = names; // its fields are final: a race only reads twice
        }
        return names;
    }

    private static final class Names {
        final int snapshot;
        final String[] names;

        Names(String[] answer) {
            snapshot = Integer.parseInt(answer[0]);
            names = new String[answer.length - 1];
            System.arraycopy(answer, 1, names, 0, names.length);
        }
    }
}
