// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.grpc.testing.integration.EmptyProtos.Empty;
import io.grpc.testing.integration.Messages.SimpleRequest;
import io.grpc.testing.integration.Messages.SimpleResponse;
import io.grpc.testing.integration.Messages.StreamingInputCallRequest;
import io.grpc.testing.integration.Messages.StreamingInputCallResponse;
import io.grpc.testing.integration.TestServiceGrpc;
import java.util.concurrent.CountDownLatch;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;

/** What the tests' server does. */
final class Service extends TestServiceGrpc.TestServiceImplBase implements ServerInterceptor {
    static final Empty EMPTY = Empty.getDefaultInstance();

    volatile Metadata headers;
    volatile Context context;
    /** What a unary call does before it answers. */
    final AtomicReference<Runnable> before = new AtomicReference<>(() -> {});
    /** What a unary call ends with; null: an answer. */
    volatile Throwable error;
    final CountDownLatch cancelled = new CountDownLatch(1);

    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
        this.headers = headers;
        return next.startCall(call, headers);
    }

    @Override
    public void emptyCall(Empty request, StreamObserver<Empty> observer) {
        context = Context.current();
        context.addListener(c -> cancelled.countDown(), Runnable::run);
        before.get().run();
        if (error != null) {
            observer.onError(error);
            return;
        }
        observer.onNext(request);
        observer.onCompleted();
    }

    @Override
    public void unaryCall(SimpleRequest request, StreamObserver<SimpleResponse> observer) {
        observer.onNext(SimpleResponse.newBuilder().setPayload(request.getPayload()).build());
        observer.onCompleted();
    }

    /** Takes messages only after this. */
    final CountDownLatch taking = new CountDownLatch(1);

    @Override
    public StreamObserver<StreamingInputCallRequest> streamingInputCall(
            StreamObserver<StreamingInputCallResponse> observer) {
        ServerCallStreamObserver<StreamingInputCallResponse> call =
                (ServerCallStreamObserver<StreamingInputCallResponse>) observer;
        call.disableAutoRequest();
        Threads.start("test-taking", () -> {
            try {
                taking.await();
                call.request(Integer.MAX_VALUE);
            } catch (InterruptedException e) {
                observer.onError(e);
            }
        });
        AtomicInteger size = new AtomicInteger();
        return new StreamObserver<StreamingInputCallRequest>() {
            @Override
            public void onNext(StreamingInputCallRequest message) {
                size.addAndGet(message.getPayload().getBody().size());
            }

            @Override
            public void onError(Throwable error) {}

            @Override
            public void onCompleted() {
                observer.onNext(StreamingInputCallResponse.newBuilder().setAggregatedPayloadSize(size.get()).build());
                observer.onCompleted();
            }
        };
    }

    static int alive() {
        List<Hub> hubs = Hub.clients();
        hubs.add(Hub.server());
        return hubs.stream().mapToInt(hub -> Native.alive(hub.id, 0) + Native.alive(hub.id, 1) + Native.alive(hub.id, 2)).sum();
    }

    /** How many channels of clients there are. */
    static int channels() {
        return Hub.clients().stream().mapToInt(hub -> Native.alive(hub.id, 0)).sum();
    }

    /** Waits for what no event tells of; fails after two minutes. */
    static void until(String what, BooleanSupplier is) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
        while (!is.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not within two minutes: " + what);
            }
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }
}
