// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.MethodDescriptor;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ConcurrentHashMap;

/** The bytes of {@code /service/method}, made once for each name. */
final class Paths {
    /** A program has as many methods as its stubs; one that makes names up is not remembered. */
    private static final int MOST = 10_000;

    private static final ConcurrentHashMap<String, byte[]> KNOWN = new ConcurrentHashMap<>();

    private Paths() {}

    static byte[] of(MethodDescriptor<?, ?> method) {
        String name = method.getFullMethodName();
        byte[] path = KNOWN.get(name);
        if (path == null) {
            path = ("/" + name).getBytes(StandardCharsets.UTF_8);
            if (KNOWN.size() < MOST) {
                KNOWN.put(name, path);
            }
        }
        return path;
    }
}
