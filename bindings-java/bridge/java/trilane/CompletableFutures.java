package java.trilane;

/** Hooks of {@code CompletableFuture}. */
public final class CompletableFutures {
    private CompletableFutures() {}

    /**
     * The function of a stage keeps the scope of the thread that made the stage. A stage made without a tag is
     * wrapped too once tags are about: whoever completes a shared future must not lend it theirs.
     */
    public static Object stage(Object function) {
        if (!Trilane.carries(Trilane.COMPLETABLE_FUTURE) || function == null || function instanceof CarriedBase) {
            return function;
        }
        return new Carried(Trilane.current(), function);
    }

    /** The same for functions of two arguments. */
    public static Object stageOfTwo(Object function) {
        if (!Trilane.carries(Trilane.COMPLETABLE_FUTURE) || function == null || function instanceof CarriedBase) {
            return function;
        }
        return new Carried.Two(Trilane.current(), function);
    }
}
