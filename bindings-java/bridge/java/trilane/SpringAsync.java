package java.trilane;

/** Hooks of Spring's executors that stand on no pool of the JDK. */
public final class SpringAsync {
    private SpringAsync() {}

    /** {@code SimpleAsyncTaskExecutor.doExecute}: a new thread, plain or virtual, for each task. */
    public static Object task(Object task) {
        return Trilane.carries(Trilane.SPRING_ASYNC) ? Tasks.carried(task) : task;
    }
}
