package bench;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.trilane.BenchDoor;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/**
 * A consumer that knows its providers by address or by a registry; arguments: "address" or "registry", the port of the
 * providers or of ZooKeeper, how many providers.
 *
 * <p>A line on stdin, "mode" and "on" or "off": the hooks are switched, then the line "switched". A number and "mixed",
 * "tagged" or "untagged": that many calls by four threads, then the line "done". A tagged call serves a request of lane
 * gray, which no provider is in: lanes then choose from as many providers as Dubbo alone does. Of mixed calls every
 * other one is tagged.
 */
public final class CallClient {
    /** What is called. */
    public interface Greeting {
        String greet(String name);
    }

    /** When the providers started, in milliseconds since 1970: none is warming up. */
    static final long LONG_AGO = 1700000000000L;

    private static final int THREADS = 4;
    private static final String PAYLOAD = new String(new char[100]).replace('\0', 'x');

    private CallClient() {}

    public static void main(String[] args) throws Exception {
        ApplicationConfig application = new ApplicationConfig("bench-consumer");
        application.setQosEnable(false);
        ReferenceConfig<Greeting> reference = new ReferenceConfig<Greeting>();
        reference.setInterface(Greeting.class);
        reference.setTimeout(60000);
        DubboBootstrap bootstrap = DubboBootstrap.getInstance().application(application);
        if (args[0].equals("registry")) {
            bootstrap.registry(new RegistryConfig("zookeeper://127.0.0.1:" + args[1]));
        } else {
            reference.setUrl(urls(args[1], Integer.parseInt(args[2])));
        }
        bootstrap.reference(reference).start();
        final Greeting greeting = reference.get();
        greeting.greet(PAYLOAD);
        System.out.println("ready");
        ExecutorService workers = Executors.newFixedThreadPool(THREADS);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.trim().split(" ");
            if (words[0].equals("mode")) {
                BenchDoor.mode(words[1].equals("on"));
                System.out.println("switched");
                continue;
            }
            final int calls = Integer.parseInt(words[0]) / THREADS;
            final boolean odd = !words[1].equals("untagged");
            final boolean even = words[1].equals("tagged");
            final CountDownLatch done = new CountDownLatch(THREADS);
            for (int i = 0; i < THREADS; i++) {
                workers.execute(new Runnable() {
                    @Override
                    public void run() {
                        call(greeting, calls, odd, even);
                        done.countDown();
                    }
                });
            }
            done.await();
            System.out.println("done");
        }
        System.exit(0);
    }

    static String address(int number) {
        return "127.0." + number / 250 + "." + (number % 250 + 1);
    }

    private static String urls(String port, int providers) {
        StringBuilder urls = new StringBuilder();
        for (int i = 0; i < providers; i++) {
            urls.append(i == 0 ? "" : ";").append("dubbo://").append(address(i)).append(':').append(port)
                    .append("?timestamp=").append(LONG_AGO);
        }
        return urls.toString();
    }

    /** Are the odd calls tagged, and the even ones? */
    private static void call(Greeting greeting, int calls, boolean odd, boolean even) {
        int gray = BenchDoor.tag("gray");
        for (int i = 0; i < calls; i++) {
            BenchDoor.serve(((i & 1) == 0 ? even : odd) ? gray : 0);
            if (!PAYLOAD.equals(greeting.greet(PAYLOAD))) {
                throw new IllegalStateException("another answer came back");
            }
        }
        BenchDoor.serve(0);
    }
}
