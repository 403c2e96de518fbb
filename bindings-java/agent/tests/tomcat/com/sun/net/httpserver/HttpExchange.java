package com.sun.net.httpserver;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.Collections;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** See {@link HttpServer}. */
public class HttpExchange {
    private final HttpServletRequest request;
    private final HttpServletResponse response;
    private final Headers incoming = new Headers();
    private final Headers outgoing = new Headers();

    HttpExchange(HttpServletRequest request, HttpServletResponse response) {
        this.request = request;
        this.response = response;
        for (String name : Collections.list(request.getHeaderNames())) {
            incoming.put(name, Collections.list(request.getHeaders(name)));
        }
    }

    public URI getRequestURI() {
        String query = request.getQueryString();
        return URI.create(request.getRequestURI() + (query == null ? "" : "?" + query));
    }

    public Headers getRequestHeaders() {
        return incoming;
    }

    public Headers getResponseHeaders() {
        return outgoing;
    }

    /** -1: an answer without a body. */
    public void sendResponseHeaders(int status, long length) {
        response.setStatus(status);
        outgoing.forEach((name, values) -> values.forEach(value -> response.addHeader(name, value)));
        response.setContentLengthLong(Math.max(length, 0));
    }

    public OutputStream getResponseBody() throws IOException {
        return response.getOutputStream();
    }

    public void close() {
        try {
            response.flushBuffer();
        } catch (IOException goneAway) {
            // its client will not miss it
        }
    }
}
