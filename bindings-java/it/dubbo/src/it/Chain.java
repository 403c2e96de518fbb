package it;

import java.util.concurrent.CompletableFuture;

/** Who served, and who served the next hop: {@code a-gray > c-gray}. */
public interface Chain {
    String chain(String how);

    CompletableFuture<String> later(String how);
}
