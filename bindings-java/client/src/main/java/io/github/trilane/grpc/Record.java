// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.Metadata;
import java.nio.ByteBuffer;

/** One record of a batch, read where it is: valid only while the poller is at it. */
final class Record {
    static final int END = 1;
    static final int MESSAGE = 2;
    static final int HEADERS = 3;
    static final int ROOM = 4;
    static final int CALL = 5;
    static final int HALF_CLOSE = 6;
    static final int COMPLETE = 7;
    static final int CANCELLED = 8;

    private static final int FIXED = 40;

    private final ByteBuffer buffer;
    private int start;
    int length;
    int kind;
    long id;
    int code;

    Record(ByteBuffer buffer) {
        this.buffer = buffer;
    }

    void at(int start) {
        this.start = start;
        length = buffer.getInt(start);
        kind = buffer.getInt(start + 4);
        id = buffer.getLong(start + 8);
        code = buffer.getInt(start + 16);
    }

    private int size(int part) {
        return buffer.getInt(start + 20 + 4 * part);
    }

    private int place(int part) {
        int at = start + FIXED;
        for (int i = 0; i < part; i++) {
            at += size(i);
        }
        return at;
    }

    String text() {
        return Wire.text(buffer, place(0), size(0));
    }

    private String details() {
        return Wire.text(buffer, place(1), size(1));
    }

    boolean hasHeaders() {
        return size(2) > 0;
    }

    Metadata headers() {
        return Wire.metadata(buffer, place(2), size(2));
    }

    Metadata trailers() {
        return Wire.metadata(buffer, place(3), size(3));
    }

    /** Of a CALL: the path as it was on the wire. */
    String path() {
        return details();
    }

    /** Of a CALL: whom the caller asked for; it stands in the trailers' place. */
    String authority() {
        return Wire.text(buffer, place(3), size(3));
    }

    /** Of a CALL: the server's number; it stands behind the time that is left. */
    int server() {
        return buffer.getInt(place(4) + 8);
    }

    /** Of a CALL: the tag that it came with; empty for the baseline. */
    String lane() {
        return Wire.text(buffer, place(4) + 12, size(4) - 12);
    }

    byte[] data() {
        return Wire.bytes(buffer, place(4), size(4));
    }

    /** Of a CALL: the nanoseconds that are left; negative without a deadline. */
    long dataLong() {
        return buffer.getLong(place(4));
    }
}
