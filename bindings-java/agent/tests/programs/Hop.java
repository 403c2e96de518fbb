import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * An ordinary service that knows nothing of lanes: answers with what came in, and with its neighbour's answer.
 *
 * <p>Hop NAME end | Hop NAME pool URL (pool, HttpURLConnection) | Hop NAME future URL (CompletableFuture, java.net.http)
 */
public class Hop {
    static final HttpClient CLIENT = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
    static final ExecutorService POOL = Executors.newFixedThreadPool(4);

    public static void main(String[] args) throws Exception {
        String name = args[0];
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(16));
        server.createContext("/", exchange -> answer(exchange, name, args));
        server.start();
        System.out.println("ready " + server.getAddress().getPort());
        System.in.read(); // the test closes our input when it is done
        System.exit(0);
    }

    static void answer(HttpExchange exchange, String name, String[] args) throws IOException {
        String path = exchange.getRequestURI().toString();
        if (path.startsWith("/throw")) {
            throw new IllegalStateException("on purpose");
        }
        if (path.startsWith("/via") && args[1].equals("end")) {
            exchange.getResponseHeaders().set("Location", path.substring(path.indexOf('=') + 1));
            exchange.sendResponseHeaders(302, -1);
            exchange.close();
            return;
        }
        if (path.startsWith("/spawn")) {
            spawn();
        }
        String said = name + "(" + exchange.getRequestHeaders().getFirst("x-mse-tag") + baggage(exchange) + ")";
        try {
            if (args[1].equals("pool")) {
                String own = exchange.getRequestHeaders().getFirst("x-own");
                String bag = exchange.getRequestHeaders().getFirst("x-bag");
                said += ">" + POOL.submit(() -> byConnection(args[2] + path, own, bag)).get();
            } else if (args[1].equals("future")) {
                String own = exchange.getRequestHeaders().getFirst("x-own");
                String bag = exchange.getRequestHeaders().getFirst("x-bag");
                said += ">" + CompletableFuture.supplyAsync(() -> request(args[2] + path, own, bag))
                        .thenCompose(request -> CLIENT.sendAsync(request, HttpResponse.BodyHandlers.ofString()))
                        .thenApply(HttpResponse::body).get();
            }
        } catch (Exception e) {
            said += "!" + e;
        }
        byte[] body = said.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    /** Runs another program to its end, as many programs do. */
    static void spawn() throws IOException {
        Process child = new ProcessBuilder("sh", "-c", "echo child").redirectErrorStream(true).start();
        try (InputStream in = child.getInputStream()) {
            String said = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            if (!said.equals("child\n") || child.waitFor() != 0) {
                throw new IOException("the child said " + said);
            }
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    static String baggage(HttpExchange exchange) {
        List<String> baggage = exchange.getRequestHeaders().get("baggage");
        return baggage == null ? "" : " " + baggage;
    }

    static String byConnection(String url, String own, String bag) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        if (own != null) {
            connection.setRequestProperty("x-mse-tag", own);
        }
        if (bag != null) {
            connection.setRequestProperty("baggage", bag);
        }
        try (InputStream in = connection.getInputStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    static final Map<String, HttpRequest> REUSED = new java.util.concurrent.ConcurrentHashMap<>();

    static HttpRequest request(String url, String own, String bag) {
        if (own == null && bag == null) {
            return REUSED.computeIfAbsent(url, u -> HttpRequest.newBuilder(URI.create(u)).build());
        }
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(url));
        if (own != null) {
            builder.header("x-mse-tag", own);
        }
        if (bag != null) {
            builder.header("baggage", bag);
        }
        return builder.build();
    }
}
