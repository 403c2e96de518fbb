package java.trilane;

/** Hooks of virtual threads and of executors that start a thread per task. */
public final class VirtualThreads {
    private VirtualThreads() {}

    /** The task of a new thread. */
    public static Object task(Object task) {
        if (!Trilane.carries(Trilane.VIRTUAL_THREADS)) {
            return task;
        }
        Scope scope = Trilane.current();
        return scope == null || task == null || task instanceof CarriedBase ? task : new Carried(scope, task);
    }
}
