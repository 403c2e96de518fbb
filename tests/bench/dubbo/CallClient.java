package bench;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.trilane.BenchDoor;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/**
 * A consumer that knows its providers by address; arguments: the port, how many of them.
 *
 * <p>A number on stdin: that many calls by four threads, then the line "done". Every other call serves a request of
 * lane gray, which no provider is in: lanes then choose from as many providers as Dubbo alone does.
 */
public final class CallClient {
    /** What is called. */
    public interface Greeting {
        String greet(String name);
    }

    private static final int THREADS = 4;
    private static final String PAYLOAD = new String(new char[100]).replace('\0', 'x');

    private CallClient() {}

    public static void main(String[] args) throws Exception {
        StringBuilder urls = new StringBuilder();
        for (int i = 0; i < Integer.parseInt(args[1]); i++) {
            urls.append(i == 0 ? "" : ";").append("dubbo://127.0.").append(i / 250).append('.').append(i % 250 + 1)
                    .append(':').append(args[0]).append("?timestamp=1700000000000");
        }
        ApplicationConfig application = new ApplicationConfig("bench-consumer");
        application.setQosEnable(false);
        ReferenceConfig<Greeting> reference = new ReferenceConfig<Greeting>();
        reference.setInterface(Greeting.class);
        reference.setUrl(urls.toString());
        reference.setTimeout(60000);
        DubboBootstrap.getInstance().application(application).reference(reference).start();
        final Greeting greeting = reference.get();
        greeting.greet(PAYLOAD);
        System.out.println("ready");
        ExecutorService workers = Executors.newFixedThreadPool(THREADS);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            final int calls = Integer.parseInt(line.trim()) / THREADS;
            final CountDownLatch done = new CountDownLatch(THREADS);
            for (int i = 0; i < THREADS; i++) {
                workers.execute(new Runnable() {
                    @Override
                    public void run() {
                        call(greeting, calls);
                        done.countDown();
                    }
                });
            }
            done.await();
            System.out.println("done");
        }
        System.exit(0);
    }

    private static void call(Greeting greeting, int calls) {
        int gray = BenchDoor.tag("gray");
        for (int i = 0; i < calls; i++) {
            BenchDoor.serve((i & 1) == 0 ? 0 : gray);
            if (!PAYLOAD.equals(greeting.greet(PAYLOAD))) {
                throw new IllegalStateException("another answer came back");
            }
        }
        BenchDoor.serve(0);
    }
}
