// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.ChannelCredentials;
import io.grpc.ChoiceChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ManagedChannelProvider;
import io.grpc.TlsChannelCredentials;
import java.net.SocketAddress;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumSet;

/**
 * Lets {@code Grpc.newChannelBuilder("trilane:///…", credentials)} find this transport. It has the lowest priority and
 * takes only its own addresses: where another transport is there, that one stays what every other target gets.
 */
public final class TrilaneChannelProvider extends ManagedChannelProvider {
    @Override
    protected boolean isAvailable() {
        return true;
    }

    @Override
    protected int priority() {
        return 0;
    }

    @Override
    protected ManagedChannelBuilder<?> builderForAddress(String name, int port) {
        return TrilaneChannelBuilder.forAddress(name, port);
    }

    @Override
    protected ManagedChannelBuilder<?> builderForTarget(String target) {
        return TrilaneChannelBuilder.forTarget(target);
    }

    @Override
    protected Collection<Class<? extends SocketAddress>> getSupportedSocketAddressTypes() {
        return Collections.singleton(TrilaneSocketAddress.class);
    }

    @Override
    protected NewChannelBuilderResult newChannelBuilder(String target, ChannelCredentials credentials) {
        TrilaneChannelBuilder builder;
        try {
            builder = TrilaneChannelBuilder.forTarget(target);
        } catch (IllegalArgumentException e) {
            return NewChannelBuilderResult.error(e.getMessage());
        }
        String problem = apply(builder, credentials);
        return problem == null
                ? NewChannelBuilderResult.channelBuilder(builder)
                : NewChannelBuilderResult.error(problem);
    }

    /** Why these credentials cannot be used; null if they can, and are. */
    private static String apply(TrilaneChannelBuilder builder, ChannelCredentials credentials) {
        if (credentials instanceof InsecureChannelCredentials) {
            builder.usePlaintext();
            return null;
        }
        if (credentials instanceof ChoiceChannelCredentials) {
            String problem = "no credentials to choose from";
            for (ChannelCredentials one : ((ChoiceChannelCredentials) credentials).getCredentialsList()) {
                problem = apply(builder, one);
                if (problem == null) {
                    return null;
                }
            }
            return problem;
        }
        if (credentials instanceof TlsChannelCredentials) {
            TlsChannelCredentials tls = (TlsChannelCredentials) credentials;
            boolean plain = tls.incomprehensible(EnumSet.noneOf(TlsChannelCredentials.Feature.class)).isEmpty();
            if (plain && tls.getRootCertificates() == null && tls.getCertificateChain() == null) {
                builder.useTransportSecurity();
                return null;
            }
        }
        return credentials.getClass().getName() + " is not known to the native transport: insecure ones, and TLS with the"
                + " system's certificates are; files are given to TrilaneChannelBuilder.trust and .identity";
    }
}
