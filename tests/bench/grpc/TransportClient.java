// SPDX-License-Identifier: Apache-2.0
package bench;

import com.google.protobuf.ByteString;
import io.github.trilane.grpc.TrilaneChannelBuilder;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import io.grpc.testing.integration.Messages.Payload;
import io.grpc.testing.integration.Messages.SimpleRequest;
import io.grpc.testing.integration.Messages.SimpleResponse;
import io.grpc.testing.integration.TestServiceGrpc;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** Calls one server over our transport and over grpc-java's, in one process: a line `ours async 40000` is one window. */
public final class TransportClient {
    private static final int CONCURRENT = 20;
    private static final SimpleRequest REQUEST = SimpleRequest.newBuilder()
            .setResponseSize(90)
            .setPayload(Payload.newBuilder().setBody(ByteString.copyFrom(new byte[90])))
            .build();

    private final ManagedChannel usual;
    private final ManagedChannel direct;

    private TransportClient(ManagedChannel usual, ManagedChannel direct) {
        this.usual = usual;
        this.direct = direct;
    }

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        TransportClient ours = new TransportClient(
                TrilaneChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build(),
                TrilaneChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().directExecutor().build());
        TransportClient theirs = new TransportClient(
                NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build(),
                NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().directExecutor().build());
        ExecutorService threads = Executors.newFixedThreadPool(CONCURRENT);
        System.out.println("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            TransportClient client = words[0].equals("ours") ? ours : theirs;
            int count = Integer.parseInt(words[2]);
            switch (words[1]) {
                case "direct":
                    async(client.direct, count);
                    break;
                case "async":
                    async(client.usual, count);
                    break;
                default:
                    blocking(client.usual, count, threads);
            }
            System.out.println("done");
        }
        System.exit(0);
    }

    private static void blocking(ManagedChannel channel, int count, ExecutorService threads) throws Exception {
        TestServiceGrpc.TestServiceBlockingStub stub = TestServiceGrpc.newBlockingStub(channel);
        AtomicInteger left = new AtomicInteger(count);
        CountDownLatch ended = new CountDownLatch(CONCURRENT);
        for (int i = 0; i < CONCURRENT; i++) {
            threads.execute(() -> {
                while (left.getAndDecrement() > 0) {
                    stub.unaryCall(REQUEST);
                }
                ended.countDown();
            });
        }
        ended.await();
    }

    private static void async(ManagedChannel channel, int count) throws Exception {
        TestServiceGrpc.TestServiceStub stub = TestServiceGrpc.newStub(channel);
        AtomicInteger left = new AtomicInteger(count);
        CountDownLatch ended = new CountDownLatch(CONCURRENT);
        for (int i = 0; i < CONCURRENT; i++) {
            next(stub, left, ended);
        }
        ended.await();
    }

    private static void next(TestServiceGrpc.TestServiceStub stub, AtomicInteger left, CountDownLatch ended) {
        if (left.getAndDecrement() <= 0) {
            ended.countDown();
            return;
        }
        stub.unaryCall(REQUEST, new StreamObserver<SimpleResponse>() {
            @Override
            public void onNext(SimpleResponse response) {}

            @Override
            public void onError(Throwable error) {
                error.printStackTrace();
                System.exit(1);
            }

            @Override
            public void onCompleted() {
                next(stub, left, ended);
            }
        });
    }
}
