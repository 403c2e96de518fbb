// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.Attributes;
import io.grpc.CallOptions;
import io.grpc.ClientStreamTracer;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import io.grpc.StreamTracer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The stream tracers of one call: what metrics and tracing count with. Sizes are those of the messages; what gzip made
 * of them is not known here, so that the sizes on the wire are given as -1.
 */
final class Tracers {
    private static final StreamTracer[] NOBODY = {};
    static final Tracers NONE = new Tracers(NOBODY);

    private final StreamTracer[] all;
    private final AtomicBoolean closed = new AtomicBoolean();
    private int sent;
    private int received;

    private Tracers(StreamTracer[] all) {
        this.all = all;
    }

    /** Of a call that is about to leave; may add to its headers. */
    static Tracers of(CallOptions options, Metadata headers) {
        List<ClientStreamTracer.Factory> factories = options.getStreamTracerFactories();
        if (factories.isEmpty()) {
            return NONE;
        }
        ClientStreamTracer.StreamInfo info =
                ClientStreamTracer.StreamInfo.newBuilder().setCallOptions(options).build();
        List<StreamTracer> made = new ArrayList<>();
        for (ClientStreamTracer.Factory factory : factories) {
            ClientStreamTracer tracer = factory.newClientStreamTracer(info, headers);
            tracer.streamCreated(Attributes.EMPTY, headers);
            tracer.outboundHeaders();
            made.add(tracer);
        }
        return new Tracers(made.toArray(NOBODY));
    }

    /** Of a call that came in. */
    static Tracers of(List<ServerStreamTracer.Factory> factories, String method, Metadata headers) {
        if (factories.isEmpty()) {
            return NONE;
        }
        List<StreamTracer> made = new ArrayList<>();
        factories.forEach(factory -> made.add(factory.newServerStreamTracer(method, headers)));
        return new Tracers(made.toArray(NOBODY));
    }

    Context filter(Context context) {
        Context filtered = context;
        for (StreamTracer tracer : all) {
            filtered = ((ServerStreamTracer) tracer).filterContext(filtered);
        }
        return filtered;
    }

    <Q, P> void started(ServerCall<Q, P> call) {
        for (StreamTracer tracer : all) {
            ((ServerStreamTracer) tracer).serverCallStarted(new Info<>(call));
        }
    }

    void headers() {
        for (StreamTracer tracer : all) {
            if (tracer instanceof ClientStreamTracer) {
                ((ClientStreamTracer) tracer).inboundHeaders();
            }
        }
    }

    void sent(int bytes) {
        for (StreamTracer tracer : all) {
            tracer.outboundMessage(sent);
            tracer.outboundMessageSent(sent, -1, bytes);
            tracer.outboundUncompressedSize(bytes);
        }
        sent++;
    }

    void received(int bytes) {
        for (StreamTracer tracer : all) {
            tracer.inboundMessage(received);
            tracer.inboundMessageRead(received, -1, bytes);
            tracer.inboundUncompressedSize(bytes);
        }
        received++;
    }

    void closed(Status status, Metadata trailers) {
        if (all.length == 0 || !closed.compareAndSet(false, true)) {
            return;
        }
        for (StreamTracer tracer : all) {
            if (trailers != null && tracer instanceof ClientStreamTracer) {
                ((ClientStreamTracer) tracer).inboundTrailers(trailers);
            }
            tracer.streamClosed(status);
        }
    }

    private static final class Info<Q, P> extends ServerStreamTracer.ServerCallInfo<Q, P> {
        private final ServerCall<Q, P> call;

        Info(ServerCall<Q, P> call) {
            this.call = call;
        }

        @Override
        public MethodDescriptor<Q, P> getMethodDescriptor() {
            return call.getMethodDescriptor();
        }

        @Override
        public Attributes getAttributes() {
            return call.getAttributes();
        }

        @Override
        public String getAuthority() {
            return call.getAuthority();
        }
    }
}
