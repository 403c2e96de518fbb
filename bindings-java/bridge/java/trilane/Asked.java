package java.trilane;

import java.nio.charset.StandardCharsets;

/** The values of one request in the order of the names that the engine asked for, packed as they are read. */
public final class Asked {
    static final int LONGEST_VALUE = 64 * 1024;
    /** So many bytes cross in registers and on the stack; the native side holds the same number. */
    private static final int SHORT = 48;

    private final Packer packer = new Packer(96);

    Asked() {}

    /** One value; null if the request has none. */
    public void text(String value) {
        packer.text(value == null || value.length() > LONGEST_VALUE ? null : value);
    }

    /** One value as the bytes that came. */
    public void bytes(byte[] from, int start, int length) {
        if (length > LONGEST_VALUE) {
            packer.text(null);
        } else {
            packer.bytes(from, start, length);
        }
    }

    /** Has the engine decide. */
    long decide(int kind, int snapshot) {
        int size = packer.size();
        if (size > SHORT) {
            return Native.inbound(kind, snapshot, packer.done());
        }
        return Native.inboundShort(kind, snapshot, size, packer.word(0), packer.word(8), packer.word(16),
                packer.word(24), packer.word(32), packer.word(40));
    }

    /** Some ASCII bytes of one value; null if it has not so many. */
    String cut(int value, int offset, int length) {
        byte[] all = packer.done();
        int at = 0;
        for (int i = 0; at + 4 <= all.length; i++) {
            int size = (all[at] & 0xFF) << 24 | (all[at + 1] & 0xFF) << 16 | (all[at + 2] & 0xFF) << 8
                    | all[at + 3] & 0xFF;
            at += 4;
            if (i == value) {
                boolean within = length > 0 && offset + length <= size;
                return within ? new String(all, at + offset, length, StandardCharsets.US_ASCII) : null;
            }
            at += Math.max(size, 0);
        }
        return null;
    }
}
