// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import static org.junit.Assert.assertEquals;

import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import io.grpc.testing.integration.Messages.SimpleRequest;
import io.grpc.testing.integration.Messages.SimpleResponse;
import io.grpc.testing.integration.TestServiceGrpc;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Two copies of a service behind rules that name it back.shop:8080; test.py writes them and gives the ports. */
public class Lanes {
    private static final SimpleRequest REQUEST = SimpleRequest.getDefaultInstance();

    private final List<Server> servers = new ArrayList<>();
    private final List<ManagedChannel> channels = new ArrayList<>();
    private TestServiceGrpc.TestServiceBlockingStub back;

    private interface Answer {
        String get() throws Exception;
    }

    private static final class Copy extends TestServiceGrpc.TestServiceImplBase {
        private final Answer answer;

        Copy(Answer answer) {
            this.answer = answer;
        }

        @Override
        public void unaryCall(SimpleRequest request, StreamObserver<SimpleResponse> observer) {
            try {
                observer.onNext(SimpleResponse.newBuilder().setUsername(answer.get()).build());
                observer.onCompleted();
            } catch (Exception e) {
                observer.onError(e);
            }
        }
    }

    private Server serve(int port, Answer answer) throws Exception {
        Server server = TrilaneServerBuilder.forPort(port).addService(new Copy(answer)).build().start();
        servers.add(server);
        return server;
    }

    private TestServiceGrpc.TestServiceBlockingStub stub(String target) {
        ManagedChannel channel = TrilaneChannelBuilder.forTarget(target).usePlaintext().build();
        channels.add(channel);
        return TestServiceGrpc.newBlockingStub(channel);
    }

    private static String who(TestServiceGrpc.TestServiceBlockingStub stub) {
        return stub.withDeadlineAfter(200, TimeUnit.SECONDS).unaryCall(REQUEST).getUsername();
    }

    private static <T> T in(String tag, Callable<T> call) throws Exception {
        return Context.current().withValue(Lane.TAG, tag).call(call);
    }

    @Before
    public void start() throws Exception {
        serve(Integer.getInteger("base"), () -> "base(" + Lane.current() + ")");
        serve(Integer.getInteger("gray"), () -> "gray(" + Lane.current() + ")");
        back = stub("back.shop:8080");
    }

    @After
    public void stop() throws Exception {
        channels.forEach(ManagedChannel::shutdownNow);
        for (Server server : servers) {
            server.shutdownNow().awaitTermination();
        }
        Service.until("no native handle is alive", () -> Service.alive() == 0);
    }

    @Test
    public void aCallGoesToItsLaneAndTheServerScopesIt() throws Exception {
        assertEquals("base()", who(back));
        assertEquals("gray(gray)", in("gray", () -> who(back)));
        assertEquals("base(unheard-of)", in("unheard-of", () -> who(back)));
        assertEquals("base()", in("", () -> who(back)));
        try {
            throw new AssertionError(in("strict", () -> who(back)));
        } catch (StatusRuntimeException e) {
            assertEquals(e.toString(), true, e.getMessage().contains("no usable instance in lane \"strict\""));
        }
    }

    @Test
    public void theApplicationsOwnCarrierStaysAndSteers() {
        assertEquals("gray(gray)", who(back.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(tag("gray")))));
    }

    /** Between the request that came in and the call that leaves there is nothing of the application's. */
    @Test
    public void aHandlersCallsStayInTheLaneOfItsRequest() throws Exception {
        Server front = serve(0, () -> "front>" + who(back));
        TestServiceGrpc.TestServiceBlockingStub stub = stub("localhost:" + front.getPort());
        assertEquals("front>base()", who(stub));
        assertEquals(
                "front>gray(gray)", who(stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(tag("gray")))));
        assertEquals("front>base()", who(stub));
    }

    /** With the agent, pools that know nothing of gRPC's Context hand the lane over. */
    @Test
    public void theAgentCarriesTheLaneOverPools() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(1);
        try {
            Server front = serve(0, () -> pool.submit(() -> "pool>" + who(back)).get());
            TestServiceGrpc.TestServiceBlockingStub stub = stub("localhost:" + front.getPort());
            assertEquals("pool>base()", who(stub));
            assertEquals(
                    "pool>gray(gray)", who(stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(tag("gray")))));
            assertEquals("pool>base()", who(stub));
        } finally {
            pool.shutdown();
        }
    }

    private static Metadata tag(String tag) {
        Metadata headers = new Metadata();
        headers.put(Metadata.Key.of("x-mse-tag", Metadata.ASCII_STRING_MARSHALLER), tag);
        return headers;
    }
}
