import com.sun.net.httpserver.Headers;
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
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * An ordinary service that tells every header it got, but for those that the protocol needs, and asks its neighbour.
 *
 * <p>Gate NAME end | Gate NAME connection URL | Gate NAME client URL. {@code /via?to=URL} redirects; a header
 * {@code x-own} becomes {@code x-a} of the call to the neighbour.
 */
public class Gate {
    static final HttpClient CLIENT = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
    static final ExecutorService POOL = Executors.newFixedThreadPool(4);

    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", exchange -> answer(exchange, args));
        server.start();
        System.out.println("ready " + server.getAddress().getPort());
        System.in.read(); // the test closes our input when it is done
        System.exit(0);
    }

    static void answer(HttpExchange exchange, String[] args) throws IOException {
        String path = exchange.getRequestURI().toString();
        if (path.startsWith("/via") && args[1].equals("end")) {
            exchange.getResponseHeaders().set("Location", path.substring(path.indexOf('=') + 1));
            exchange.sendResponseHeaders(302, -1);
            exchange.close();
            return;
        }
        TreeMap<String, String> seen = new TreeMap<>();
        Headers headers = exchange.getRequestHeaders();
        for (String name : headers.keySet()) {
            String lower = name.toLowerCase();
            if (lower.startsWith("x-") || lower.startsWith("_") || lower.equals("baggage") || lower.contains(".")) {
                seen.put(lower, String.join("+", headers.get(name)));
            }
        }
        String said = args[0] + seen;
        try {
            String own = headers.getFirst("x-own");
            if (args[1].equals("connection")) {
                said += ">" + POOL.submit(() -> byConnection(args[2] + path, own)).get();
            } else if (args[1].equals("client")) {
                said += ">" + CompletableFuture.supplyAsync(() -> request(args[2] + path, own))
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

    static String byConnection(String url, String own) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        if (own != null) {
            connection.setRequestProperty("X-A", own);
        }
        try (InputStream in = connection.getInputStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    static HttpRequest request(String url, String own) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(url));
        if (own != null) {
            builder.header("X-A", own);
        }
        return builder.build();
    }
}
