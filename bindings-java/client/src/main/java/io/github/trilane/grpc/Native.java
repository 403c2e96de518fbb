// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import java.io.File;
import java.nio.ByteBuffer;

/**
 * The crossing into the library. A channel, a call and a server are numbers; an operation on one that has ended does
 * nothing. Where a name and value stand in a {@code byte[]}, {@link Wire} has the form.
 */
final class Native {
    private static final int ABI = 2;
    /** Why the library cannot be used; null if it can. */
    private static final String PROBLEM = load();

    private Native() {}

    static native int abi();

    static native long hub();

    /** Only the hub's own thread: it does the I/O of the hub's channels until there are records. */
    static native int poll(long hub, ByteBuffer buffer);

    /** How many channels (0), calls (1), servers (2) there are. */
    static native int alive(long hub, int what);

    static native long channelOpen(long hub, byte[] options);

    static native void channelFree(long hub, long channel);

    static native boolean callUnary(
            long hub, long channel, long id, int flags, long nanos, byte[] path, byte[] metadata, byte[] lane,
            byte[] message);

    static native boolean callStream(
            long hub, long channel, long id, int flags, long nanos, byte[] path, byte[] metadata, byte[] lane);

    /** Whether there is room for another message. */
    static native boolean send(long hub, long call, byte[] message, boolean compress);

    static native void request(long hub, long call, int messages);

    static native void halfClose(long hub, long call);

    static native void cancel(long hub, long call);

    /** {@code number} comes back in every call's record. */
    static native long serverStart(long hub, int number, byte[] options);

    /** A server's port (0), its connections (1); -1 if it is gone. */
    static native int serverLook(long hub, long server, int what);

    static native void serverStop(long hub, long server, boolean now);

    static native void sendHeaders(long hub, long call, byte[] metadata);

    static native void close(long hub, long call, int code, byte[] text, byte[] trailers);

    /** Whether the library is there, for who only asks. */
    static boolean available() {
        return PROBLEM == null;
    }

    /** Says why the library cannot be used, if it cannot. */
    static void require() {
        if (PROBLEM != null) {
            throw new IllegalStateException(PROBLEM);
        }
    }

    private static String load() {
        String file = setting("trilane.library", "TRILANE_LIBRARY");
        try {
            if (file != null) {
                System.load(new File(file).getAbsolutePath());
            } else {
                System.loadLibrary("trilane");
            }
        } catch (UnsatisfiedLinkError | SecurityException e) {
            return "libtrilane.so cannot be loaded (" + e.getMessage()
                    + "); name it with -Dtrilane.library=/path/libtrilane.so or TRILANE_LIBRARY";
        }
        try {
            int found = abi();
            return found == ABI
                    ? null
                    : "libtrilane.so and trilane-grpc.jar are of different releases: the library has interface "
                            + found + ", the jar needs " + ABI;
        } catch (UnsatisfiedLinkError e) {
            return "the libtrilane.so that was loaded was built without the transport; use the one in dist/net";
        }
    }

    private static String setting(String property, String variable) {
        String value = System.getProperty(property);
        if (value == null || value.isEmpty()) {
            value = System.getenv(variable);
        }
        return value == null || value.isEmpty() ? null : value;
    }
}
