// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Server;
import io.grpc.testing.integration.EmptyProtos.Empty;
import io.grpc.testing.integration.TestServiceGrpc;
import java.util.concurrent.TimeUnit;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** What users of the channel and the server rely on beyond gRPC's own cases. */
public class Behaviour {
    private final Service service = new Service();
    private Server server;
    private ManagedChannel channel;
    private TestServiceGrpc.TestServiceBlockingStub stub;

    @Before
    public void start() throws Exception {
        server = TrilaneServerBuilder.forPort(0).addService(service).intercept(service).build().start();
        channel = TrilaneChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build();
        stub = TestServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
    }

    @After
    public void nothingIsLeft() throws Exception {
        channel.shutdownNow();
        server.shutdownNow();
        assertTrue(channel.awaitTermination(10, TimeUnit.SECONDS));
        assertTrue(server.awaitTermination(10, TimeUnit.SECONDS));
        Service.until("no native handle is alive", () -> Service.alive() == 0);
    }

    @Test
    public void loadingKeepsGrpcJavasOwnTransport() {
        ManagedChannel theirs = ManagedChannelBuilder.forTarget("localhost:1").usePlaintext().build();
        ManagedChannel dns = Grpc.newChannelBuilder("dns:///localhost:1", InsecureChannelCredentials.create()).build();
        ManagedChannel ours =
                Grpc.newChannelBuilder("trilane:///localhost:" + server.getPort(), InsecureChannelCredentials.create())
                        .build();
        try {
            assertTrue(theirs.toString(), theirs.toString().contains("ManagedChannelImpl"));
            assertTrue(dns.toString(), dns.toString().contains("ManagedChannelImpl"));
            assertEquals("TrilaneChannel{localhost:" + server.getPort() + "}", ours.toString());
            assertEquals(Empty.getDefaultInstance(), TestServiceGrpc.newBlockingStub(ours).emptyCall(Service.EMPTY));
        } finally {
            theirs.shutdownNow();
            dns.shutdownNow();
            ours.shutdownNow();
        }
    }

    @Test
    public void aUnaryCallIsAnswered() {
        assertEquals(Empty.getDefaultInstance(), stub.emptyCall(Service.EMPTY));
    }
}
