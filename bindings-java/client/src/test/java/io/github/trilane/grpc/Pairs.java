// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.ManagedChannelBuilder;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.testing.integration.AbstractInteropTest;
import java.lang.reflect.Field;
import org.junit.Test;

/** The cases that grpc-java runs against its own transports, between ours and others. */
public final class Pairs {
    private Pairs() {}

    private abstract static class Pair extends AbstractInteropTest {
        /** The census module is grpc-core's own builders'. */
        @Override
        protected boolean metricsExpected() {
            return false;
        }

        @Override
        protected boolean customCensusModulePresent() {
            return false;
        }

        /** Theirs is five seconds, which a busy machine may take; a case has a minute. */
        @Override
        protected int operationTimeoutMillis() {
            return 50_000;
        }

        /** The address is grpc-java's own package's to see. */
        int getPort() {
            try {
                Field server = AbstractInteropTest.class.getDeclaredField("server");
                server.setAccessible(true);
                return ((Server) server.get(this)).getPort();
            } catch (ReflectiveOperationException e) {
                throw new AssertionError(e);
            }
        }

        ManagedChannelBuilder<?> ours(int port) {
            return TrilaneChannelBuilder.forAddress("localhost", port)
                    .usePlaintext()
                    .maxInboundMessageSize(MAX_MESSAGE_SIZE);
        }
    }

    public static class OursToOurs extends Pair {
        @Override
        protected ServerBuilder<?> getServerBuilder() {
            return TrilaneServerBuilder.forPort(0).maxInboundMessageSize(MAX_MESSAGE_SIZE);
        }

        @Override
        protected ManagedChannelBuilder<?> createChannelBuilder() {
            return ours(getPort());
        }
    }

    public static class OursToGrpcJava extends Pair {
        @Override
        protected ServerBuilder<?> getServerBuilder() {
            return NettyServerBuilder.forPort(0).maxInboundMessageSize(MAX_MESSAGE_SIZE);
        }

        @Override
        protected ManagedChannelBuilder<?> createChannelBuilder() {
            return ours(getPort());
        }
    }

    public static class GrpcJavaToOurs extends Pair {
        @Override
        protected ServerBuilder<?> getServerBuilder() {
            return TrilaneServerBuilder.forPort(0).maxInboundMessageSize(MAX_MESSAGE_SIZE);
        }

        @Override
        protected ManagedChannelBuilder<?> createChannelBuilder() {
            return NettyChannelBuilder.forAddress("localhost", getPort())
                    .usePlaintext()
                    .maxInboundMessageSize(MAX_MESSAGE_SIZE);
        }
    }

    /** A server of another process: {@code -Dpeer=host:port}. */
    public static class OursToPeer extends Pair {
        @Test
        public void clientCompressedUnaryCall() throws Exception {
            clientCompressedUnary(true);
        }

        @Test
        public void clientCompressedStream() throws Exception {
            clientCompressedStreaming(true);
        }

        @Test
        public void serverCompressedStream() throws Exception {
            serverCompressedStreaming();
        }

        @Override
        protected ManagedChannelBuilder<?> createChannelBuilder() {
            return TrilaneChannelBuilder.forTarget(System.getProperty("peer"))
                    .usePlaintext()
                    .maxInboundMessageSize(MAX_MESSAGE_SIZE);
        }
    }
}
