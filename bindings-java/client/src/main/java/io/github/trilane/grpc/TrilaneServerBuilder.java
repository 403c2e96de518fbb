// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.BindableService;
import io.grpc.CompressorRegistry;
import io.grpc.DecompressorRegistry;
import io.grpc.HandlerRegistry;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServerStreamTracer;
import java.io.File;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * Makes servers over Trilane's transport; plaintext unless {@link #useTransportSecurity} names a certificate.
 * Health and reflection are the services of grpc-services, added like any other.
 */
public final class TrilaneServerBuilder extends ServerBuilder<TrilaneServerBuilder> {
    private static final int DEFAULT_MESSAGE = 4 << 20;

    final InetSocketAddress address;
    final List<ServerServiceDefinition> services = new ArrayList<>();
    final List<ServerInterceptor> interceptors = new ArrayList<>();
    final List<ServerStreamTracer.Factory> tracers = new ArrayList<>();
    HandlerRegistry fallback;
    Executor executor;
    private File certificates;
    private File key;
    private File clients;
    private int message = DEFAULT_MESSAGE;

    private TrilaneServerBuilder(InetSocketAddress address) {
        this.address = address;
    }

    /** A server on all addresses of the machine; port 0 leaves the choice to the kernel. */
    public static TrilaneServerBuilder forPort(int port) {
        return new TrilaneServerBuilder(new InetSocketAddress(port));
    }

    /** A server on one address. */
    public static TrilaneServerBuilder forAddress(InetSocketAddress address) {
        return new TrilaneServerBuilder(address);
    }

    /** Asks clients for a certificate that comes from those in this PEM file (mTLS). */
    public TrilaneServerBuilder clientCertificates(File clients) {
        this.clients = clients;
        return this;
    }

    @Override
    public TrilaneServerBuilder directExecutor() {
        return executor(Threads.DIRECT);
    }

    @Override
    public TrilaneServerBuilder executor(Executor executor) {
        this.executor = executor;
        return this;
    }

    @Override
    public TrilaneServerBuilder addService(ServerServiceDefinition service) {
        services.add(service);
        return this;
    }

    @Override
    public TrilaneServerBuilder addService(BindableService service) {
        return addService(service.bindService());
    }

    @Override
    public TrilaneServerBuilder intercept(ServerInterceptor interceptor) {
        interceptors.add(interceptor);
        return this;
    }

    @Override
    public TrilaneServerBuilder addStreamTracerFactory(ServerStreamTracer.Factory factory) {
        tracers.add(factory);
        return this;
    }

    @Override
    public TrilaneServerBuilder fallbackHandlerRegistry(HandlerRegistry registry) {
        fallback = registry;
        return this;
    }

    /** PEM files; they are read again when they change. */
    @Override
    public TrilaneServerBuilder useTransportSecurity(File certificates, File key) {
        this.certificates = certificates;
        this.key = key;
        return this;
    }

    @Override
    public TrilaneServerBuilder maxInboundMessageSize(int bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("a negative message size: " + bytes);
        }
        message = bytes;
        return this;
    }

    /** Only gRPC's default one: the native side inflates identity and gzip. */
    @Override
    public TrilaneServerBuilder decompressorRegistry(DecompressorRegistry registry) {
        return onlyDefault(registry == null || registry == DecompressorRegistry.getDefaultInstance());
    }

    /** Only gRPC's default one: the native side compresses with gzip. */
    @Override
    public TrilaneServerBuilder compressorRegistry(CompressorRegistry registry) {
        return onlyDefault(registry == null || registry == CompressorRegistry.getDefaultInstance());
    }

    private TrilaneServerBuilder onlyDefault(boolean isDefault) {
        if (!isDefault) {
            throw new UnsupportedOperationException("the native transport knows identity and gzip; a registry of the"
                    + " application's has no effect on it");
        }
        return this;
    }

    @Override
    public Server build() {
        Native.require();
        return new TrilaneServer(this);
    }

    byte[] options(List<String> methods) {
        Wire.Options options = new Wire.Options();
        String host = address.getAddress() == null ? address.getHostString() : address.getAddress().getHostAddress();
        options.add("address", (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + address.getPort());
        methods.forEach(method -> options.add("method", "/" + method));
        options.add("fallback", fallback == null ? null : "").add("message", Integer.toString(message));
        options.add("certificates", path(certificates)).add("key", path(key)).add("clients", path(clients));
        return options.bytes();
    }

    private static String path(File file) {
        return file == null ? null : file.getPath();
    }
}
