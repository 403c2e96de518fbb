import com.google.common.util.concurrent.MoreExecutors;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.Dispatcher;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.apache.hc.client5.http.async.methods.SimpleHttpRequest;
import org.apache.hc.client5.http.impl.async.CloseableHttpAsyncClient;
import org.apache.hc.client5.http.impl.async.HttpAsyncClients;
import org.apache.hc.client5.http.impl.nio.PoolingAsyncClientConnectionManagerBuilder;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.util.EntityUtils;

/** An ordinary program: each path fetches the given URL with another HTTP client. */
public class Clients {
    private static final String ID = "x-request-id";
    private static final CloseableHttpClient HC4 = HttpClients.createDefault();
    private static final CloseableHttpClient HC4_MINIMAL = HttpClients.createMinimal();
    private static final org.apache.hc.client5.http.impl.classic.CloseableHttpClient HC5 =
            org.apache.hc.client5.http.impl.classic.HttpClients.createDefault();
    /** One connection: callers wait for each other, and are sent on the client's own thread. */
    private static final CloseableHttpAsyncClient HC5_ASYNC = HttpAsyncClients.custom()
            .setConnectionManager(PoolingAsyncClientConnectionManagerBuilder.create()
                    .setMaxConnTotal(1).setMaxConnPerRoute(1).build())
            .build();
    private static final OkHttpClient OK = narrow();
    /** Guava's: whoever comes first has the pool run what the others have queued since. */
    private static final Executor IN_TURN = MoreExecutors.newSequentialExecutor(Executors.newFixedThreadPool(2));
    /** A request that is used again and again. */
    private static volatile Request reused;
    /** A call that is cloned again and again. */
    private static volatile Call template;

    /** One call at a time: the others are started by the thread that ends it. */
    private static OkHttpClient narrow() {
        Dispatcher dispatcher = new Dispatcher();
        dispatcher.setMaxRequestsPerHost(1);
        return new OkHttpClient.Builder().dispatcher(dispatcher).build();
    }

    private static String fetch(String client, String url, String id) throws Exception {
        switch (client) {
            case "/hc4":
                return hc4(HC4, url, id);
            case "/hc4-minimal":
                return hc4(HC4_MINIMAL, url, id);
            case "/hc5":
                org.apache.hc.client5.http.classic.methods.HttpGet get =
                        new org.apache.hc.client5.http.classic.methods.HttpGet(url);
                if (id != null) {
                    get.setHeader(ID, id);
                }
                return HC5.execute(get,
                        answer -> org.apache.hc.core5.http.io.entity.EntityUtils.toString(answer.getEntity()));
            case "/hc5-async":
                SimpleHttpRequest request = new SimpleHttpRequest("GET", URI.create(url));
                if (id != null) {
                    request.setHeader(ID, id);
                }
                return HC5_ASYNC.execute(request, null).get().getBodyText();
            case "/okhttp":
                return body(OK.newCall(request(url, id)).execute());
            case "/okhttp-async":
                return enqueue(OK.newCall(request(url, id)), null);
            case "/okhttp-callback":
                return enqueue(OK.newCall(request(url, id)), request(url, id));
            case "/okhttp-in-turn":
                CompletableFuture<String> done = new CompletableFuture<>();
                IN_TURN.execute(() -> {
                    try {
                        done.complete(body(OK.newCall(request(url, id)).execute()));
                    } catch (Throwable why) {
                        done.completeExceptionally(why);
                    }
                });
                return done.get();
            case "/okhttp-reused":
                if (reused == null) {
                    reused = OK.newCall(request(url, id)).request();
                }
                return body(OK.newCall(reused).execute());
            case "/okhttp-clone":
                if (template == null) {
                    template = OK.newCall(request(url, id));
                }
                return body(template.clone().execute());
            default:
                throw new IllegalArgumentException(client);
        }
    }

    private static String hc4(CloseableHttpClient client, String url, String id) throws IOException {
        HttpGet get = new HttpGet(url);
        if (id != null) {
            get.setHeader(ID, id);
        }
        try (CloseableHttpResponse answer = client.execute(get)) {
            return EntityUtils.toString(answer.getEntity());
        }
    }

    private static Request request(String url, String id) {
        Request.Builder request = new Request.Builder().url(url);
        return (id == null ? request : request.header(ID, id)).build();
    }

    /** The same on a thread of the program's own, which has nothing of the request but its id. */
    private static String alone(String client, String url, String id) throws Exception {
        CompletableFuture<String> done = new CompletableFuture<>();
        new Thread(() -> {
            try {
                done.complete(fetch(client, url, id));
            } catch (Throwable why) {
                done.completeExceptionally(why);
            }
        }).start();
        return done.get();
    }

    private static String body(Response response) throws IOException {
        try (Response answer = response) {
            return answer.body().string();
        }
    }

    /** What the call brings, or what its callback fetches by another call. */
    private static String enqueue(Call call, Request next) throws Exception {
        CompletableFuture<String> done = new CompletableFuture<>();
        call.enqueue(new Callback() {
            @Override
            public void onFailure(Call failed, IOException why) {
                done.completeExceptionally(why);
            }

            @Override
            public void onResponse(Call ended, Response response) throws IOException {
                String text = body(response);
                try {
                    done.complete(next == null ? text : body(OK.newCall(next).execute()));
                } catch (Throwable why) {
                    done.completeExceptionally(why);
                }
            }
        });
        return done.get();
    }

    private static void handle(HttpExchange exchange) throws IOException {
        String text;
        int status = 200;
        try {
            String query = exchange.getRequestURI().getRawQuery();
            String client = exchange.getRequestURI().getPath();
            String url = URLDecoder.decode(query.substring(4), "UTF-8");
            boolean alone = exchange.getRequestHeaders().containsKey("x-alone");
            text = alone ? alone(client, url, exchange.getRequestHeaders().getFirst(ID)) : fetch(client, url, null);
        } catch (Throwable why) {
            why.printStackTrace();
            status = 500;
            text = String.valueOf(why);
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    public static void main(String[] args) throws IOException {
        HC5_ASYNC.start();
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 0);
        server.createContext("/", Clients::handle);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        System.out.println("ready");
    }
}
