package java.trilane;

/**
 * Hooks of {@code CompletableFuture}.
 *
 * <p>The function of a stage keeps the scope of the thread that made the stage. A stage made without a tag is wrapped
 * too once tags are about: whoever completes a shared future must not lend it theirs.
 */
public final class CompletableFutures {
    /** The executor of asynchronous stages where the common pool has one thread only: a new thread for each. */
    private static final String THREAD_PER_TASK = "java.util.concurrent.CompletableFuture$ThreadPerTaskExecutor";

    private CompletableFutures() {}

    /** A function that runs on whichever thread a pool has. */
    public static Object stage(Object function) {
        return carried(function) ? new Carried(Trilane.current(), function) : function;
    }

    /** A function that runs on this executor, or where the future is completed if that is null. */
    public static Object stageOn(Object function, Object executor) {
        if (!carried(function)) {
            return function;
        }
        Scope scope = Trilane.current();
        return scope == null && startsClean(executor) ? function : new Carried(scope, function);
    }

    /** The same for functions of two arguments. */
    public static Object stageOfTwo(Object function, Object executor) {
        if (!carried(function)) {
            return function;
        }
        Scope scope = Trilane.current();
        return scope == null && startsClean(executor) ? function : new Carried.Two(scope, function);
    }

    private static boolean carried(Object function) {
        return Trilane.carries(Trilane.COMPLETABLE_FUTURE) && function != null && !(function instanceof CarriedBase)
                && !JdkClientWork.is(function);
    }

    /** A thread that nobody ran on before has nobody's tag; to look it up would be its first use of its heap. */
    private static boolean startsClean(Object executor) {
        return executor != null && THREAD_PER_TASK.equals(executor.getClass().getName());
    }
}
