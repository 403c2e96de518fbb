// SPDX-License-Identifier: Apache-2.0
package conformance;

import com.google.protobuf.Any;
import connectrpc.conformance.v1.ClientCompat.ClientCompatRequest;
import connectrpc.conformance.v1.ClientCompat.ClientCompatRequest.Cancel.CancelTimingCase;
import connectrpc.conformance.v1.ClientCompat.ClientCompatResponse;
import connectrpc.conformance.v1.ClientCompat.ClientErrorResult;
import connectrpc.conformance.v1.ClientCompat.ClientResponseResult;
import connectrpc.conformance.v1.ConfigOuterClass.Compression;
import connectrpc.conformance.v1.ConfigOuterClass.StreamType;
import connectrpc.conformance.v1.Service.UnaryResponse;
import io.github.trilane.grpc.TrilaneChannelBuilder;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Makes the calls that come on stdin, several at a time. */
final class ConformanceClient extends ClientCall.Listener<UnaryResponse> {
    private static final int AT_A_TIME = 8;

    private final ClientCompatRequest asked;
    private final MethodType type;
    private final ClientResponseResult.Builder got = ClientResponseResult.newBuilder();
    private final BlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
    private volatile boolean closed;
    /** On the thread of the call only. */
    private ClientCall<byte[], UnaryResponse> call;

    private boolean told;

    private ConformanceClient(ClientCompatRequest asked) {
        this.asked = asked;
        type = Conformance.METHODS.get(asked.getMethod());
    }

    static void run() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(AT_A_TIME);
        for (byte[] next = Conformance.read(); next != null; next = Conformance.read()) {
            ClientCompatRequest asked = ClientCompatRequest.parseFrom(next);
            threads.execute(() -> {
                ClientCompatResponse.Builder answer = ClientCompatResponse.newBuilder().setTestName(asked.getTestName());
                try {
                    answer.setResponse(new ConformanceClient(asked).call());
                } catch (Exception e) {
                    e.printStackTrace();
                    answer.setError(ClientErrorResult.newBuilder().setMessage(e.toString()));
                }
                Conformance.write(answer.build());
            });
        }
        threads.shutdown();
        threads.awaitTermination(10, TimeUnit.MINUTES);
    }

    private ManagedChannel channel() throws Exception {
        TrilaneChannelBuilder builder = TrilaneChannelBuilder.forAddress(asked.getHost(), asked.getPort());
        if (asked.getServerTlsCert().isEmpty()) {
            builder.usePlaintext();
        } else {
            builder.trust(Conformance.file(asked.getServerTlsCert()));
        }
        if (asked.hasClientTlsCreds()) {
            builder.identity(
                    Conformance.file(asked.getClientTlsCreds().getCert()),
                    Conformance.file(asked.getClientTlsCreds().getKey()));
        }
        if (asked.getMessageReceiveLimit() > 0) {
            builder.maxInboundMessageSize(asked.getMessageReceiveLimit());
        }
        return builder.build();
    }

    private ClientResponseResult call() throws Exception {
        if (type == null) {
            throw new IllegalArgumentException("there is no method " + asked.getMethod());
        }
        CallOptions options = CallOptions.DEFAULT;
        if (asked.hasTimeoutMs()) {
            options = options.withDeadlineAfter(asked.getTimeoutMs(), TimeUnit.MILLISECONDS);
        }
        if (asked.getCompression() == Compression.COMPRESSION_GZIP) {
            options = options.withCompression("gzip");
        }
        ManagedChannel channel = channel();
        try {
            call = channel.newCall(Conformance.method(asked.getService(), asked.getMethod()), options);
            call.start(this, Conformance.metadata(asked.getRequestHeadersList()));
            if (type.serverSendsOneMessage()) {
                // As generated stubs do: a second message is to be seen.
                call.request(2);
            }
            send();
            if (cancels(CancelTimingCase.BEFORE_CLOSE_SEND)) {
                call.cancel("before the half close", null);
            }
            call.halfClose();
            if (cancels(CancelTimingCase.AFTER_CLOSE_SEND_MS)) {
                Thread.sleep(asked.getCancel().getAfterCloseSendMs());
                call.cancel("after the half close", null);
            }
            while (!told) {
                receive();
            }
            return got.build();
        } finally {
            channel.shutdownNow();
        }
    }

    private boolean cancels(CancelTimingCase when) {
        return asked.hasCancel() && asked.getCancel().getCancelTimingCase() == when;
    }

    private void send() throws Exception {
        boolean full = asked.getStreamType() == StreamType.STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM;
        int sent = 0;
        for (Any message : asked.getRequestMessagesList()) {
            Thread.sleep(asked.getRequestDelayMs());
            if (closed) {
                got.setNumUnsentRequests(asked.getRequestMessagesCount() - sent);
                return;
            }
            call.sendMessage(message.getValue().toByteArray());
            sent++;
            if (full) {
                receive();
            }
        }
    }

    /** Asks for a message of a stream, and takes it, or the end. */
    private void receive() throws InterruptedException {
        if (told) {
            return;
        }
        int before = got.getPayloadsCount();
        if (!type.serverSendsOneMessage()) {
            call.request(1);
        }
        while (!told && got.getPayloadsCount() == before) {
            events.take().run();
        }
        boolean enough = got.getPayloadsCount() == asked.getCancel().getAfterNumResponses();
        if (!told && cancels(CancelTimingCase.AFTER_NUM_RESPONSES) && enough) {
            call.cancel("after so many replies", null);
        }
    }

    private void event(Step step) {
        events.add(() -> {
            try {
                step.run();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
    }

    private interface Step {
        void run() throws Exception;
    }

    @Override
    public void onHeaders(Metadata headers) {
        event(() -> got.addAllResponseHeaders(Conformance.headers(headers)));
    }

    @Override
    public void onMessage(UnaryResponse message) {
        event(() -> got.addPayloads(message.getPayload()));
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
        closed = true;
        event(() -> {
            told = true;
            Status ended = status;
            if (type.serverSendsOneMessage() && status.isOk() && got.getPayloadsCount() != 1) {
                // What generated stubs make of it; the code is that of gRPC's list of statuses.
                ended = Status.UNIMPLEMENTED.withDescription(got.getPayloadsCount() + " messages, one is expected");
            }
            if (!ended.isOk()) {
                got.setError(Conformance.error(ended, trailers));
                if (type.serverSendsOneMessage()) {
                    got.clearPayloads();
                }
            }
            got.addAllResponseTrailers(Conformance.headers(trailers));
        });
    }
}
