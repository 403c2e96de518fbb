package java.trilane;

/** Hooks of virtual threads and of executors that start a thread per task. */
public final class VirtualThreads {
    /** A pool's worker runs the tasks of every request; each of those brings its own scope. */
    private static final Class<?> WORKER = worker();

    private VirtualThreads() {}

    private static Class<?> worker() {
        try {
            return Class.forName("java.util.concurrent.ThreadPoolExecutor$Worker", false, null);
        } catch (Throwable absent) {
            return Void.class;
        }
    }

    /** The task of a new thread. */
    public static Object task(Object task) {
        return Trilane.carries(Trilane.VIRTUAL_THREADS) && !WORKER.isInstance(task) ? Tasks.carried(task) : task;
    }
}
