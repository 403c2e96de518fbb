// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.Attributes;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.HandlerRegistry;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.logging.Level;

/** A call that came in: finds its method, and from then on stands between the records and its listener. */
final class TrilaneServerCall implements Hub.Sink {
    private final Hub hub;
    private final long id;
    private final String peer;
    private final String authority;
    private final Context.CancellableContext context;
    private final CallQueue queue;
    private final Tracers tracers;
    /** On the executor only. */
    private Face<?, ?> face;

    private volatile Status answered;
    private volatile boolean cancelled;
    private volatile boolean closed;
    /** ROOM records, and how many had come when the stream was last full. */
    private volatile int rooms;
    private volatile int fullAt = -1;

    TrilaneServerCall(
            Hub hub, long id, String peer, String authority, Executor executor, Context.CancellableContext context,
            Tracers tracers) {
        this.hub = hub;
        this.id = id;
        this.peer = peer;
        this.authority = authority;
        this.context = context;
        this.tracers = tracers;
        queue = new CallQueue(executor, context, Lane.of(context));
    }

    void begin(
            String path, Metadata headers, ServerMethodDefinition<?, ?> known, HandlerRegistry fallback,
            List<ServerInterceptor> interceptors) {
        queue.add(() -> {
            try {
                String name = path.startsWith("/") ? path.substring(1) : path;
                ServerMethodDefinition<?, ?> method =
                        known != null ? known : fallback == null ? null : fallback.lookupMethod(name, authority);
                if (method == null) {
                    answer(Status.UNIMPLEMENTED.withDescription("Method not found: " + name), new Metadata());
                    return;
                }
                start(method, headers, interceptors);
            } catch (Throwable e) {
                failed(e);
            }
        });
    }

    private <Q, P> void start(ServerMethodDefinition<Q, P> method, Metadata headers, List<ServerInterceptor> around) {
        ServerCallHandler<Q, P> handler = method.getServerCallHandler();
        for (ServerInterceptor interceptor : around) {
            ServerCallHandler<Q, P> inner = handler;
            handler = (call, h) -> interceptor.interceptCall(call, h, inner);
        }
        Face<Q, P> face = new Face<>(method.getMethodDescriptor());
        tracers.started(face);
        face.listener = handler.startCall(face, headers);
        if (face.listener == null) {
            throw new NullPointerException("startCall() gave no listener for " + method.getMethodDescriptor());
        }
        this.face = face;
        queue.add(face.listener::onReady);
    }

    @Override
    public boolean on(Record record) {
        switch (record.kind) {
            case Record.MESSAGE: {
                byte[] bytes = record.data();
                queue.add(() -> tell(() -> face.message(bytes)));
                return true;
            }
            case Record.HALF_CLOSE:
                queue.add(() -> tell(() -> face.listener.onHalfClose()));
                return true;
            case Record.ROOM:
                rooms++;
                queue.add(() -> tell(() -> face.listener.onReady()));
                return true;
            case Record.COMPLETE:
                queue.add(() -> last(false));
                return false;
            case Record.CANCELLED:
                cancelled = true;
                // At once, and not in the handler's turn: a handler that waits learns it from its context.
                context.cancel(Status.CANCELLED.withDescription("the call was cancelled").asException());
                queue.add(() -> last(true));
                return false;
            default:
                return true;
        }
    }

    private void tell(Runnable event) {
        if (face == null || cancelled) {
            return;
        }
        try {
            event.run();
        } catch (Throwable e) {
            failed(e);
        }
    }

    private void last(boolean cancelled) {
        try {
            tracers.closed(cancelled || answered == null ? Status.CANCELLED : answered, null);
            if (face != null && cancelled) {
                face.listener.onCancel();
            } else if (face != null) {
                face.listener.onComplete();
            }
        } catch (Throwable e) {
            Hub.LOG.log(Level.WARNING, "a server's listener failed at the end of its call", e);
        } finally {
            context.cancel(null);
        }
    }

    /** The application threw: its caller gets UNKNOWN without details, the log gets them. */
    private void failed(Throwable e) {
        Hub.LOG.log(Level.WARNING, "a service's method failed", e);
        answer(Status.UNKNOWN.withDescription("Application error processing RPC").withCause(e), new Metadata());
    }

    private void answer(Status status, Metadata trailers) {
        if (closed) {
            return;
        }
        closed = true;
        answered = status;
        String text = status.getDescription() == null ? "" : status.getDescription();
        byte[] more = Wire.flatten(trailers);
        Native.close(hub.id, id, status.getCode().value(), text.getBytes(StandardCharsets.UTF_8), more);
    }

    /** What handlers see. */
    private final class Face<Q, P> extends ServerCall<Q, P> {
        private final MethodDescriptor<Q, P> method;
        Listener<Q> listener;
        private boolean headersSent;
        private boolean gzip;
        private boolean compress = true;
        private boolean sent;

        Face(MethodDescriptor<Q, P> method) {
            this.method = method;
        }

        void message(byte[] bytes) {
            tracers.received(bytes.length);
            listener.onMessage(method.parseRequest(new Wire.Received(bytes)));
        }

        @Override
        public void request(int messages) {
            Native.request(hub.id, id, messages);
        }

        @Override
        public void sendHeaders(Metadata headers) {
            if (headersSent || closed) {
                throw new IllegalStateException(closed ? "the call was closed" : "the headers were sent already");
            }
            headersSent = true;
            Native.sendHeaders(hub.id, id, Wire.flatten(headers));
        }

        @Override
        public void sendMessage(P message) {
            if (!headersSent || closed) {
                throw new IllegalStateException(closed ? "the call was closed" : "the headers were not sent");
            }
            if (sent && method.getType().serverSendsOneMessage()) {
                answer(Status.INTERNAL.withDescription("Too many responses"), new Metadata());
                return;
            }
            sent = true;
            byte[] bytes;
            try {
                bytes = Wire.message(method.streamResponse(message));
            } catch (Exception e) {
                throw Status.INTERNAL.withDescription("a reply cannot be written").withCause(e).asRuntimeException();
            }
            tracers.sent(bytes.length);
            int seen = rooms;
            if (!Native.send(hub.id, id, bytes, gzip && compress)) {
                fullAt = seen;
            }
        }

        @Override
        public boolean isReady() {
            return !closed && !cancelled && rooms > fullAt;
        }

        @Override
        public void close(Status status, Metadata trailers) {
            if (closed) {
                throw new IllegalStateException("the call was closed already");
            }
            if (status.isOk() && !sent && method.getType().serverSendsOneMessage()) {
                answer(Status.INTERNAL.withDescription("Completed without a response"), new Metadata());
                return;
            }
            answer(status, trailers);
        }

        @Override
        public boolean isCancelled() {
            return cancelled;
        }

        @Override
        public void setMessageCompression(boolean enabled) {
            compress = enabled;
        }

        @Override
        public void setCompression(String compressor) {
            if (headersSent) {
                throw new IllegalStateException("the headers were sent already");
            }
            if (!compressor.equals("gzip") && !compressor.equals("identity")) {
                throw new IllegalArgumentException("Unable to find compressor by name " + compressor);
            }
            gzip = compressor.equals("gzip");
        }

        @Override
        public Attributes getAttributes() {
            int colon = peer.lastIndexOf(':');
            if (colon < 0) {
                return Attributes.EMPTY;
            }
            String host = peer.substring(0, colon).replace("[", "").replace("]", "");
            InetSocketAddress address = new InetSocketAddress(host, Integer.parseInt(peer.substring(colon + 1)));
            return Attributes.newBuilder().set(Grpc.TRANSPORT_ATTR_REMOTE_ADDR, address).build();
        }

        @Override
        public String getAuthority() {
            return authority;
        }

        @Override
        public MethodDescriptor<Q, P> getMethodDescriptor() {
            return method;
        }
    }
}
