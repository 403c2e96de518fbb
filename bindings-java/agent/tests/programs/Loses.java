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
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.SynchronousQueue;

/**
 * A service that calls its neighbour in three ways. /queue: by a thread of its own that waits on a queue of its own,
 * with HttpURLConnection; /queue/client: the same with java.net.http, both with the request's x-request-id; /pool: by
 * a pool; all else: by the request's own thread.
 */
public class Loses {
    static final BlockingQueue<String[]> WORK = new LinkedBlockingQueue<>();
    static final SynchronousQueue<String> DONE = new SynchronousQueue<>();
    static final ExecutorService POOL = Executors.newFixedThreadPool(2);
    static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] args) throws Exception {
        Thread worker = new Thread(Loses::work, "worker");
        worker.setDaemon(true);
        worker.start();
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(2));
        server.createContext("/", exchange -> answer(exchange, args[0]));
        server.start();
        System.out.println("ready " + server.getAddress().getPort());
        System.in.read(); // the test closes our input when it is done
        System.exit(0);
    }

    static void answer(HttpExchange exchange, String url) throws IOException {
        String path = exchange.getRequestURI().toString();
        String said;
        try {
            if (path.startsWith("/queue")) {
                WORK.put(new String[] {path, url, exchange.getRequestHeaders().getFirst("x-request-id")});
                said = DONE.take();
            } else if (path.startsWith("/pool")) {
                said = POOL.submit(() -> byConnection(url, null)).get();
            } else {
                said = byConnection(url, null);
            }
        } catch (Exception e) {
            said = e.toString();
        }
        byte[] body = said.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    static void work() {
        try {
            while (true) {
                String[] work = WORK.take();
                DONE.put(work[0].endsWith("client") ? byClient(work[1], work[2]) : byConnection(work[1], work[2]));
            }
        } catch (Exception e) {
            e.printStackTrace();
        }
    }

    static String byClient(String url, String id) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url));
        if (id != null) {
            request.header("x-request-id", id);
        }
        return CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString()).body();
    }

    static String byConnection(String url, String id) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        if (id != null) {
            connection.setRequestProperty("x-request-id", id);
        }
        try (InputStream in = connection.getInputStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
