package it;

import java.util.concurrent.CompletableFuture;
import org.apache.dubbo.common.stream.StreamObserver;

/** Everything that a call can be besides one request with one answer. */
public interface Flows {
    /** One request, several answers. */
    void many(String how, StreamObserver<String> answers);

    /** Several requests, an answer to each. */
    StreamObserver<String> both(StreamObserver<String> answers);

    /** An answer that a chain of Reactor's makes. */
    CompletableFuture<String> mono(String how);
}
