// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import static org.junit.Assert.assertEquals;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.protobuf.services.HealthStatusManager;
import java.util.concurrent.TimeUnit;
import org.junit.Test;

/** The example of docs/triple.md; test.py looks that its lines stand here. */
public class Example {
    @Test
    public void theDocumentsExample() throws Exception {
        HealthStatusManager health = new HealthStatusManager();
        HealthCheckRequest request = HealthCheckRequest.getDefaultInstance();
        Server server = TrilaneServerBuilder.forPort(8080).addService(health.getHealthService()).build().start();
        ManagedChannel channel =
                Grpc.newChannelBuilder("trilane:///localhost:8080", InsecureChannelCredentials.create()).build();
        HealthGrpc.HealthBlockingStub stub = HealthGrpc.newBlockingStub(channel);
        HealthCheckResponse reply = stub.withDeadlineAfter(10, TimeUnit.SECONDS).check(request);
        assertEquals(HealthCheckResponse.ServingStatus.SERVING, reply.getStatus());
        channel.shutdown().awaitTermination(1, TimeUnit.SECONDS);
        server.shutdown().awaitTermination();
    }
}
