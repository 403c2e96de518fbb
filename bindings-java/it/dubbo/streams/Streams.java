package it;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import org.apache.dubbo.common.stream.StreamObserver;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/** A provider of Triple streams that calls on for every message, or (with {@code http}) a program that opens them. */
public class Streams implements Flows {
    private final String name = System.getProperty("name");
    private Chain next;
    private Flows streams;

    public static void main(String[] args) throws Exception {
        Streams program = new Streams();
        DubboBootstrap bootstrap = DubboBootstrap.getInstance()
                .application(new ApplicationConfig(System.getProperty("app", program.name)))
                .registry(new RegistryConfig(System.getProperty("registry")));
        boolean asks = System.getProperty("http") != null;
        ReferenceConfig<Chain> chain = reference(Chain.class, "c");
        ReferenceConfig<Flows> service = reference(Flows.class, "s");
        if (asks) {
            bootstrap.reference(service);
        } else {
            ServiceConfig<Flows> own = new ServiceConfig<>();
            own.setInterface(Flows.class);
            own.setGroup("s");
            own.setRef(program);
            ProtocolConfig protocol = new ProtocolConfig("tri", Integer.getInteger("port"));
            protocol.setThreads(2); // few, so that requests of all lanes meet on each
            bootstrap.reference(chain).protocol(protocol).service(own);
        }
        bootstrap.start();
        int port = 0;
        if (asks) {
            program.streams = service.get();
            port = program.serve();
        } else {
            program.next = chain.get();
        }
        System.out.println("READY " + port);
        bootstrap.await();
    }

    private static <T> ReferenceConfig<T> reference(Class<T> type, String group) {
        ReferenceConfig<T> reference = new ReferenceConfig<>();
        reference.setInterface(type);
        reference.setGroup(group);
        reference.setCheck(false);
        reference.setTimeout(15000);
        return reference;
    }

    @Override
    public void many(String how, StreamObserver<String> answers) {
        for (int i = 0; i < 3; i++) {
            answers.onNext(name + " > " + next.chain(""));
        }
        answers.onCompleted();
    }

    @Override
    public StreamObserver<String> both(StreamObserver<String> answers) {
        return new StreamObserver<String>() {
            @Override
            public void onNext(String message) {
                if (message.equals("fail")) {
                    throw new IllegalStateException("as the caller asked for");
                }
                answers.onNext(name + " > " + next.chain(""));
            }

            @Override
            public void onError(Throwable why) {}

            @Override
            public void onCompleted() {
                answers.onNext(name + " > " + next.chain(""));
                answers.onCompleted();
            }
        };
    }

    @Override
    public CompletableFuture<String> mono(String how) {
        return Mono.fromCallable(() -> next.chain("")).subscribeOn(Schedulers.boundedElastic())
                .publishOn(Schedulers.parallel()).flatMap(first -> Mono.fromCallable(() -> next.chain(""))
                        .subscribeOn(Schedulers.boundedElastic()).map(second -> first + " + " + second))
                .map(rest -> name + " > " + rest).toFuture();
    }

    /** {@code /many}, {@code /both}, {@code /failing}, {@code /mono}. */
    private int serve() throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", this::answer);
        server.start();
        return server.getAddress().getPort();
    }

    private String ask(String path) throws Exception {
        Answers answers = new Answers();
        switch (path) {
            case "/many":
                streams.many("", answers);
                break;
            case "/mono":
                return streams.mono("").get();
            default:
                StreamObserver<String> requests = streams.both(answers);
                for (int i = 0; i < 2; i++) {
                    requests.onNext("");
                }
                if (path.equals("/failing")) {
                    requests.onNext("fail");
                }
                requests.onCompleted();
        }
        return answers.done.get();
    }

    private static final class Answers implements StreamObserver<String> {
        final CompletableFuture<String> done = new CompletableFuture<>();
        final List<String> all = new CopyOnWriteArrayList<>();

        @Override
        public void onNext(String answer) {
            all.add(answer);
        }

        @Override
        public void onError(Throwable why) {
            done.completeExceptionally(why);
        }

        @Override
        public void onCompleted() {
            done.complete(String.join(", ", all));
        }
    }

    private void answer(HttpExchange exchange) throws java.io.IOException {
        int status = 200;
        String body;
        try {
            body = ask(exchange.getRequestURI().getPath());
        } catch (Exception why) {
            status = 500;
            body = String.valueOf(why);
        }
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
