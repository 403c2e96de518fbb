package io.undertow.server;

/** Stands for the class of that name: its being loaded is what tells that the library is used. */
public class HttpServerExchange {}
