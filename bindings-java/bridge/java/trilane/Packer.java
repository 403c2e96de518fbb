package java.trilane;

import java.nio.charset.StandardCharsets;

/** Packs texts and numbers: each text is a big-endian length and its UTF-8 bytes, an absent one is length -1. */
final class Packer {
    private byte[] bytes;
    private int size;

    Packer(int capacity) {
        bytes = new byte[capacity];
    }

    void number(int value) {
        room(4);
        bytes[size++] = (byte) (value >> 24);
        bytes[size++] = (byte) (value >> 16);
        bytes[size++] = (byte) (value >> 8);
        bytes[size++] = (byte) value;
    }

    void text(String text) {
        if (text == null) {
            number(-1);
            return;
        }
        int length = text.length();
        room(4 + length);
        int start = size + 4;
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (c >= 0x80) {
                encoded(text);
                return;
            }
            bytes[start + i] = (byte) c;
        }
        number(length);
        size += length;
    }

    private void encoded(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        number(utf8.length);
        room(utf8.length);
        System.arraycopy(utf8, 0, bytes, size, utf8.length);
        size += utf8.length;
    }

    /** Bytes that are a text in UTF-8 already. */
    void bytes(byte[] from, int start, int length) {
        number(length);
        room(length);
        System.arraycopy(from, start, bytes, size, length);
        size += length;
    }

    int size() {
        return size;
    }

    /** Eight bytes, the first one the most significant; those beyond the end are anything. */
    long word(int at) {
        if (at >= size) {
            return 0;
        }
        room(8);
        long word = 0;
        for (int i = 0; i < 8; i++) {
            word = word << 8 | bytes[at + i] & 0xFF;
        }
        return word;
    }

    byte[] done() {
        if (size != bytes.length) {
            byte[] exact = new byte[size];
            System.arraycopy(bytes, 0, exact, 0, size);
            bytes = exact;
        }
        return bytes;
    }

    private void room(int more) {
        if (bytes.length - size < more) {
            byte[] grown = new byte[Math.max(bytes.length * 2, size + more)];
            System.arraycopy(bytes, 0, grown, 0, size);
            bytes = grown;
        }
    }
}
