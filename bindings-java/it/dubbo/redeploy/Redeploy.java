package it;

import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.ref.WeakReference;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.core.ThreadLocalLeakPreventionListener;
import org.apache.catalina.loader.WebappLoader;
import org.apache.catalina.startup.Tomcat;

/**
 * One Tomcat that deploys two web applications, asks both with a tag and without, and undeploys them, again and again.
 *
 * <p>Redeploy TIMES LIBRARY|- HOME NAME=FOLDER...: each folder is an unpacked web application with the servlet
 * {@code it.Web}. One line a round, {@code ROUND n NAME=tagged,untagged NAME=... at=milliseconds lists=n}; at the end
 * {@code LEFT NAME=class loaders that were not collected ... classes=loaded metaspace=KB lists=n}.
 */
public class Redeploy {
    static native long lists(String library);

    public static void main(String[] args) {
        try {
            run(args);
            System.out.println("DONE -");
        } catch (Throwable why) {
            why.printStackTrace();
        }
        System.exit(0); // Tomcat's threads would go on
    }

    static void run(String[] args) throws Exception {
        int times = Integer.parseInt(args[0]);
        boolean ours = !args[1].equals("-");
        if (ours) {
            System.load(System.getProperty("live"));
        }
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[2]);
        Connector connector = new Connector();
        connector.setProperty("address", "127.0.0.1");
        connector.setPort(0);
        tomcat.setConnector(connector);
        tomcat.getHost();
        tomcat.getServer().addLifecycleListener(new ThreadLocalLeakPreventionListener());
        tomcat.start();
        List<List<WeakReference<ClassLoader>>> loaders = new ArrayList<>();
        for (int i = 3; i < args.length; i++) {
            loaders.add(new ArrayList<>());
        }
        for (int round = 1; round <= times; round++) {
            String name = "ROUND " + round;
            CompletableFuture<String> done = new CompletableFuture<>();
            // A thread of its own: what Dubbo leaves in a thread's locals ends with it.
            Thread thread = new Thread(() -> {
                try {
                    done.complete(round(tomcat, connector, args, loaders));
                } catch (Throwable why) {
                    done.completeExceptionally(why);
                }
            }, name);
            thread.start();
            String said = done.get();
            thread.join();
            String at = " at=" + System.nanoTime() / 1_000_000;
            System.out.println(name + said + at + " lists=" + (ours ? lists(args[1]) : 0));
        }
        System.out.println(left(args, loaders) + held() + " lists=" + (ours ? lists(args[1]) : 0));
    }

    static String round(Tomcat tomcat, Connector connector, String[] args, List<List<WeakReference<ClassLoader>>> loaders)
            throws Exception {
        StringBuilder line = new StringBuilder();
        List<Context> contexts = new ArrayList<>();
        for (int i = 3; i < args.length; i++) {
            contexts.add(deploy(tomcat, args[i]));
        }
        for (int i = 3; i < args.length; i++) {
            String name = args[i].split("=")[0];
            String url = "http://127.0.0.1:" + connector.getLocalPort() + "/" + name + "/";
            line.append(' ').append(name).append('=').append(get(url, "gray")).append(',').append(get(url, null));
        }
        for (int i = 0; i < contexts.size(); i++) {
            loaders.get(i).add(new WeakReference<>(contexts.get(i).getLoader().getClassLoader()));
            tomcat.getHost().removeChild(contexts.get(i));
        }
        return line.toString();
    }

    static Context deploy(Tomcat tomcat, String named) {
        String[] parts = named.split("=");
        StandardContext context = new StandardContext();
        context.setName("/" + parts[0]);
        context.setPath("/" + parts[0]);
        context.setDocBase(parts[1]);
        context.addLifecycleListener(new Tomcat.FixContextListener());
        context.setLoader(new WebappLoader());
        context.setClearReferencesStopThreads(true);
        context.setClearReferencesStopTimerThreads(true);
        Tomcat.addServlet(context, "web", "it.Web").setLoadOnStartup(1);
        context.addServletMappingDecoded("/*", "web");
        tomcat.getHost().addChild(context); // starts it
        return context;
    }

    static String get(String url, String tag) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        if (tag != null) {
            connection.setRequestProperty("x-mse-tag", tag);
        }
        try (InputStream in = connection.getInputStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /**
     * Collects until nothing has gone away for twenty seconds: Dubbo's own threads outlive their application by up to as
     * long, and how many still run differs from run to run. The last loader of each application may be held by a
     * thread's stack.
     */
    static String left(String[] args, List<List<WeakReference<ClassLoader>>> loaders) throws InterruptedException {
        String before = "";
        for (int calm = 0; calm < 100; ) {
            System.gc();
            Thread.sleep(200); // what a reference handler or a cleaner does after a collection has no event
            StringBuilder now = new StringBuilder("LEFT");
            for (int i = 0; i < loaders.size(); i++) {
                long alive = loaders.get(i).stream().filter(loader -> loader.get() != null).count();
                now.append(' ').append(args[i + 3].split("=")[0]).append('=').append(alive);
            }
            calm = before.contentEquals(now) ? calm + 1 : 0;
            before = now.toString();
        }
        return before;
    }

    /** What the class loaders that are left keep alive, with everything else that is loaded. */
    static String held() {
        long metaspace = 0;
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            metaspace += pool.getName().equals("Metaspace") ? pool.getUsage().getUsed() >> 10 : 0;
        }
        int classes = ManagementFactory.getClassLoadingMXBean().getLoadedClassCount();
        return " classes=" + classes + " metaspace=" + metaspace;
    }
}
