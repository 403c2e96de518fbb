// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import java.net.SocketAddress;
import java.net.URI;
import java.util.Collection;
import java.util.Collections;

/** The scheme {@code trilane}: what makes gRPC choose {@link TrilaneChannelProvider} for such a target. */
public final class TrilaneNameResolverProvider extends NameResolverProvider {
    static final String SCHEME = "trilane";

    @Override
    protected boolean isAvailable() {
        return true;
    }

    /** Below everybody: this scheme is never the default one. */
    @Override
    protected int priority() {
        return 0;
    }

    @Override
    public String getDefaultScheme() {
        return SCHEME;
    }

    @Override
    public Collection<Class<? extends SocketAddress>> getProducedSocketAddressTypes() {
        return Collections.singleton(TrilaneSocketAddress.class);
    }

    @Override
    public NameResolver newNameResolver(URI target, NameResolver.Args args) {
        if (!SCHEME.equals(target.getScheme())) {
            return null;
        }
        String path = target.getPath() == null ? "" : target.getPath();
        String name = path.startsWith("/") ? path.substring(1) : path;
        return new NameResolver() {
            @Override
            public String getServiceAuthority() {
                return name;
            }

            @Override
            public void start(Listener2 listener) {
                EquivalentAddressGroup group = new EquivalentAddressGroup(new TrilaneSocketAddress(name));
                listener.onResult(ResolutionResult.newBuilder().setAddresses(Collections.singletonList(group)).build());
            }

            @Override
            public void shutdown() {}
        };
    }
}
