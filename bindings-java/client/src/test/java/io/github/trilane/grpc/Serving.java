// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.internal.testing.TestUtils;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionService;
import io.grpc.stub.MetadataUtils;
import io.grpc.testing.integration.EmptyProtos.Empty;
import io.grpc.testing.integration.TestServiceGrpc;
import java.io.File;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.After;
import org.junit.Test;

/** Our server, and the traps of the protocol that concern Java: each between ours and ours, and ours and grpc-java. */
public class Serving {
    private final Service service = new Service();
    private Server server;
    private ManagedChannel channel;

    private TestServiceGrpc.TestServiceBlockingStub stub(boolean ourServer, boolean ourClient) throws Exception {
        stop();
        ServerBuilder<?> builder = ourServer ? TrilaneServerBuilder.forPort(0) : NettyServerBuilder.forPort(0);
        server = builder.addService(service).intercept(service).build().start();
        channel = (ourClient
                        ? TrilaneChannelBuilder.forAddress("localhost", server.getPort())
                        : NettyChannelBuilder.forAddress("localhost", server.getPort()))
                .usePlaintext()
                .build();
        return TestServiceGrpc.newBlockingStub(channel).withDeadlineAfter(200, TimeUnit.SECONDS);
    }

    @After
    public void stop() throws Exception {
        if (channel != null) {
            channel.shutdownNow();
            assertTrue(channel.awaitTermination(120, TimeUnit.SECONDS));
        }
        if (server != null) {
            server.shutdownNow();
            assertTrue(server.awaitTermination(120, TimeUnit.SECONDS));
        }
        Service.until("no native handle is alive", () -> Service.alive() == 0);
    }

    /** Every pair that has one of ours. */
    private interface Check {
        void on(TestServiceGrpc.TestServiceBlockingStub stub) throws Exception;
    }

    private void everywhere(Check check) throws Exception {
        check.on(stub(true, true));
        check.on(stub(true, false));
        check.on(stub(false, true));
    }

    private static Status status(TestServiceGrpc.TestServiceBlockingStub stub) {
        try {
            stub.emptyCall(Service.EMPTY);
            return Status.OK;
        } catch (StatusRuntimeException e) {
            return e.getStatus();
        }
    }

    @Test
    public void trap01NewlinesInAMessageDoNotEndTheConnection() throws Exception {
        service.error = Status.ABORTED.withDescription("line1\nline2\r\n\ttab").asException();
        everywhere(stub -> {
            assertEquals("line1\nline2\r\n\ttab", status(stub).getDescription());
            assertEquals(Status.Code.ABORTED, status(stub).getCode());
        });
    }

    @Test
    public void trap02AServerNeverSendsACodeAbove16() throws Exception {
        service.error = new IllegalStateException("an ordinary exception");
        everywhere(stub -> assertEquals(Status.Code.UNKNOWN, status(stub).getCode()));
    }

    @Test
    public void trap13And15AttachmentsComeBackInTrailersAndBinaryOnesAsBytes() throws Exception {
        Metadata.Key<byte[]> binary = Metadata.Key.of("x-bytes-bin", Metadata.BINARY_BYTE_MARSHALLER);
        Metadata.Key<String> text = Metadata.Key.of("dubbo.tag", Metadata.ASCII_STRING_MARSHALLER);
        everywhere(stub -> {
            Metadata sent = new Metadata();
            sent.put(binary, new byte[] {0, 1, (byte) 0xff, 10});
            sent.put(text, "gray");
            sent.put(text, "second");
            Metadata trailers = new Metadata();
            trailers.put(binary, new byte[] {(byte) 0xab});
            service.error = Status.FAILED_PRECONDITION.asRuntimeException(trailers);
            AtomicReference<Metadata> headers = new AtomicReference<>();
            AtomicReference<Metadata> came = new AtomicReference<>();
            status(stub.withInterceptors(
                    MetadataUtils.newAttachHeadersInterceptor(sent),
                    MetadataUtils.newCaptureMetadataInterceptor(headers, came)));
            assertEquals(ByteString.copyFrom(new byte[] {0, 1, (byte) 0xff, 10}),
                    ByteString.copyFrom(service.headers.get(binary)));
            assertEquals("[gray, second]", com.google.common.collect.Lists.newArrayList(service.headers.getAll(text))
                    .toString());
            assertEquals((byte) 0xab, came.get().get(binary)[0]);
        });
    }

    @Test
    public void trap17APlusInAMessageStaysAPlus() throws Exception {
        service.error = Status.ABORTED.withDescription("1+1 = 100 % \u00e4 \u4e2d \ud83d\ude00").asException();
        everywhere(stub -> assertEquals("1+1 = 100 % \u00e4 \u4e2d \ud83d\ude00", status(stub).getDescription()));
    }

    @Test
    public void statusDetailsComeThrough() throws Exception {
        com.google.rpc.Status rich = com.google.rpc.Status.newBuilder()
                .setCode(9)
                .setMessage("not now")
                .addDetails(Any.pack(ErrorInfo.newBuilder().setReason("CLOSED").build()))
                .build();
        service.error = StatusProto.toStatusException(rich);
        everywhere(stub -> {
            try {
                stub.emptyCall(Service.EMPTY);
                throw new AssertionError("a status was expected");
            } catch (StatusRuntimeException e) {
                assertEquals(rich, StatusProto.fromThrowable(e));
            }
        });
    }

    @Test
    public void callsThatRunEndBeforeAServerThatWasShutDown() throws Exception {
        TestServiceGrpc.TestServiceBlockingStub stub = stub(true, true);
        CountDownLatch may = new CountDownLatch(1);
        service.before.set(() -> {
            try {
                may.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        Future<Empty> running = TestServiceGrpc.newFutureStub(channel).emptyCall(Service.EMPTY);
        Service.until("the method runs", () -> service.context != null);
        server.shutdown();
        // One that the server took just before waits for `may` too, so each has little time.
        Service.until("the server takes nothing new", () ->
                status(stub.withDeadlineAfter(2, TimeUnit.SECONDS)).getCode() == Status.Code.UNAVAILABLE);
        assertTrue(!server.isTerminated() && !running.isDone());
        may.countDown();
        assertEquals(Service.EMPTY, running.get(120, TimeUnit.SECONDS));
        assertTrue(server.awaitTermination(120, TimeUnit.SECONDS));
    }

    @Test
    public void grpcsOwnServicesAreServed() throws Exception {
        HealthStatusManager health = new HealthStatusManager();
        server = TrilaneServerBuilder.forPort(0)
                .addService(health.getHealthService())
                .addService(ProtoReflectionService.newInstance())
                .build()
                .start();
        channel = NettyChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build();
        HealthCheckResponse answer =
                HealthGrpc.newBlockingStub(channel).check(HealthCheckRequest.getDefaultInstance());
        assertEquals(HealthCheckResponse.ServingStatus.SERVING, answer.getStatus());
    }

    @Test
    public void bothSidesShowTheirCertificates() throws Exception {
        File ca = TestUtils.loadCert("ca.pem");
        server = TrilaneServerBuilder.forPort(0)
                .addService(service)
                .useTransportSecurity(TestUtils.loadCert("server1.pem"), TestUtils.loadCert("server1.key"))
                .clientCertificates(ca)
                .build()
                .start();
        for (boolean shows : new boolean[] {true, false}) {
            TrilaneChannelBuilder builder = TrilaneChannelBuilder.forAddress("localhost", server.getPort())
                    .overrideAuthority("foo.test.google.fr")
                    .trust(ca);
            if (shows) {
                builder.identity(TestUtils.loadCert("server1.pem"), TestUtils.loadCert("server1.key"));
            }
            channel = builder.build();
            Status seen = status(TestServiceGrpc.newBlockingStub(channel).withDeadlineAfter(200, TimeUnit.SECONDS));
            assertEquals(seen.toString(), shows, seen.isOk());
            channel.shutdownNow();
        }
    }
}
