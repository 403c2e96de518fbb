package com.sun.net.httpserver;

import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.util.concurrent.Executor;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.Wrapper;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/**
 * What the test programs use of the module jdk.httpserver, over an embedded Tomcat: for runtimes that lack the module.
 * The programs are the same, and requests come in by Tomcat's door instead.
 */
public class HttpServer {
    private final Tomcat tomcat = new Tomcat();
    private final Connector connector = new Connector();
    private final Context context;
    private int servlets;

    private HttpServer(InetSocketAddress address) throws IOException {
        File home = Files.createTempDirectory("tomcat").toFile();
        home.deleteOnExit();
        tomcat.setBaseDir(home.getPath());
        connector.setProperty("address", address.getHostString());
        connector.setPort(address.getPort());
        tomcat.setConnector(connector);
        context = tomcat.addContext("", null);
    }

    public static HttpServer create(InetSocketAddress address, int backlog) throws IOException {
        java.util.logging.Logger.getLogger("org.apache").setLevel(java.util.logging.Level.OFF);
        return new HttpServer(address);
    }

    /** Tomcat has threads of its own. */
    public void setExecutor(Executor executor) {
    }

    public HttpContext createContext(String path, HttpHandler handler) {
        String name = "servlet" + servlets++;
        Wrapper wrapper = Tomcat.addServlet(context, name, new HttpServlet() {
            @Override
            protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
                handler.handle(new HttpExchange(request, response));
            }
        });
        wrapper.setAsyncSupported(true);
        context.addServletMappingDecoded(path.endsWith("/") ? path + "*" : path, name);
        return new HttpContext();
    }

    public void start() {
        try {
            tomcat.start();
        } catch (LifecycleException e) {
            throw new IllegalStateException(e);
        }
    }

    public InetSocketAddress getAddress() {
        return new InetSocketAddress("127.0.0.1", connector.getLocalPort());
    }
}
