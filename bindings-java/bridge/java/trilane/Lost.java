package java.trilane;

/**
 * Calls that leave without a tag from a thread of which nobody knows why it has none: it serves no request, and runs
 * no task that one of our hand-overs has seen. At most one such call a second is looked at, by its stack; the engine
 * counts it if requests with tags came in at that time (TRL-323).
 */
final class Lost {
    private static final long PAUSE = 1000000000L;
    /** What runs tasks that were handed over: who gave them away had no tag. */
    private static final String[] HANDED_OVER = {
        "java.util.concurrent.ThreadPoolExecutor",
        "java.util.concurrent.ForkJoin",
        "java.util.concurrent.FutureTask",
        "java.util.concurrent.CompletableFuture",
        "java.util.concurrent.ThreadPerTaskExecutor",
        "java.util.TimerThread",
    };
    /** Not the application's own classes; a stack without one of those is a library's own business. */
    private static final String[] LIBRARIES = {
        "java.", "javax.", "jakarta.", "jdk.", "sun.", "com.sun.", "org.springframework.", "org.apache.", "okhttp3.",
        "okio.", "feign.", "io.netty.", "reactor.", "kotlin", "com.alibaba.", "com.netflix.", "io.opentelemetry.",
    };

    /** Classes that were made at run time beside the application's own, in its package: CGLIB's, the JDK's, Dubbo's. */
    private static final String[] MADE = {"$$", ".$Proxy", "DubboProxy"};

    private static volatile long next = System.nanoTime();

    private Lost() {}

    /** True where a call without a tag is to be looked at; the holder of its thread, null for none. */
    static boolean suspect(Holder holder) {
        return (holder == null || holder.frame == null) && System.nanoTime() - next >= 0;
    }

    /** Looks where the call is made, and tells the engine. */
    static void tell() {
        next = System.nanoTime() + PAUSE;
        String site = site(new Throwable().getStackTrace());
        if (site != null) {
            Native.lost(site);
        }
    }

    /** The application's innermost frame; null if it has none, or if the task was handed over. */
    private static String site(StackTraceElement[] stack) {
        String site = null;
        for (int i = 0; i < stack.length; i++) {
            String type = stack[i].getClassName();
            if (startsWith(type, HANDED_OVER)) {
                return null;
            }
            if (site == null && !startsWith(type, LIBRARIES) && !made(type)) {
                site = stack[i].toString();
            }
        }
        return site;
    }

    private static boolean made(String type) {
        for (int i = 0; i < MADE.length; i++) {
            if (type.contains(MADE[i])) {
                return true;
            }
        }
        return false;
    }

    private static boolean startsWith(String type, String[] prefixes) {
        for (int i = 0; i < prefixes.length; i++) {
            if (type.startsWith(prefixes[i])) {
                return true;
            }
        }
        return false;
    }
}
