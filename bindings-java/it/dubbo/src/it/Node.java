package it;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.service.GenericService;

/**
 * An ordinary program: a Dubbo provider, a consumer behind a small web server, or both. Settings are properties:
 * {@code name}, {@code app}, {@code registry} (several with commas); a provider has {@code protocol} and {@code port};
 * {@code next} names the group of the next hop; {@code url} its addresses, where no registry gives them; {@code http} opens the web server,
 * and {@code local} lets that call the program's own service inside the process.
 */
public class Node implements Chain {
    private final String name = System.getProperty("name");
    private Chain next;
    private Chain local;
    private Chain own;
    private GenericService generic;
    private final Map<String, Chain> groups = new ConcurrentHashMap<>();

    public static void main(String[] args) throws Exception {
        Node node = new Node();
        List<RegistryConfig> registries = new ArrayList<>();
        for (String address : System.getProperty("registry", "N/A").split(",")) {
            registries.add(new RegistryConfig(address));
        }
        DubboBootstrap bootstrap = DubboBootstrap.getInstance()
                .application(new ApplicationConfig(System.getProperty("app", node.name)))
                .registries(registries);
        ReferenceConfig<Chain> reference = reference(System.getProperty("next"));
        if (reference != null) {
            bootstrap.reference(reference);
        }
        if (System.getProperty("port") != null) {
            bootstrap.protocol(new ProtocolConfig(System.getProperty("protocol"), Integer.getInteger("port")));
            ServiceConfig<Chain> service = new ServiceConfig<>();
            service.setInterface(Chain.class);
            service.setGroup(System.getProperty("group"));
            service.setRef(node);
            bootstrap.service(service);
        }
        bootstrap.start();
        node.next = reference == null ? null : reference.get();
        if (System.getProperty("local") != null) {
            ReferenceConfig<Chain> inside = reference(System.getProperty("group"));
            inside.setScope("local");
            node.local = inside.get();
        }
        int http = System.getProperty("http") == null ? 0 : node.serve();
        System.out.println("READY " + http);
        bootstrap.await();
    }

    private static ReferenceConfig<Chain> reference(String group) {
        if (group == null) {
            return null;
        }
        ReferenceConfig<Chain> reference = new ReferenceConfig<>();
        reference.setInterface(Chain.class);
        reference.setGroup(group);
        reference.setCheck(false);
        reference.setTimeout(45000);
        reference.setUrl(System.getProperty("url"));
        reference.setCluster(System.getProperty("cluster"));
        return reference;
    }

    @Override
    public String chain(String how) {
        if (how.equals("seen")) {
            String seen = name + seen();
            return next == null ? seen : seen + " > " + next.chain(how);
        }
        return next == null ? name : name + " > " + next.chain(how);
    }

    /** Which of these attachments came with the call; {@code dubbo.tag} Dubbo itself keeps to itself. */
    private static String seen() {
        StringBuilder seen = new StringBuilder();
        for (String key : new String[] {"x-mse-tag", "__microservice_tag__", "baggage", "x-a"}) {
            String value = RpcContext.getContext().getAttachment(key);
            seen.append(value == null ? "" : " " + key + "=" + value);
        }
        return seen.toString();
    }

    /** Goes on from a thread of the common pool. */
    @Override
    public CompletableFuture<String> later(String how) {
        if (next == null) {
            return CompletableFuture.supplyAsync(() -> name);
        }
        return CompletableFuture.supplyAsync(() -> next.chain(how)).thenApply(rest -> name + " > " + rest);
    }

    /**
     * {@code /chain}, {@code /later}, {@code /local}, {@code /own}, {@code /generic}, {@code /seen}, {@code /groups},
     * {@code /same}, {@code /alone}. The program itself puts {@code ?tag=x} on the call, {@code &force} too, and
     * {@code ?put=name:value;name:value}.
     */
    private int serve() throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", this::answer);
        server.start();
        return server.getAddress().getPort();
    }

    private String call(String path) throws Exception {
        switch (path) {
            case "/later":
                return next.later("").get();
            case "/seen":
                return next.chain("seen");
            case "/generic":
                String[] types = {String.class.getName()};
                return String.valueOf(generic().$invoke("chain", types, new Object[] {""}));
            case "/groups":
                return groups.computeIfAbsent("a,c", group -> reference(group).get()).chain("");
            case "/same":
                return groups.computeIfAbsent("same", group -> reference(group).get()).chain("");
            case "/own":
                return own().chain("");
            case "/local":
                return local.chain("") + " | " + next.chain("");
            default:
                return next.chain("");
        }
    }

    /** The next hop without its interface. */
    private synchronized GenericService generic() {
        if (generic == null) {
            ReferenceConfig<GenericService> reference = new ReferenceConfig<>();
            reference.setInterface(Chain.class.getName());
            reference.setGeneric("true");
            reference.setGroup(System.getProperty("next"));
            reference.setCheck(false);
            reference.setTimeout(45000);
            generic = reference.get();
        }
        return generic;
    }

    /** The next hop by a reference that is configured to ask for gray copies. */
    private synchronized Chain own() {
        if (own == null) {
            ReferenceConfig<Chain> reference = reference(System.getProperty("next"));
            reference.setTag("gray");
            own = reference.get();
        }
        return own;
    }

    /** A call from a thread that has nothing of its request. */
    private String alone(String query) throws Exception {
        CompletableFuture<String> done = new CompletableFuture<>();
        new Thread(() -> {
            try {
                done.complete(asked(query, "/chain"));
            } catch (Throwable why) {
                done.completeExceptionally(why);
            }
        }).start();
        return done.get();
    }

    private String asked(String query, String path) throws Exception {
        if (query.startsWith("tag=")) {
            RpcContext.getContext().setAttachment("dubbo.tag", query.substring(4).replace("&force", ""));
        }
        for (String pair : query.startsWith("put=") ? query.substring(4).split(";") : new String[0]) {
            RpcContext.getContext().setAttachment(pair.split(":", 2)[0], pair.split(":", 2)[1]);
        }
        if (query.endsWith("&force")) {
            RpcContext.getContext().setAttachment("dubbo.force.tag", "true");
        }
        return call(path);
    }

    private void answer(HttpExchange exchange) throws IOException {
        int status = 200;
        String body;
        try {
            String query = String.valueOf(exchange.getRequestURI().getQuery());
            String path = exchange.getRequestURI().getPath();
            body = path.equals("/alone") ? alone(query) : asked(query, path);
        } catch (Exception e) {
            status = 500;
            body = String.valueOf(e);
        }
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
