package java.trilane;

/**
 * What every hook asks first: is my library on, and is there a scope? Pushed by the agent, never decided here.
 *
 * <p>The classes of this package live in the boot loader. They are Java 8, use only java.base, no lambdas and no
 * string concatenation by indy (hooks run while such things are being linked), and never throw into the application.
 */
public final class Trilane {
    static final int OFF = 0;
    static final int OBSERVE = 1;
    static final int ON = 2;

    // One bit per library; the agent's table holds the same numbers, and a test compares them.
    static final long JDK_HTTP_SERVER = 1L << 0;
    static final long JDK_URL_CONNECTION = 1L << 1;
    static final long JDK_HTTP_CLIENT = 1L << 2;
    static final long EXECUTORS = 1L << 3;
    static final long FORK_JOIN = 1L << 4;
    static final long COMPLETABLE_FUTURE = 1L << 5;
    static final long TIMER = 1L << 6;
    static final long VIRTUAL_THREADS = 1L << 7;
    static final long TOMCAT = 1L << 16;
    static final long SPRING_LOADBALANCER = 1L << 17;
    static final long SPRING_REGISTRATION = 1L << 18;
    static final long SPRING_BOOT = 1L << 19;
    static final long SPRING_ASYNC = 1L << 20;
    static final long HTTPCLIENT4 = 1L << 21;
    static final long HTTPCLIENT5 = 1L << 22;
    static final long OKHTTP = 1L << 23;
    static final long DUBBO = 1L << 24;
    static final long TRIPLE = 1L << 25;

    /** Effective mode of the process. */
    static volatile int mode;
    /** Libraries whose hooks act; 0 while the mode is off. */
    static volatile long on;
    /** Moves with every push: what was read from the engine before is read again. */
    static volatile int epoch;
    /** True once any request of this process carried a tag. Before that no hand-over has anything to do. */
    static volatile boolean seen;

    private static final ThreadLocal<Holder> HOLDER = new ThreadLocal<Holder>();

    private Trilane() {}

    /** Called by the agent with every change of mode or switches. */
    static void changed(int newMode, long newOn) {
        mode = newMode;
        on = newOn;
        epoch++;
    }

    static boolean on(long library) {
        return (on & library) != 0;
    }

    /** True where a hand-over has something to hand over. */
    static boolean carries(long library) {
        return seen && (on & library) != 0;
    }

    /** The current thread's scope; null when there is none. */
    static Scope current() {
        Holder holder = HOLDER.get();
        return holder == null ? null : holder.scope;
    }

    /** The current thread's holder; null if it never had a scope. */
    static Holder holderOrNull() {
        return HOLDER.get();
    }

    static Holder holder() {
        Holder holder = HOLDER.get();
        if (holder == null) {
            holder = new Holder();
            HOLDER.set(holder);
        }
        return holder;
    }

    /** A hook failed: the application goes on, one line a minute says so. */
    static void failed(String hook, Throwable cause) {
        try {
            Native.failed(hook);
            String what = "the hook " + hook + " failed and did nothing: " + cause.getClass().getName();
            Native.log(1, "TRL-403", hook, what);
        } catch (Throwable ignored) {
            // Nothing is left to be done for a process in which even this fails.
        }
    }

    @SuppressWarnings("unchecked")
    static <T extends Throwable> RuntimeException rethrow(Throwable cause) throws T {
        throw (T) cause;
    }
}
