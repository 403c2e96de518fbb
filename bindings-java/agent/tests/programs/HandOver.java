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
import java.util.Arrays;
import java.util.Comparator;
import java.util.Map;
import java.util.TimerTask;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.concurrent.RecursiveTask;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** One handler that hands work over in every way the JDK has, and tells which tag each way's own call carried. */
public class HandOver {
    static int port;
    static final ExecutorService POOL = Executors.newFixedThreadPool(2);
    static final ScheduledExecutorService SCHEDULED = Executors.newScheduledThreadPool(1);
    static final ForkJoinPool FORK_JOIN = new ForkJoinPool(2);
    static final java.util.Timer TIMER = new java.util.Timer(true);
    static CompletableFuture<String> shared = new CompletableFuture<>();

    interface Way {
        String run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/echo", exchange -> reply(exchange, exchange.getRequestHeaders().getFirst("x-mse-tag")));
        server.createContext("/all", HandOver::all);
        server.createContext("/wait", exchange -> reply(exchange, waitForShared()));
        server.createContext("/complete", exchange -> {
            shared.complete("done");
            reply(exchange, "completed");
        });
        server.createContext("/join", exchange -> reply(exchange, join()));
        server.createContext("/help", exchange -> reply(exchange, help()));
        server.start();
        port = server.getAddress().getPort();
        System.out.println("ready " + port);
        System.in.read();
        System.exit(0);
    }

    static void reply(HttpExchange exchange, String said) throws IOException {
        byte[] body = String.valueOf(said).getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    /** The tag that a call from here carries. */
    static String tag() {
        try {
            URL url = new URL("http://127.0.0.1:" + port + "/echo");
            try (InputStream in = ((HttpURLConnection) url.openConnection()).getInputStream()) {
                return new String(in.readAllBytes(), StandardCharsets.UTF_8);
            }
        } catch (IOException e) {
            return e.toString();
        }
    }

    static void all(HttpExchange exchange) throws IOException {
        Map<String, Way> ways = new TreeMap<>();
        ways.put("here", HandOver::tag);
        executors(ways);
        forkJoin(ways);
        futures(ways);
        clients(ways);
        others(ways);
        StringBuilder said = new StringBuilder();
        ways.forEach((name, way) -> {
            String got;
            try {
                got = way.run();
            } catch (Throwable e) {
                got = e.toString();
            }
            said.append(name).append('=').append(got).append('\n');
        });
        reply(exchange, said.toString());
    }

    static void executors(Map<String, Way> ways) {
        ways.put("pool.submit", () -> POOL.submit(HandOver::tag).get());
        ways.put("pool.submit.runnable", () -> {
            String[] got = new String[1];
            POOL.submit(() -> { got[0] = tag(); }).get();
            return got[0];
        });
        ways.put("pool.execute", () -> {
            FutureTask<String> task = new FutureTask<>(HandOver::tag);
            POOL.execute(task);
            return task.get();
        });
        ways.put("pool.execute.runnable", () -> {
            CompletableFuture<String> got = new CompletableFuture<>();
            POOL.execute(() -> got.complete(tag()));
            return got.get();
        });
        ways.put("pool.invokeAll", () -> POOL.invokeAll(Arrays.<Callable<String>>asList(HandOver::tag)).get(0).get());
        ways.put("pool.schedule", () -> SCHEDULED.schedule(HandOver::tag, 1, TimeUnit.MILLISECONDS).get());
        ways.put("pool.remove", () -> String.valueOf(removeFindsTheTask()));
        ways.put("pool.rejected", () -> String.valueOf(rejectionSeesTheTask()));
        ways.put("pool.priority", () -> String.valueOf(priorityQueueWorks()));
        ways.put("pool.own-queue", () -> String.valueOf(ownQueueWorks()));
        ways.put("pool.own-before", () -> String.valueOf(ownBeforeWorks()));
        ways.put("pool.caller-runs", () -> {
            ThreadPoolExecutor full = new ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, new SynchronousQueue<>(),
                    new ThreadPoolExecutor.CallerRunsPolicy());
            CountDownLatch gate = new CountDownLatch(1);
            full.execute(() -> await(gate));
            String[] got = new String[1];
            full.execute(() -> { got[0] = tag(); });
            gate.countDown();
            full.shutdown();
            return got[0] + " " + tag();
        });
    }

    static void forkJoin(Map<String, Way> ways) {
        ways.put("fork-join.submit", () -> FORK_JOIN.submit(HandOver::tag).get());
        ways.put("fork-join.execute", () -> {
            CompletableFuture<String> got = new CompletableFuture<>();
            FORK_JOIN.execute(() -> got.complete(tag()));
            return got.get();
        });
        ways.put("fork-join.invoke", () -> FORK_JOIN.invoke(new Leaf()));
        ways.put("fork-join.submit.task", () -> {
            Leaf leaf = new Leaf();
            ForkJoinTask<String> returned = FORK_JOIN.submit(leaf);
            return returned.get() + (returned == leaf ? "" : " but another task came back");
        });
        ways.put("fork-join.invokeAll",
                () -> FORK_JOIN.invokeAll(Arrays.<Callable<String>>asList(HandOver::tag)).get(0).get());
        ways.put("fork-join.invokeAny", () -> FORK_JOIN.invokeAny(Arrays.<Callable<String>>asList(HandOver::tag)));
        ways.put("fork-join.exception", () -> {
            try {
                FORK_JOIN.invoke(new RecursiveTask<String>() {
                    @Override
                    protected String compute() {
                        throw new IllegalStateException("tag " + tag());
                    }
                });
                return "no exception";
            } catch (IllegalStateException e) {
                String text = e.getMessage();
                return text.substring(text.lastIndexOf("tag ") + 4);
            }
        });
        ways.put("fork-join.never-ends", () -> String.valueOf(tasksThatNeverEndHoldNoThread()));
        ways.put("fork-join.own-invoke", () -> new Leaf().invoke());
    }

    static void futures(Map<String, Way> ways) {
        ways.put("future.supplyAsync", () -> CompletableFuture.supplyAsync(HandOver::tag).get());
        ways.put("future.supplyAsync.pool", () -> CompletableFuture.supplyAsync(HandOver::tag, POOL).get());
        ways.put("future.supplyAsync.own-executor",
                () -> CompletableFuture.supplyAsync(HandOver::tag, task -> new Thread(task).start()).get());
        ways.put("future.thenApplyAsync", () -> byBareThread(f -> f.thenApplyAsync(x -> tag())));
        ways.put("future.thenApply", () -> byBareThread(f -> f.thenApply(x -> tag())));
        ways.put("future.thenCompose",
                () -> byBareThread(f -> f.thenCompose(x -> CompletableFuture.supplyAsync(HandOver::tag))));
        ways.put("future.exceptionally", () -> byBareThread(f -> f.thenApply(x -> {
            if (x != null) {
                throw new IllegalStateException("on purpose");
            }
            return "not thrown";
        }).exceptionally(e -> tag())));
        ways.put("future.handle", () -> byBareThread(f -> f.handle((x, e) -> tag())));
        ways.put("future.thenCombine", () -> byBareThread(f -> {
            CompletableFuture<String> other = new CompletableFuture<>();
            CompletableFuture<String> both = f.thenCombine(other, (x, y) -> tag());
            new Thread(() -> other.complete("y")).start();
            return both;
        }));
        ways.put("future.whenComplete", () -> {
            String[] got = new String[1];
            byBareThread(f -> f.whenComplete((x, e) -> got[0] = tag()));
            return got[0];
        });
        ways.put("future.delayed", () -> {
            CompletableFuture<String> got = new CompletableFuture<>();
            CompletableFuture.delayedExecutor(1, TimeUnit.MILLISECONDS, POOL).execute(() -> got.complete(tag()));
            return got.get();
        });
        ways.put("future.runAfterEither", () -> {
            CompletableFuture<String> got = new CompletableFuture<>();
            byBareThread(f -> f.runAfterEither(new CompletableFuture<>(), () -> got.complete(tag())));
            return got.get();
        });
    }

    static final HttpClient CLIENT = HttpClient.newHttpClient();
    static final HttpClient CLIENT_ON_POOL = HttpClient.newBuilder().executor(POOL).build();

    static void clients(Map<String, Way> ways) {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/echo")).build();
        HttpResponse.BodyHandler<String> text = HttpResponse.BodyHandlers.ofString();
        ways.put("client.stage", () -> CLIENT.sendAsync(request, text).thenApply(x -> x.body() + " " + tag()).get());
        ways.put("client.stage.async",
                () -> CLIENT_ON_POOL.sendAsync(request, text).thenApplyAsync(x -> x.body() + " " + tag(), POOL).get());
        // A body handler is the client's business, done on whichever thread: in its call's lane or in none.
        ways.put("client.handler", () -> {
            String[] got = new String[1];
            CLIENT_ON_POOL.send(request, about -> {
                got[0] = tag();
                return HttpResponse.BodySubscribers.discarding();
            });
            String own = tag();
            return own + " " + (got[0].equals("null") || got[0].equals(own) ? own : "but in the handler " + got[0]);
        });
    }

    static void others(Map<String, Way> ways) {
        ways.put("timer.once", () -> {
            CompletableFuture<String> got = new CompletableFuture<>();
            TIMER.schedule(timerTask(got), 1);
            return got.get();
        });
        ways.put("timer.repeated", () -> {
            LinkedBlockingQueue<String> got = new LinkedBlockingQueue<>();
            TimerTask task = new TimerTask() {
                @Override
                public void run() {
                    got.add(tag());
                }
            };
            TIMER.schedule(task, 1, 5);
            String both = got.take() + "+" + got.take();
            return both + " cancelled=" + task.cancel() + " again=" + task.cancel();
        });
        try {
            java.lang.reflect.Method start = Thread.class.getMethod("startVirtualThread", Runnable.class);
            ways.put("virtual.start", () -> {
                CompletableFuture<String> got = new CompletableFuture<>();
                start.invoke(null, (Runnable) () -> got.complete(tag()));
                return got.get();
            });
            ways.put("virtual.pool", () -> {
                CompletableFuture<String> got = new CompletableFuture<>();
                virtualPool().execute(() -> got.complete(tag()));
                return got.get();
            });
            java.lang.reflect.Method make = Executors.class.getMethod("newVirtualThreadPerTaskExecutor");
            ways.put("virtual.submit", () -> {
                ExecutorService each = (ExecutorService) make.invoke(null);
                Future<String> got = each.submit(HandOver::tag);
                each.shutdown();
                return got.get();
            });
        } catch (NoSuchMethodException olderThan21) {
            // this JDK has no virtual threads
        }
    }

    static TimerTask timerTask(CompletableFuture<String> got) {
        return new TimerTask() {
            @Override
            public void run() {
                got.complete(tag());
            }
        };
    }

    /** What the stage gives whose future a thread completes that nobody handed anything to. */
    static <T> T byBareThread(Function<CompletableFuture<String>, CompletableFuture<T>> stage) throws Exception {
        CompletableFuture<String> future = new CompletableFuture<>();
        CompletableFuture<T> after = stage.apply(future); // written down before the value is there
        new Thread(() -> future.complete("x")).start();
        return after.get();
    }

    static class Leaf extends RecursiveTask<String> {
        @Override
        protected String compute() {
            return tag();
        }
    }

    static void await(CountDownLatch gate) {
        try {
            gate.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    static boolean removeFindsTheTask() {
        ThreadPoolExecutor pool =
                new ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
        CountDownLatch gate = new CountDownLatch(1);
        pool.execute(() -> await(gate));
        Runnable never = () -> System.out.println("removed tasks do not run");
        pool.execute(never);
        boolean removed = pool.remove(never);
        Runnable left = () -> System.out.println("nor do these");
        pool.execute(left);
        boolean same = pool.shutdownNow().get(0) == left;
        gate.countDown();
        return removed && same;
    }

    static boolean rejectionSeesTheTask() {
        boolean[] same = new boolean[1];
        Runnable task = () -> { };
        BlockingQueue<Runnable> queue = new SynchronousQueue<>();
        ThreadPoolExecutor pool = new ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, queue,
                (rejected, by) -> same[0] = rejected == task);
        CountDownLatch gate = new CountDownLatch(1);
        pool.execute(() -> await(gate));
        pool.execute(task);
        gate.countDown();
        pool.shutdown();
        return same[0];
    }

    static class Job implements Runnable {
        final int rank;
        volatile boolean begun;
        volatile boolean ran;

        Job(int rank) {
            this.rank = rank;
        }

        @Override
        public void run() {
            ran = true;
        }
    }

    /** A comparator that casts: a wrapper in this queue would throw into the application. */
    static boolean priorityQueueWorks() throws InterruptedException {
        PriorityBlockingQueue<Runnable> queue =
                new PriorityBlockingQueue<>(8, Comparator.comparingInt(job -> ((Job) job).rank));
        ThreadPoolExecutor pool = new ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, queue);
        for (int i = 0; i < 8; i++) {
            pool.execute(new Job(i));
        }
        pool.shutdown();
        return pool.awaitTermination(120, TimeUnit.SECONDS);
    }

    static class OwnQueue extends LinkedBlockingQueue<Runnable> {
        @Override
        public boolean offer(Runnable task) {
            return ((Job) task).rank >= 0 && super.offer(task);
        }
    }

    /** Casts as well, and so do the pools of those who count or name their jobs. */
    static boolean ownQueueWorks() throws InterruptedException {
        return runsJobs(new ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, new OwnQueue()));
    }

    static boolean ownBeforeWorks() throws InterruptedException {
        return runsJobs(new ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>()) {
            @Override
            protected void beforeExecute(Thread thread, Runnable task) {
                ((Job) task).begun = true;
            }
        });
    }

    static boolean runsJobs(ThreadPoolExecutor pool) throws InterruptedException {
        Job[] jobs = new Job[4];
        for (int i = 0; i < jobs.length; i++) {
            jobs[i] = new Job(i);
            pool.execute(jobs[i]);
        }
        pool.shutdown();
        return pool.awaitTermination(120, TimeUnit.SECONDS) && Arrays.stream(jobs).allMatch(job -> job.ran);
    }

    /** An actor's mailbox: it does its work, and never says that it is done. */
    static boolean tasksThatNeverEndHoldNoThread() throws Exception {
        ForkJoinPool pool = new ForkJoinPool(2);
        for (int i = 0; i < 20; i++) {
            CountDownLatch ran = new CountDownLatch(1);
            pool.execute(new ForkJoinTask<Void>() {
                @Override
                public Void getRawResult() {
                    return null;
                }

                @Override
                protected void setRawResult(Void value) {
                }

                @Override
                protected boolean exec() {
                    ran.countDown();
                    return false;
                }
            });
            ran.await();
        }
        boolean few = pool.getPoolSize() <= 2;
        pool.shutdown();
        return few;
    }

    private static ExecutorService virtual;

    /** One worker on a virtual thread, made by whoever comes first. */
    static synchronized ExecutorService virtualPool() throws Exception {
        if (virtual == null) {
            Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
            Class<?> type = Class.forName("java.lang.Thread$Builder");
            java.util.concurrent.ThreadFactory factory =
                    (java.util.concurrent.ThreadFactory) type.getMethod("factory").invoke(builder);
            virtual = Executors.newFixedThreadPool(1, factory);
        }
        return virtual;
    }

    static String waitForShared() {
        shared = new CompletableFuture<>();
        CompletableFuture<String> mine = shared.thenApply(x -> tag());
        System.out.println("waiting");
        try {
            return mine.get(120, TimeUnit.SECONDS);
        } catch (Exception e) {
            return e.toString();
        }
    }

    static final ForkJoinPool ONE = new ForkJoinPool(1);

    /** A worker that waits in join runs what lies in its own queue: tasks forked by it, without the request's tag. */
    static String join() {
        return ONE.invoke(new RecursiveTask<String>() {
            @Override
            protected String compute() {
                Leaf forked = new Leaf();
                forked.fork();
                String inner = forked.join();
                return inner + " then " + tag();
            }
        });
    }

    /** The worker forks a task, another thread without a request puts one beside it, then the worker helps itself. */
    static String help() {
        return ONE.invoke(new RecursiveTask<String>() {
            @Override
            protected String compute() {
                CompletableFuture<String> helped = new CompletableFuture<>();
                Thread stranger = new Thread(() -> ONE.execute(() -> helped.complete(tag())));
                stranger.start();
                try {
                    stranger.join();
                } catch (InterruptedException e) {
                    return e.toString();
                }
                ForkJoinTask.helpQuiesce();
                return "helped=" + helped.getNow("not yet") + " then " + tag();
            }
        });
    }
}
