package java.trilane;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Lets the bench reach what the hooks reach: a published list and its choice. */
public final class BenchDoor {
    static final String KEY = "alicloud.service.tag";

    /** The libraries that the agent has switched on. */
    private static long libraries;

    private final Listing listing;

    /** {@code tags[i]}: null for a baseline instance. */
    public BenchDoor(String name, Object[] instances, String[] addresses, String[] tags) {
        boolean[] healthy = new boolean[instances.length];
        Arrays.fill(healthy, true);
        Listing.Publisher publisher = new Listing.Publisher(Collections.singletonList(name), instances, healthy);
        for (int i = 0; i < instances.length; i++) {
            publisher.metadata(KEY, tags[i]);
            publisher.instance(addresses[i]);
        }
        listing = publisher.publish();
        if (listing == null) {
            throw new IllegalStateException("the engine refused the list");
        }
    }

    /** In observe, and only there, nothing is chosen: the framework's own choice stands. */
    void mustChoose(boolean chooses) {
        if ((choose(0) != null) != chooses) {
            throw new IllegalStateException("a choice was made: " + !chooses);
        }
    }

    public List<?> choose(int tag) {
        try {
            return listing.choose(tag == 0 ? null : Scope.of(tag), null, null, null);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** As if this thread served a request with this tag; 0 for none. */
    public static void serve(int tag) {
        Trilane.holder().scope = tag == 0 ? null : Scope.of(tag);
    }

    /** Switches the hooks as the agent does when the rule file's mode changes; the engine itself stays on. */
    public static synchronized void mode(boolean on) {
        if (libraries == 0) {
            libraries = Trilane.on;
        }
        Trilane.changed(on ? Trilane.ON : Trilane.OFF, on ? libraries : 0);
    }

    public static int tag(String name) {
        return Native.tagFind(name);
    }
}
