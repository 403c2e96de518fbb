// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.ClientInterceptor;
import io.grpc.CompressorRegistry;
import io.grpc.DecompressorRegistry;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.NameResolver;
import java.io.File;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/**
 * Makes channels over Trilane's transport. TLS with the system's certificates unless {@link #usePlaintext} or
 * {@link #trust} says otherwise, as gRPC has it.
 *
 * <p>A target is {@code host:port}, several with commas: calls take turns. {@code trilane:///host:port} is the same.
 */
public final class TrilaneChannelBuilder extends ManagedChannelBuilder<TrilaneChannelBuilder> {
    private static final int DEFAULT_MESSAGE = 4 << 20;

    private final String target;
    private final List<ClientInterceptor> interceptors = new ArrayList<>();
    private Executor executor;
    private String agent;
    private String authority;
    private boolean plaintext;
    private File roots;
    private File certificates;
    private File key;
    private int message = DEFAULT_MESSAGE;

    private TrilaneChannelBuilder(String target) {
        this.target = target;
    }

    /** A channel to that target. */
    public static TrilaneChannelBuilder forTarget(String target) {
        return new TrilaneChannelBuilder(strip(target));
    }

    /** A channel to that host and port. */
    public static TrilaneChannelBuilder forAddress(String host, int port) {
        return new TrilaneChannelBuilder((host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port);
    }

    private static String strip(String target) {
        if (!target.startsWith(TrilaneNameResolverProvider.SCHEME + ":")) {
            if (target.contains("://")) {
                throw new IllegalArgumentException("target " + target + ": host:port (several with commas) or"
                        + " trilane:///host:port is expected; other schemes are resolved by other transports");
            }
            return target;
        }
        String path = URI.create(target).getPath();
        if (path == null || path.length() < 2) {
            throw new IllegalArgumentException("target " + target + ": trilane:///host:port is expected");
        }
        return path.substring(1);
    }

    /** Trusts the certificates in this PEM file instead of the system's. */
    public TrilaneChannelBuilder trust(File roots) {
        this.roots = roots;
        return this;
    }

    /** Shows this certificate chain to servers that ask for one (mTLS); PEM files, read again when they change. */
    public TrilaneChannelBuilder identity(File certificates, File key) {
        this.certificates = certificates;
        this.key = key;
        return this;
    }

    @Override
    public TrilaneChannelBuilder directExecutor() {
        return executor(Threads.DIRECT);
    }

    @Override
    public TrilaneChannelBuilder executor(Executor executor) {
        this.executor = executor;
        return this;
    }

    @Override
    public TrilaneChannelBuilder intercept(List<ClientInterceptor> interceptors) {
        this.interceptors.addAll(interceptors);
        return this;
    }

    @Override
    public TrilaneChannelBuilder intercept(ClientInterceptor... interceptors) {
        return intercept(Arrays.asList(interceptors));
    }

    @Override
    public TrilaneChannelBuilder userAgent(String agent) {
        this.agent = agent;
        return this;
    }

    @Override
    public TrilaneChannelBuilder overrideAuthority(String authority) {
        this.authority = authority;
        return this;
    }

    @Override
    public TrilaneChannelBuilder usePlaintext() {
        plaintext = true;
        return this;
    }

    @Override
    public TrilaneChannelBuilder useTransportSecurity() {
        plaintext = false;
        return this;
    }

    @Override
    public TrilaneChannelBuilder maxInboundMessageSize(int bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("a negative message size: " + bytes);
        }
        message = bytes;
        return this;
    }

    /** Not supported: the native side resolves names. */
    @Deprecated
    @Override
    public TrilaneChannelBuilder nameResolverFactory(NameResolver.Factory factory) {
        throw new UnsupportedOperationException("the native transport resolves names; give it host:port");
    }

    /** Only gRPC's default one: the native side inflates identity and gzip. */
    @Override
    public TrilaneChannelBuilder decompressorRegistry(DecompressorRegistry registry) {
        return onlyDefault(registry == null || registry == DecompressorRegistry.getDefaultInstance());
    }

    /** Only gRPC's default one: the native side compresses with gzip. */
    @Override
    public TrilaneChannelBuilder compressorRegistry(CompressorRegistry registry) {
        return onlyDefault(registry == null || registry == CompressorRegistry.getDefaultInstance());
    }

    private TrilaneChannelBuilder onlyDefault(boolean isDefault) {
        if (!isDefault) {
            throw new UnsupportedOperationException("the native transport knows identity and gzip; a registry of the"
                    + " application's has no effect on it");
        }
        return this;
    }

    /** No effect: a connection without calls costs nothing but itself, and a lost one is made again by the next call. */
    @Override
    public TrilaneChannelBuilder idleTimeout(long value, TimeUnit unit) {
        return this;
    }

    /** No effect: calls that no server looked at are always sent again, others never; there is no service config. */
    @Override
    public TrilaneChannelBuilder enableRetry() {
        return this;
    }

    @Override
    public TrilaneChannelBuilder disableRetry() {
        return this;
    }

    @Override
    public ManagedChannel build() {
        Native.require();
        Wire.Options options = new Wire.Options();
        String first = null;
        for (String one : target.split(",")) {
            String address = withPort(one.trim());
            first = first == null ? address : first;
            options.add("target", address);
        }
        String name = authority != null ? authority : first;
        options.add("authority", name).add("agent", agent).add("message", Integer.toString(message));
        if (plaintext) {
            options.add("plaintext", "");
        }
        options.add("roots", path(roots)).add("certificates", path(certificates)).add("key", path(key));
        return new TrilaneChannel(options.bytes(), name, executor != null ? executor : Threads.calls(), interceptors);
    }

    private static String path(File file) {
        return file == null ? null : file.getPath();
    }

    private String withPort(String address) {
        int colon = address.lastIndexOf(':');
        boolean port = colon > address.lastIndexOf(']') && (address.indexOf(':') == colon || address.startsWith("["));
        return port ? address : address + (plaintext ? ":80" : ":443");
    }
}
