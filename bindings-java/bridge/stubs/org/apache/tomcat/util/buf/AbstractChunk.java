package org.apache.tomcat.util.buf;

/** What {@code io.github.trilane} calls of Tomcat's class, to compile against. */
public class AbstractChunk {
    public native int getStart();

    public native int getLength();
}
