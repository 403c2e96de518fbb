package java.trilane;

/** A wrapped task and the scope it runs in. */
abstract class CarriedBase {
    /** Null: the task runs without a tag. */
    private final Scope scope;
    final Object task;

    CarriedBase(Scope scope, Object task) {
        this.scope = scope;
        this.task = task;
    }

    /** Sets the scope; gives the one to restore. */
    final Scope enter(Holder holder) {
        Scope before = holder.scope;
        holder.scope = scope;
        return before;
    }

    /** What a future or a queue prints is the application's task. */
    @Override
    public final String toString() {
        return String.valueOf(task);
    }

    /** The application's task. */
    static Object unwrap(Object task) {
        return task instanceof CarriedBase ? ((CarriedBase) task).task : task;
    }
}
