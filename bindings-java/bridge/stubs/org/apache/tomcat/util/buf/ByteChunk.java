package org.apache.tomcat.util.buf;

/** What {@code io.github.trilane} calls of Tomcat's class, to compile against. */
public class ByteChunk extends AbstractChunk {
    public native byte[] getBuffer();
}
