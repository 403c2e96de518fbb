// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;

/** Calls of one service over the native transport. Made by {@link TrilaneChannelBuilder}. */
final class TrilaneChannel extends ManagedChannel {
    /** In the counter of calls: the channel was shut down. */
    private static final long SHUT = 1L << 62;

    private static final AtomicLong NUMBERS = new AtomicLong();
    private static final ReferenceQueue<TrilaneChannel> FORGOTTEN = new ReferenceQueue<>();
    private static final Set<Owner> OWNERS = ConcurrentHashMap.newKeySet();

    private final Hub hub;
    private final Owner owner;
    private final String authority;
    private final Executor executor;
    private final Channel top;
    /** Calls under way, and {@link #SHUT}. */
    private final AtomicLong calls = new AtomicLong();
    private final CountDownLatch terminated = new CountDownLatch(1);

    TrilaneChannel(byte[] options, String authority, Executor executor, List<ClientInterceptor> interceptors) {
        freeForgotten();
        hub = Hub.client();
        this.authority = authority;
        this.executor = executor;
        owner = new Owner(this, hub.id, Native.channelOpen(hub.id, options));
        OWNERS.add(owner);
        top = ClientInterceptors.intercept(new Bottom(), interceptors);
    }

    /** Frees the native channel once, at the end of the calls or of an owner that was forgotten. */
    private static final class Owner extends PhantomReference<TrilaneChannel> {
        final long hub;
        final long channel;

        Owner(TrilaneChannel of, long hub, long channel) {
            super(of, FORGOTTEN);
            this.hub = hub;
            this.channel = channel;
        }

        boolean free() {
            boolean first = OWNERS.remove(this);
            if (first) {
                Native.channelFree(hub, channel);
            }
            return first;
        }
    }

    /** Channels that nobody shut down before the collector took them. */
    static void freeForgotten() {
        for (Object gone = FORGOTTEN.poll(); gone != null; gone = FORGOTTEN.poll()) {
            if (((Owner) gone).free()) {
                Hub.LOG.log(Level.WARNING, "a channel was garbage collected without shutdown(); its connections are closed"
                        + " now. Call shutdown() when a channel is no longer needed");
            }
        }
    }

    private final class Bottom extends Channel {
        @Override
        public <Q, P> ClientCall<Q, P> newCall(MethodDescriptor<Q, P> method, CallOptions options) {
            return new TrilaneClientCall<>(TrilaneChannel.this, method, options);
        }

        @Override
        public String authority() {
            return authority;
        }
    }

    @Override
    public <Q, P> ClientCall<Q, P> newCall(MethodDescriptor<Q, P> method, CallOptions options) {
        return top.newCall(method, options);
    }

    @Override
    public String authority() {
        return authority;
    }

    Executor executor() {
        return executor;
    }

    long hub() {
        return hub.id;
    }

    long id() {
        return owner.channel;
    }

    long enter(TrilaneClientCall<?, ?> call) {
        long number = NUMBERS.incrementAndGet();
        hub.enter(number, call);
        return number;
    }

    void leave(long number) {
        hub.leave(number);
    }

    void started() {
        calls.incrementAndGet();
    }

    void ended() {
        if (calls.decrementAndGet() == SHUT) {
            terminate();
        }
    }

    private void terminate() {
        owner.free();
        terminated.countDown();
    }

    @Override
    public ManagedChannel shutdown() {
        long before = calls.getAndUpdate(n -> n | SHUT);
        if (before == 0) {
            terminate();
        }
        return this;
    }

    @Override
    public ManagedChannel shutdownNow() {
        shutdown();
        hub.each(sink -> {
            if (sink instanceof TrilaneClientCall && ((TrilaneClientCall<?, ?>) sink).channel == this) {
                ((TrilaneClientCall<?, ?>) sink).channelGone();
            }
        });
        return this;
    }

    @Override
    public boolean isShutdown() {
        return (calls.get() & SHUT) != 0;
    }

    @Override
    public boolean isTerminated() {
        return terminated.getCount() == 0;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) throws InterruptedException {
        return terminated.await(timeout, unit);
    }

    @Override
    public String toString() {
        return "TrilaneChannel{" + authority + "}";
    }
}
