package java.trilane;

/** What the bridge asks the engine. Bound by the agent; nothing here throws. */
final class Native {
    static final int HTTP = 0;
    static final int DUBBO = 1;
    static final int MESSAGE = 2;

    private Native() {}

    /** Decides a request's tag; {@code packed} as {@link Packer} makes it. Bits: see {@link Inbound}. */
    static native long inbound(int kind, int snapshot, byte[] packed);

    /** Element 0: the snapshot's number in decimal; then the names of the values that {@code inbound} wants. */
    static native String[] names(int kind);

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

    /** The usable instances of a subset; {@code stampOut[0]} becomes their stamp, 0 when the list is gone. */
    static native int[] subset(long list, int subset, int[] stampOut);

    static native String explain(long list, String tag, long key, long entropy);

    /** Key, value, key, value: what to add to the metadata under which this process registers. */
    static native String[] metadataWrite(String registry);

    /** Keys of an instance's metadata to hand over; one that ends in * is a prefix. */
    static native String[] metadataKeys();

    static native void learnService(String name);

    /** Level 0 error, 1 warning, 2 information. */
    static native void log(int level, String code, String key, String message);

    static native void count(int counter);

    /** Before the first scope of this process: classes whose hooks have waited for it are hooked now. */
    static native void firstTag();

    /** Opens a package of the module of {@code owner} to this package. */
    static native boolean export(Class<?> owner, String packageName);
}
