package org.apache.coyote;

import org.apache.tomcat.util.http.MimeHeaders;

/** What {@code io.github.trilane} calls of Tomcat's class, to compile against. */
public class Request {
    public native MimeHeaders getMimeHeaders();

    public native void setAttribute(String name, Object value);

    public native Object getAttribute(String name);
}
