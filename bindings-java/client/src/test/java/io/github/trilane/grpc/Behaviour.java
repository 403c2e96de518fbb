// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.SettableFuture;
import com.google.protobuf.ByteString;
import io.grpc.CallCredentials;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.grpc.testing.integration.EmptyProtos.Empty;
import io.grpc.testing.integration.Messages.Payload;
import io.grpc.testing.integration.Messages.SimpleRequest;
import io.grpc.testing.integration.Messages.StreamingInputCallRequest;
import io.grpc.testing.integration.Messages.StreamingInputCallResponse;
import io.grpc.testing.integration.TestServiceGrpc;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.logging.Level;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** What users of the channel and the server rely on beyond gRPC's own cases. */
public class Behaviour {
    private final Service service = new Service();
    private Server server;
    private ManagedChannel channel;
    private TestServiceGrpc.TestServiceBlockingStub stub;

    @Before
    public void start() throws Exception {
        server = TrilaneServerBuilder.forPort(0).addService(service).intercept(service).build().start();
        channel = TrilaneChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build();
        stub = TestServiceGrpc.newBlockingStub(channel).withDeadlineAfter(200, TimeUnit.SECONDS);
    }

    @After
    public void nothingIsLeft() throws Exception {
        channel.shutdownNow();
        server.shutdownNow();
        assertTrue(channel.awaitTermination(120, TimeUnit.SECONDS));
        assertTrue(server.awaitTermination(120, TimeUnit.SECONDS));
        Service.until("no native handle is alive", () -> Service.alive() == 0);
    }

    @Test
    public void loadingKeepsGrpcJavasOwnTransport() {
        ManagedChannel theirs = ManagedChannelBuilder.forTarget("localhost:1").usePlaintext().build();
        ManagedChannel dns = Grpc.newChannelBuilder("dns:///localhost:1", InsecureChannelCredentials.create()).build();
        ManagedChannel ours =
                Grpc.newChannelBuilder("trilane:///localhost:" + server.getPort(), InsecureChannelCredentials.create())
                        .build();
        try {
            assertTrue(theirs.toString(), theirs.toString().contains("ManagedChannelImpl"));
            assertTrue(dns.toString(), dns.toString().contains("ManagedChannelImpl"));
            assertEquals("TrilaneChannel{localhost:" + server.getPort() + "}", ours.toString());
            assertEquals(Empty.getDefaultInstance(), TestServiceGrpc.newBlockingStub(ours).emptyCall(Service.EMPTY));
        } finally {
            theirs.shutdownNow();
            dns.shutdownNow();
            ours.shutdownNow();
        }
    }

    private static StatusRuntimeException failing(Executable call) {
        try {
            call.run();
        } catch (StatusRuntimeException e) {
            return e;
        }
        throw new AssertionError("a status was expected");
    }

    private interface Executable {
        void run();
    }

    private static Status.Code code(Executable call) {
        return failing(call).getStatus().getCode();
    }

    @Test
    public void aListenerThatThrowsDoesNotStopThePoller() throws Exception {
        ManagedChannel direct =
                TrilaneChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().directExecutor().build();
        CountDownLatch thrown = new CountDownLatch(3);
        Hub.LOG.setLevel(Level.OFF);
        try {
            for (int i = 0; i < 3; i++) {
                TestServiceGrpc.newStub(direct).emptyCall(Service.EMPTY, new StreamObserver<Empty>() {
                    @Override
                    public void onNext(Empty value) {
                        throw new LinkageError("on purpose");
                    }

                    @Override
                    public void onError(Throwable error) {
                        thrown.countDown();
                        throw new LinkageError("on purpose");
                    }

                    @Override
                    public void onCompleted() {}
                });
            }
            assertTrue(thrown.await(120, TimeUnit.SECONDS));
            assertEquals(Empty.getDefaultInstance(), TestServiceGrpc.newBlockingStub(direct).emptyCall(Service.EMPTY));
        } finally {
            Hub.LOG.setLevel(null);
            direct.shutdownNow();
        }
    }

    @Test
    public void aForgottenChannelIsFreed() throws Exception {
        int before = Service.channels();
        callAndForget();
        Hub.LOG.setLevel(Level.OFF);
        Service.until("the forgotten channel is freed", () -> {
            System.gc();
            TrilaneChannel.freeForgotten();
            return Service.channels() == before;
        });
        Hub.LOG.setLevel(null);
    }

    private void callAndForget() {
        ManagedChannel forgotten =
                TrilaneChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build();
        TestServiceGrpc.newBlockingStub(forgotten).emptyCall(Service.EMPTY);
        assertEquals(2, Service.channels());
    }

    @Test
    public void aBlockingCallsListenerRunsOnTheCallersThread() {
        AtomicReference<Thread> seen = new AtomicReference<>();
        ClientInterceptor watching = new ClientInterceptor() {
            @Override
            public <Q, P> ClientCall<Q, P> interceptCall(MethodDescriptor<Q, P> m, CallOptions o, Channel next) {
                return new SimpleForwardingClientCall<Q, P>(next.newCall(m, o)) {
                    @Override
                    public void start(Listener<P> listener, Metadata headers) {
                        super.start(new SimpleForwardingClientCallListener<P>(listener) {
                            @Override
                            public void onMessage(P message) {
                                seen.set(Thread.currentThread());
                                super.onMessage(message);
                            }
                        }, headers);
                    }
                };
            }
        };
        stub.withInterceptors(watching).emptyCall(Service.EMPTY);
        assertSame(Thread.currentThread(), seen.get());
    }

    @Test
    public void theDeadlineIsTheContextsOnTheServer() {
        stub.withDeadlineAfter(90, TimeUnit.SECONDS).emptyCall(Service.EMPTY);
        long left = service.context.getDeadline().timeRemaining(TimeUnit.MILLISECONDS);
        assertTrue(left + " ms are left", left > 0 && left <= 90_000);
    }

    @Test
    public void aCancelledCallCancelsTheContextOnTheServer() throws Exception {
        service.before.set(() -> {
            try {
                service.cancelled.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        Future<Empty> call = TestServiceGrpc.newFutureStub(channel).emptyCall(Service.EMPTY);
        Service.until("the method runs", () -> service.context != null);
        call.cancel(true);
        assertTrue(service.cancelled.await(120, TimeUnit.SECONDS));
    }

    @Test
    public void readinessFollowsTheOtherSide() throws Exception {
        AtomicInteger ready = new AtomicInteger();
        SettableFuture<StreamingInputCallResponse> answer = SettableFuture.create();
        ClientCall<StreamingInputCallRequest, StreamingInputCallResponse> call =
                channel.newCall(TestServiceGrpc.getStreamingInputCallMethod(), CallOptions.DEFAULT);
        call.start(new ClientCall.Listener<StreamingInputCallResponse>() {
            @Override
            public void onReady() {
                ready.incrementAndGet();
            }

            @Override
            public void onMessage(StreamingInputCallResponse message) {
                answer.set(message);
            }
        }, new Metadata());
        call.request(2);
        Service.until("the stream is ready at first", call::isReady);
        StreamingInputCallRequest message = StreamingInputCallRequest.newBuilder()
                .setPayload(Payload.newBuilder().setBody(ByteString.copyFrom(new byte[64 << 10])))
                .build();
        // Counted before it is full: what is queued drains meanwhile, and may make it ready again at any time.
        int sent = 0;
        int counted = ready.get();
        while (call.isReady() && sent < 1000) {
            call.sendMessage(message);
            sent++;
            counted = ready.get();
        }
        assertTrue("it never said that it is full", sent < 1000);
        int before = counted;
        service.taking.countDown();
        Service.until("onReady", () -> ready.get() > before && call.isReady());
        call.halfClose();
        assertEquals(sent * (64 << 10), answer.get(120, TimeUnit.SECONDS).getAggregatedPayloadSize());
    }

    @Test
    public void gzipGoesBothWays() {
        SimpleRequest request = SimpleRequest.newBuilder()
                .setPayload(Payload.newBuilder().setBody(ByteString.copyFrom(new byte[100_000])))
                .build();
        assertEquals(request.getPayload(), stub.withCompression("gzip").unaryCall(request).getPayload());
        assertEquals(Status.Code.INTERNAL, code(() -> stub.withCompression("zip").unaryCall(request)));
    }

    @Test
    public void aMethodThatThrowsIsUnknown() {
        service.before.set(() -> {
            throw new IllegalStateException("secret");
        });
        Hub.LOG.setLevel(Level.OFF);
        StatusRuntimeException seen = failing(() -> stub.emptyCall(Service.EMPTY));
        Hub.LOG.setLevel(null);
        assertEquals("UNKNOWN: Application error processing RPC", seen.getStatus().toString().split(", ")[0]
                .replace("Status{code=", "") + ": " + seen.getStatus().getDescription());
    }

    @Test
    public void aChannelThatWasShutDownRefuses() throws Exception {
        channel.shutdown();
        assertEquals(Status.Code.UNAVAILABLE, code(() -> stub.emptyCall(Service.EMPTY)));
        assertTrue(channel.awaitTermination(120, TimeUnit.SECONDS));
    }

    @Test
    public void anExecutorThatRefusesStillEndsItsCalls() throws Exception {
        ExecutorService gone = Executors.newSingleThreadExecutor();
        gone.shutdown();
        CountDownLatch ended = new CountDownLatch(1);
        Futures.addCallback(
                TestServiceGrpc.newFutureStub(channel).withExecutor(gone).emptyCall(Service.EMPTY),
                new FutureCallback<Empty>() {
                    @Override
                    public void onSuccess(Empty result) {
                        ended.countDown();
                    }

                    @Override
                    public void onFailure(Throwable t) {}
                },
                Runnable::run);
        assertTrue(ended.await(120, TimeUnit.SECONDS));
    }

    @Test
    public void credentialsAddTheirMetadata() {
        stub.withCallCredentials(new CallCredentials() {
            @Override
            public void applyRequestMetadata(RequestInfo info, Executor executor, MetadataApplier applier) {
                executor.execute(() -> {
                    Metadata more = new Metadata();
                    more.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "secret");
                    applier.apply(more);
                });
            }

            @Override
            @SuppressWarnings("deprecation")
            public void thisUsesUnstableApi() {}
        }).emptyCall(Service.EMPTY);
        assertEquals("secret", service.headers.get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER)));
    }
}
