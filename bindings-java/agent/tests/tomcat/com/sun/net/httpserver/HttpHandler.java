package com.sun.net.httpserver;

import java.io.IOException;

/** See {@link HttpServer}. */
public interface HttpHandler {
    void handle(HttpExchange exchange) throws IOException;
}
