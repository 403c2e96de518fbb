// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.Context;
import java.nio.charset.StandardCharsets;

/**
 * The lane of the request that is being worked on. A server sets it for its handlers, a client's call takes it from where
 * it is made; in between it goes with gRPC's {@link Context}, and where the process has Trilane's agent, with the scope
 * that the agent hands over from thread to thread: the agent edits the three empty methods of this class.
 */
public final class Lane {
    /** The tag; empty for the baseline, null where no request of a server set it. */
    public static final Context.Key<String> TAG = Context.key("trilane-lane");

    private Lane() {}

    /** The tag that calls made here and now carry; empty for none. */
    public static String current() {
        return of(Context.current());
    }

    static String of(Context context) {
        String tag = TAG.get(context);
        tag = tag != null ? tag : ofThread();
        return tag != null ? tag : "";
    }

    /** A tag as it crosses; null for none. */
    static byte[] bytes(String tag) {
        return tag.isEmpty() ? null : tag.getBytes(StandardCharsets.UTF_8);
    }

    /** The tag of the agent's scope on this thread; null without an agent, or without a tag. */
    static String ofThread() {
        return null;
    }

    /** The agent's scope of this thread becomes this tag's, until {@link #leave}. */
    static void enter(Object owner, String tag) {}

    /** The agent's scope of this thread is again what it was before. */
    static void leave(Object owner) {}
}
