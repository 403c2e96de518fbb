package java.trilane;

/** Tasks that are handed to a thread which starts clean. */
final class Tasks {
    private Tasks() {}

    /** The task in the scope of this thread; as it is where there is none, or where another hook wrapped it. */
    static Object carried(Object task) {
        Scope scope = Trilane.current();
        boolean asItIs = scope == null || task == null || task instanceof CarriedBase || JdkClientWork.is(task);
        return asItIs ? task : new Carried(scope, task);
    }
}
