import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BOOLEAN;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;

/** One engine of {@code trilane_engine_new}. Memory handed over lives for one call. */
final class Engine implements AutoCloseable {
    static final int UNKNOWN = 65535;
    static final int TRUSTED = 256;
    static final int NO_SUBSET = 0xFFFF;
    static final long NO_INDEX = 0xFFFFFFFFL;

    record Instance(String address, Map<String, String> metadata, boolean healthy) {}

    record Names(int snapshot, List<String> names) {}

    /** What {@code trilane_inbound} answers, unpacked. */
    record Entered(int tag, int source, int flags, int value, int offset, int length) {
        static final int STALE = 1, OFF = 2, DISAGREED = 4, MALFORMED = 8, OBSERVE = 16;
    }

    /** What {@code trilane_route} answers, unpacked. */
    record Routed(long index, int subset, int decided, int flags) {
        static final int STALE = 1, OFF = 2, OBSERVE = 4, FALLBACK = 8;
    }

    private static final long MOST_NAMES = 64;
    private final Library library;
    private final MemorySegment engine;

    /** An explicit start that reads no environment. */
    Engine(Library library, String settings) {
        this.library = library;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment options = arena.allocate(Library.OPTIONS);
            options.set(JAVA_LONG, 0, Library.OPTIONS.byteSize());
            options.asSlice(8).copyFrom(text(arena, settings.getBytes(UTF_8)));
            options.asSlice(24).copyFrom(text(arena, "c".getBytes(UTF_8)));
            options.set(JAVA_BOOLEAN, 40, true);
            options.set(JAVA_BOOLEAN, 41, false);
            MemorySegment out = arena.allocate(ADDRESS);
            MemorySegment error = arena.allocate(ADDRESS);
            check(library.call("trilane_engine_new", options, out, error), error);
            engine = out.get(ADDRESS, 0);
        }
    }

    @Override
    public void close() {
        library.call("trilane_engine_free", engine);
    }

    /** Live handles: 0 engines, 1 lists of this engine, 2 errors. */
    long live(int kind) {
        return (long) library.call("trilane_live", engine, kind);
    }

    int tagFind(byte[] tag) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) library.call("trilane_tag_find", engine, text(arena, tag));
        }
    }

    String tagName(int tag) {
        return filled((out, room) -> library.call("trilane_tag_name", engine, tag, out, room));
    }

    Names inboundNames(int kind) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(Library.STR, MOST_NAMES);
            MemorySegment snapshot = arena.allocate(JAVA_INT);
            long count = (long) library.call("trilane_inbound_names", engine, kind, out, MOST_NAMES, snapshot);
            return new Names(snapshot.get(JAVA_INT, 0), names(out, count));
        }
    }

    List<String> edgeNames() {
        return names("trilane_edge_names");
    }

    List<String> traceNames() {
        return names("trilane_trace_names");
    }

    int traceFind(String value) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) library.call("trilane_trace_find", engine, text(arena, value.getBytes(UTF_8)));
        }
    }

    List<String> passNames() {
        return names("trilane_pass_names");
    }

    private List<String> names(String function) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(Library.STR, MOST_NAMES);
            return names(out, (long) library.call(function, engine, out, MOST_NAMES));
        }
    }

    private static List<String> names(MemorySegment out, long count) {
        if (count > MOST_NAMES) {
            throw new IllegalStateException(count + " names, room for " + MOST_NAMES);
        }
        List<String> names = new ArrayList<>();
        for (long n = 0; n < count; n++) {
            long length = out.get(JAVA_LONG, n * 16 + 8);
            byte[] bytes = out.get(ADDRESS, n * 16).reinterpret(length).toArray(JAVA_BYTE);
            names.add(new String(bytes, UTF_8));
        }
        return names;
    }

    long edge(String peer) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) library.call("trilane_edge", engine, text(arena, peer.getBytes(UTF_8)));
        }
    }

    /** A value of {@code null} is absent. */
    int pass(List<byte[]> values) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) library.call("trilane_pass", engine, texts(arena, values), (long) values.size());
        }
    }

    /** A value of {@code null} is absent. */
    Entered inbound(int kind, int snapshot, List<byte[]> values) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment given = texts(arena, values);
            long bits = (long) library.call("trilane_inbound", engine, kind, snapshot, given, (long) values.size());
            return new Entered((int) bits & 0xFFFF, (int) (bits >> 16) & 0xFF, (int) (bits >> 24) & 0xFF,
                    (int) (bits >> 32) & 0xFF, (int) (bits >> 40) & 0xFFFF, (int) (bits >> 56) & 0xFF);
        }
    }

    boolean known(String authority) {
        try (Arena arena = Arena.ofConfined()) {
            return (boolean) library.call("trilane_known", engine, text(arena, authority.getBytes(UTF_8)));
        }
    }

    String baggageSet(String old, String tag) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment before = text(arena, old.getBytes(UTF_8));
            MemorySegment wanted = text(arena, tag.getBytes(UTF_8));
            return filled((out, room) -> library.call("trilane_baggage_set", engine, before, wanted, out, room));
        }
    }

    long authority(String authority) {
        try (Arena arena = Arena.ofConfined()) {
            return (long) library.call("trilane_authority", engine, text(arena, authority.getBytes(UTF_8)));
        }
    }

    String address(long list, int index) {
        return filled((out, room) -> library.call("trilane_address", engine, list, index, out, room));
    }

    long listNew(List<String> names, List<Instance> instances) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment given = texts(arena, names.stream().map(n -> n.getBytes(UTF_8)).toList());
            MemorySegment out = arena.allocate(JAVA_LONG);
            MemorySegment error = arena.allocate(ADDRESS);
            check(library.call("trilane_list_new", engine, given, (long) names.size(), instances(arena, instances),
                    (long) instances.size(), out, error), error);
            return out.get(JAVA_LONG, 0);
        }
    }

    long listChange(long list, int[] removed, List<Instance> added) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment positions = arena.allocateFrom(JAVA_INT, removed);
            MemorySegment out = arena.allocate(JAVA_LONG);
            MemorySegment error = arena.allocate(ADDRESS);
            check(library.call("trilane_list_change", engine, list, positions, (long) removed.length,
                    instances(arena, added), (long) added.size(), out, error), error);
            return out.get(JAVA_LONG, 0);
        }
    }

    void listHealth(long list, int index, boolean healthy) {
        check(library.call("trilane_list_health", engine, list, index, healthy), MemorySegment.NULL);
    }

    void listFree(long list) {
        check(library.call("trilane_list_free", engine, list), MemorySegment.NULL);
    }

    Routed route(long list, int tag, long entropy) {
        int stamp = (int) library.call("trilane_list_stamp", engine, list);
        long bits = (long) library.call("trilane_route", engine, list, tag, 0L, entropy, stamp);
        return new Routed(bits & NO_INDEX, (int) (bits >> 32) & 0xFFFF, (int) (bits >> 48) & 0xFF,
                (int) (bits >> 56) & 0xFF);
    }

    List<Long> subset(long list, int subset) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocate(JAVA_LONG);
            MemorySegment stamp = arena.allocate(JAVA_INT);
            check(library.call("trilane_subset", engine, list, subset, MemorySegment.NULL, 0L, count, stamp),
                    MemorySegment.NULL);
            long room = count.get(JAVA_LONG, 0);
            MemorySegment out = arena.allocate(JAVA_INT, room);
            check(library.call("trilane_subset", engine, list, subset, out, room, count, stamp), MemorySegment.NULL);
            List<Long> positions = new ArrayList<>();
            for (int position : out.toArray(JAVA_INT)) {
                positions.add(Integer.toUnsignedLong(position));
            }
            return positions;
        }
    }

    String explain(long list, String tag) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment asked = text(arena, tag.getBytes(UTF_8));
            return filled((out, room) -> library.call("trilane_explain", engine, list, asked, 0L, 0L, out, room));
        }
    }

    /** A call that writes a text and returns its length, with more room where the first try was short. */
    private static String filled(BiFunction<MemorySegment, Long, Object> write) {
        for (long room = 256; ; ) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment out = arena.allocate(room);
                long length = (long) write.apply(out, room);
                if (length <= room) {
                    return new String(out.asSlice(0, length).toArray(JAVA_BYTE), UTF_8);
                }
                room = length;
            }
        }
    }

    private void check(Object status, MemorySegment error) {
        if ((int) status == 0) {
            return;
        }
        String why = "";
        if (error.byteSize() > 0) {
            MemorySegment told = error.get(ADDRESS, 0);
            why = filled((out, room) -> library.call("trilane_error_message", told, out, room));
            library.call("trilane_error_free", told);
        }
        throw new IllegalStateException("the library answered status " + status + " " + why);
    }

    private static MemorySegment text(Arena arena, byte[] bytes) {
        return texts(arena, Collections.singletonList(bytes));
    }

    private static MemorySegment texts(Arena arena, List<byte[]> values) {
        MemorySegment out = arena.allocate(Library.STR, values.size());
        for (int n = 0; n < values.size(); n++) {
            byte[] bytes = values.get(n);
            if (bytes == null) {
                continue;
            }
            // One byte more: an empty text is not an absent one, its pointer must not be NULL.
            MemorySegment copy = arena.allocate(bytes.length + 1L);
            copy.asSlice(0, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
            out.set(ADDRESS, n * 16L, copy);
            out.set(JAVA_LONG, n * 16L + 8, bytes.length);
        }
        return out;
    }

    private static MemorySegment instances(Arena arena, List<Instance> instances) {
        MemorySegment out = arena.allocate(Library.INSTANCE, instances.size());
        long at = 0;
        for (Instance instance : instances) {
            List<byte[]> pairs = new ArrayList<>();
            instance.metadata().forEach((key, value) -> {
                pairs.add(key.getBytes(UTF_8));
                pairs.add(value.getBytes(UTF_8));
            });
            MemorySegment slot = out.asSlice(at, Library.INSTANCE);
            slot.copyFrom(text(arena, instance.address().getBytes(UTF_8)));
            slot.set(ADDRESS, 16, texts(arena, pairs));
            slot.set(JAVA_LONG, 24, instance.metadata().size());
            slot.set(JAVA_BOOLEAN, 32, instance.healthy());
            at += Library.INSTANCE.byteSize();
        }
        return out;
    }
}
