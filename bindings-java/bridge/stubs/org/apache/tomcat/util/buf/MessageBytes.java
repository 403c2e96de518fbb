package org.apache.tomcat.util.buf;

/** What {@code io.github.trilane} calls of Tomcat's class, to compile against. */
public class MessageBytes {
    public native int getType();

    public native ByteChunk getByteChunk();
}
