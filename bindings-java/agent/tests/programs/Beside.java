import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A service with a context of its own that its pools hand on where TTL's agent is there, and a neighbour that it calls.
 *
 * <p>Beside URL
 */
public class Beside {
    static final ExecutorService POOL = Executors.newFixedThreadPool(1);

    public static void main(String[] args) throws Exception {
        InheritableThreadLocal<String> context = context();
        POOL.submit(() -> {}).get(); // its thread is made before any context is set
        CompletableFuture.runAsync(() -> {}).get();
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", exchange -> {
            context.set(exchange.getRequestHeaders().getFirst("x-user-id"));
            String said;
            try {
                said = POOL.submit(() -> context.get() + ">" + Hop.byConnection(args[0], null, null)).get();
                said += " " + CompletableFuture.supplyAsync(() -> context.get()).get();
            } catch (Exception e) {
                said = e.toString();
            } finally {
                context.remove();
            }
            byte[] body = said.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        System.out.println("ready " + server.getAddress().getPort());
        System.in.read(); // the test closes our input when it is done
        System.exit(0);
    }

    @SuppressWarnings("unchecked")
    static InheritableThreadLocal<String> context() throws Exception {
        try {
            Class<?> theirs = Class.forName("com.alibaba.ttl.TransmittableThreadLocal");
            return (InheritableThreadLocal<String>) theirs.getConstructor().newInstance();
        } catch (ClassNotFoundException notThere) {
            return new InheritableThreadLocal<>();
        }
    }
}
