// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * One queue of the native side, its one poller, and who is told. The poller does the I/O of its channels as well. As many
 * hubs as there are cores, at most four, share the channels of the process, as event loops do; servers have one of their
 * own, so that a server's direct executor cannot hold up a client's answers.
 */
final class Hub {
    static final Logger LOG = Logger.getLogger("io.github.trilane.grpc");

    /** A call, or a server that waits for calls. */
    interface Sink {
        /** On the poller: must not wait. Whether more records may come. */
        boolean on(Record record);
    }

    private static final Hub[] CLIENTS = new Hub[Math.max(1, Math.min(4, Runtime.getRuntime().availableProcessors()))];
    private static int next;

    private static final class Server {
        static final Hub HUB = new Hub("trilane-poll-server", TrilaneServer::called);
    }

    final long id;
    private final Sink calls;
    private final ConcurrentHashMap<Long, Sink> sinks = new ConcurrentHashMap<>();

    private Hub(String name, Sink calls) {
        Native.require();
        this.id = Native.hub();
        this.calls = calls;
        Thread poller = new Thread(this::run, name);
        poller.setDaemon(true);
        poller.setContextClassLoader(null);
        poller.start();
    }

    /** The hub of the next channel; each is made with its first one. */
    static synchronized Hub client() {
        int place = next++ % CLIENTS.length;
        next %= CLIENTS.length;
        if (CLIENTS[place] == null) {
            CLIENTS[place] = new Hub("trilane-poll-client-" + (place + 1), null);
        }
        return CLIENTS[place];
    }

    /** The channels' hubs that there are. */
    static synchronized List<Hub> clients() {
        List<Hub> there = new ArrayList<>(Arrays.asList(CLIENTS));
        there.removeIf(Objects::isNull);
        return there;
    }

    static Hub server() {
        return Server.HUB;
    }

    /** Who gets the records of a call from now on. */
    void enter(long call, Sink sink) {
        sinks.put(call, sink);
    }

    void leave(long call) {
        sinks.remove(call);
    }

    void each(Consumer<Sink> look) {
        sinks.values().forEach(look);
    }

    private void run() {
        ByteBuffer buffer = room(256 << 10);
        while (true) {
            try {
                int used = Native.poll(id, buffer);
                if (used > buffer.capacity()) {
                    buffer = room(used);
                    continue;
                }
                Record record = new Record(buffer);
                for (int at = 0; at < used; at += record.length) {
                    record.at(at);
                    tell(record);
                }
            } catch (Throwable e) {
                // No memory for a buffer, at worst: what came in this batch is lost, the poller is not.
                complain("the poller failed", e);
            }
        }
    }

    private static ByteBuffer room(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void tell(Record record) {
        try {
            Sink sink = record.kind == Record.CALL ? calls : sinks.get(record.id);
            if (sink != null && !sink.on(record)) {
                sinks.remove(record.id);
            }
        } catch (Throwable e) {
            complain("a callback failed", e);
        }
    }

    private static void complain(String what, Throwable e) {
        try {
            LOG.log(Level.WARNING, what, e);
        } catch (Throwable again) {
            // The application's log handler threw: there is nowhere left to say it.
        }
    }
}
