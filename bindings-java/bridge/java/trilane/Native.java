package java.trilane;

/** What the bridge asks the engine. Bound by the agent; nothing here throws. */
final class Native {
    static final int HTTP = 0;
    static final int DUBBO = 1;
    static final int MESSAGE = 2;
    /** Added to a kind: an edge may believe this caller. */
    static final int TRUSTED = 256;

    private Native() {}

    /** Decides a request's tag; {@code packed} as {@link Packer} makes it. Bits: see {@link Inbound}. */
    static native long inbound(int kind, int snapshot, byte[] packed);

    /** The same where {@code packed} is short: its bytes in words, the first byte the most significant. */
    static native long inboundShort(
            int kind, int snapshot, int size, long a, long b, long c, long d, long e, long f);

    /** Element 0: the snapshot's number in decimal; then the names of the values that {@code inbound} wants. */
    static native String[] names(int kind);

    /** Lower-case names of what an edge removes; none where this is no edge, null where there is no engine. */
    static native String[] edgeNames();

    /** 0: believe the carriers of this caller; else do not, and with bit 1 remove them. */
    static native int edge(String peer);

    /** Counts a request from which carriers were removed. */
    static native void stripped();

    /** Notes who sent a request without a tag to this tagged copy. */
    static native void untagged(String peer);

    /** A call without a tag left there, and nobody knows why it has none. */
    static native void lost(String site);

    /** Lower-case names of the headers that name a trace; none where the trace-id table is not used. */
    static native String[] traceNames();

    /** The number of the tag that came in with this value of such a header; 0 for none. */
    static native int traceFind(String value);

    /** Lower-case names of the headers that are passed through; null where there is no engine. */
    static native String[] passNames();

    /** Which of their values ride on: bit i for value i; {@code packed} as {@link Packer} makes it. */
    static native int pass(byte[] packed);

    static native String tagName(int id);

    static native int tagFind(String tag);

    /** May carriers be written towards this {@code host[:port]}? */
    static native boolean known(String authority);

    /** An existing baggage header with our member set. */
    static native String baggage(String old, String tag);

    static native String[] carriersWrite(int kind);

    /** Publishes a list; 0 if it was refused. The form is in the agent's natives/lists.rs. */
    static native long listNew(byte[] packed);

    static native void listFree(long list);

    static native void listHealth(long list, int index, boolean healthy);

    static native int listStamp(long list);

    /** Decides and picks. The bits are in the engine's outbound.rs. */
    static native long route(long list, int tag, long key, long entropy, int stamp);

    /** What deciding about this list reads of a call; null for nothing. {@code stampOut[0]} becomes its stamp. */
    static native String[] routeNames(long list, int[] stampOut);

    /** The same as {@code route} with those values; {@code packed} as {@link Packer} makes it. */
    static native long routeWith(long list, int tag, long entropy, int stamp, byte[] packed);

    /** The usable instances of a subset; {@code stampOut[0]} becomes their stamp, 0 when the list is gone. */
    static native int[] subset(long list, int subset, int[] stampOut);

    static native String explain(long list, String tag, long key, long entropy);

    /** Do rules decide that may read values of calls? */
    static native boolean rulesByCall();

    /** Key, value, key, value: what to add to the metadata under which this process registers. */
    static native String[] metadataWrite(String registry);

    /** Keys of an instance's metadata to hand over; one that ends in * is a prefix. */
    static native String[] metadataKeys();

    static native void learnService(String name);

    /** Level 0 error, 1 warning, 2 information. */
    static native void log(int level, String code, String key, String message);

    static native void failed(String hook);

    /** Before the first scope of this process: classes whose hooks have waited for it are hooked now. */
    static native void firstTag();

    /** Defines a class of package io.github.trilane in a class loader; null if the VM refused it. */
    static native Class<?> define(ClassLoader loader, String name);

    /** Exports a package of the module of {@code owner} to this package; {@code open} adds what is private in it. */
    static native boolean export(Class<?> owner, String packageName, boolean open);
}
