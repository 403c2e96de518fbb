package java.trilane;

/** Hooks of virtual threads and of executors that start a thread per task. */
public final class VirtualThreads {
    private VirtualThreads() {}

    /** The task of a new thread. */
    public static Object task(Object task) {
        return Trilane.carries(Trilane.VIRTUAL_THREADS) ? Tasks.carried(task) : task;
    }
}
