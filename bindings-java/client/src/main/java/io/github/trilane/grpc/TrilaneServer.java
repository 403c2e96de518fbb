// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.HandlerRegistry;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerInterceptor;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServerStreamTracer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Hosts services on the native transport. Made by {@link TrilaneServerBuilder}. */
final class TrilaneServer extends Server {
    /** By the number that a record of a call carries. */
    private static final Map<Integer, TrilaneServer> RUNNING = new ConcurrentHashMap<>();

    private static final AtomicInteger NUMBERS = new AtomicInteger();

    private final TrilaneServerBuilder made;
    private final Executor executor;
    private final List<ServerServiceDefinition> services;
    private final List<ServerMethodDefinition<?, ?>> methods = new ArrayList<>();
    private final List<ServerInterceptor> interceptors;
    private final List<ServerStreamTracer.Factory> tracers;
    private final HandlerRegistry fallback;
    private final CountDownLatch terminated = new CountDownLatch(1);
    private final int number = NUMBERS.incrementAndGet();

    private Hub hub;
    private long id;
    private int port = -1;
    private boolean shutdown;

    TrilaneServer(TrilaneServerBuilder made) {
        this.made = made;
        executor = made.executor != null ? made.executor : Threads.calls();
        services = Collections.unmodifiableList(new ArrayList<>(made.services));
        interceptors = new ArrayList<>(made.interceptors);
        tracers = new ArrayList<>(made.tracers);
        fallback = made.fallback;
    }

    @Override
    public synchronized Server start() throws IOException {
        if (hub != null || shutdown) {
            throw new IllegalStateException(shutdown ? "the server was shut down" : "the server was started already");
        }
        // The last definition of a name counts, as in grpc-java's registry of services.
        Map<String, ServerMethodDefinition<?, ?>> byName = new LinkedHashMap<>();
        for (ServerServiceDefinition service : services) {
            for (ServerMethodDefinition<?, ?> method : service.getMethods()) {
                byName.put(method.getMethodDescriptor().getFullMethodName(), method);
            }
        }
        methods.addAll(byName.values());
        Hub hub = Hub.server();
        RUNNING.put(number, this);
        try {
            id = Native.serverStart(hub.id, number, made.options(new ArrayList<>(byName.keySet())));
        } catch (IllegalArgumentException e) {
            RUNNING.remove(number);
            throw new IOException(e.getMessage(), e);
        }
        this.hub = hub;
        port = Native.serverLook(hub.id, id, 0);
        return this;
    }

    /** On the poller: a call came. */
    static boolean called(Record record) {
        TrilaneServer server = RUNNING.get(record.server());
        if (server != null) {
            server.begin(record);
        }
        return true;
    }

    private void begin(Record record) {
        String path = record.path();
        Metadata headers = record.headers();
        long left = record.dataLong();
        Tracers traced = Tracers.of(tracers, path.startsWith("/") ? path.substring(1) : path, headers);
        Context root = traced.filter(Context.ROOT.withValue(Lane.TAG, record.lane()));
        Context.CancellableContext context = left < 0
                ? root.withCancellation()
                : root.withDeadline(Deadline.after(left, TimeUnit.NANOSECONDS), Threads.timer());
        TrilaneServerCall call =
                new TrilaneServerCall(hub, record.id, record.text(), record.authority(), executor, context, traced);
        hub.enter(record.id, call);
        ServerMethodDefinition<?, ?> known = record.code >= 0 ? methods.get(record.code) : null;
        call.begin(path, headers, known, fallback, interceptors);
    }

    @Override
    public synchronized int getPort() {
        if (port < 0) {
            throw new IllegalStateException("the server was not started");
        }
        return port;
    }

    @Override
    public List<? extends SocketAddress> getListenSockets() {
        return Collections.singletonList(new InetSocketAddress(made.address.getAddress(), getPort()));
    }

    @Override
    public List<ServerServiceDefinition> getServices() {
        return services;
    }

    @Override
    public List<ServerServiceDefinition> getImmutableServices() {
        return services;
    }

    @Override
    public List<ServerServiceDefinition> getMutableServices() {
        return fallback == null ? Collections.emptyList() : Collections.unmodifiableList(fallback.getServices());
    }

    @Override
    public synchronized Server shutdown() {
        if (shutdown) {
            return this;
        }
        shutdown = true;
        if (hub == null) {
            terminated.countDown();
            return this;
        }
        Native.serverStop(hub.id, id, false);
        Threads.start("trilane-drain", this::drain);
        return this;
    }

    /** Waits for the last connection to end; connections tell nobody when they do. */
    private void drain() {
        while (Native.serverLook(hub.id, id, 1) > 0) {
            try {
                TimeUnit.MILLISECONDS.sleep(5);
            } catch (InterruptedException e) {
                break;
            }
        }
        end();
    }

    private void end() {
        Native.serverStop(hub.id, id, true);
        RUNNING.remove(number);
        terminated.countDown();
    }

    @Override
    public Server shutdownNow() {
        shutdown();
        synchronized (this) {
            if (hub != null) {
                // The drain sees that it is gone, and ends.
                Native.serverStop(hub.id, id, true);
            }
        }
        return this;
    }

    @Override
    public synchronized boolean isShutdown() {
        return shutdown;
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
    public void awaitTermination() throws InterruptedException {
        terminated.await();
    }
}
