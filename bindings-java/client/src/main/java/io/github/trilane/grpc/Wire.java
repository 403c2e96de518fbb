// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.Drainable;
import io.grpc.InternalMetadata;
import io.grpc.KnownLength;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Messages, metadata and options as they cross: pairs are two little-endian lengths, the name, the value. */
final class Wire {
    private static final byte[] NOTHING = new byte[0];

    private Wire() {}

    /** Options for the native side, in the order of adding. */
    static final class Options {
        private final List<byte[]> pairs = new ArrayList<>();

        Options add(String name, String value) {
            if (value != null) {
                pairs.add(name.getBytes(StandardCharsets.UTF_8));
                pairs.add(value.getBytes(StandardCharsets.UTF_8));
            }
            return this;
        }

        byte[] bytes() {
            return pairs(pairs.toArray(new byte[0][]));
        }
    }

    /** Names and values in turn. */
    private static byte[] pairs(byte[][] parts) {
        int length = 0;
        for (byte[] part : parts) {
            length += 4 + part.length;
        }
        byte[] out = new byte[length];
        int at = 0;
        for (int i = 0; i < parts.length; i += 2) {
            int name = parts[i].length;
            int value = parts[i + 1].length;
            length(out, at, name);
            length(out, at + 4, value);
            System.arraycopy(parts[i], 0, out, at + 8, name);
            System.arraycopy(parts[i + 1], 0, out, at + 8 + name, value);
            at += 8 + name + value;
        }
        return out;
    }

    private static void length(byte[] out, int at, int n) {
        out[at] = (byte) n;
        out[at + 1] = (byte) (n >> 8);
        out[at + 2] = (byte) (n >> 16);
        out[at + 3] = (byte) (n >> 24);
    }

    /** Metadata for the native side; null if there is none. */
    static byte[] flatten(Metadata metadata) {
        if (metadata == null || InternalMetadata.headerCount(metadata) == 0) {
            return null;
        }
        return pairs(InternalMetadata.serialize(metadata));
    }

    /** Metadata out of a record. */
    static Metadata metadata(ByteBuffer from, int start, int length) {
        if (length == 0) {
            return new Metadata();
        }
        List<byte[]> pairs = new ArrayList<>();
        for (int at = start; at < start + length; ) {
            int name = from.getInt(at);
            int value = from.getInt(at + 4);
            pairs.add(bytes(from, at + 8, name));
            pairs.add(bytes(from, at + 8 + name, value));
            at += 8 + name + value;
        }
        return InternalMetadata.newMetadata(pairs.toArray(new byte[0][]));
    }

    static byte[] bytes(ByteBuffer from, int start, int length) {
        if (length == 0) {
            return NOTHING;
        }
        byte[] copy = new byte[length];
        // Buffer.position has another return type since Java 9; this form is in both.
        ((java.nio.Buffer) from).position(start);
        from.get(copy);
        return copy;
    }

    static String text(ByteBuffer from, int start, int length) {
        return length == 0 ? "" : new String(bytes(from, start, length), StandardCharsets.UTF_8);
    }

    static Status status(int code, String text) {
        Status status = Status.fromCodeValue(code);
        return text.isEmpty() ? status : status.withDescription(text);
    }

    /** A message's bytes; protobuf's own stream writes itself into the array without a copy between. */
    static byte[] message(InputStream stream) throws IOException {
        try (InputStream in = stream) {
            if (in instanceof KnownLength) {
                byte[] out = new byte[in.available()];
                int at = 0;
                while (at < out.length) {
                    int n = in.read(out, at, out.length - at);
                    if (n < 0) {
                        throw new IOException("a message said " + out.length + " bytes and has " + at);
                    }
                    at += n;
                }
                return out;
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            if (in instanceof Drainable) {
                ((Drainable) in).drainTo(out);
            } else {
                byte[] part = new byte[8192];
                for (int n = in.read(part); n >= 0; n = in.read(part)) {
                    out.write(part, 0, n);
                }
            }
            return out.toByteArray();
        }
    }

    /** A received message as marshallers like it. */
    static final class Received extends ByteArrayInputStream implements KnownLength {
        Received(byte[] message) {
            super(message);
        }
    }
}
