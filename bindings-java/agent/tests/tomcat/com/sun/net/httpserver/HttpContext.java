package com.sun.net.httpserver;

/** See {@link HttpServer}; nothing is asked of it. */
public class HttpContext {
}
