package io.github.trilane;

import java.trilane.Asked;
import java.trilane.TomcatAccess;
import org.apache.coyote.Request;
import org.apache.tomcat.util.buf.ByteChunk;
import org.apache.tomcat.util.buf.MessageBytes;
import org.apache.tomcat.util.http.MimeHeaders;

/** Tomcat's own class of requests, called directly: lives in the class loader of Tomcat and goes with it. */
public final class TomcatRequests extends TomcatAccess {
    /** {@code MessageBytes.T_BYTES}: the same number in every version. */
    private static final int BYTES = 2;

    @Override
    public void read(Object request, String[] names, Asked into) {
        MimeHeaders headers = ((Request) request).getMimeHeaders();
        for (int i = 0; i < names.length; i++) {
            int at = headers.findHeader(names[i], 0);
            MessageBytes value = at < 0 ? null : headers.getValue(at);
            if (value == null) {
                into.text(null);
            } else if (mayComeInLines(names[i])) {
                into.text(utf8(joined(headers, names[i], at)));
            } else if (value.getType() == BYTES) {
                // What came over HTTP/1.1 is bytes until somebody wants a text: for us it is never made one.
                ByteChunk bytes = value.getByteChunk();
                into.bytes(bytes.getBuffer(), bytes.getStart(), bytes.getLength());
            } else {
                into.text(utf8(value.toString()));
            }
        }
    }

    private static String joined(MimeHeaders headers, String name, int first) {
        String text = headers.getValue(first).toString();
        for (int at = headers.findHeader(name, first + 1); at >= 0; at = headers.findHeader(name, at + 1)) {
            text = text + "," + headers.getValue(at).toString();
        }
        return text;
    }

    @Override
    public void keep(Object request, String name, Object value) {
        ((Request) request).setAttribute(name, value);
    }

    @Override
    public Object kept(Object request, String name) {
        return ((Request) request).getAttribute(name);
    }
}
