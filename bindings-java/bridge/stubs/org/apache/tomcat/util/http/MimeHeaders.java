package org.apache.tomcat.util.http;

import org.apache.tomcat.util.buf.MessageBytes;

/** What {@code io.github.trilane} calls of Tomcat's class, to compile against. */
public class MimeHeaders {
    public native MessageBytes getValue(int at);

    public native int findHeader(String name, int from);
}
