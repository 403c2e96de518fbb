package java.trilane;

import java.util.ArrayList;
import java.util.Collection;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountedCompleter;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.RecursiveAction;
import java.util.concurrent.RecursiveTask;

/** Hooks of {@code ForkJoinPool} and {@code ForkJoinTask}. */
public final class ForkJoin {
    private ForkJoin() {}

    /** A {@code Runnable} or {@code Callable} on its way into a pool. */
    public static Object runnable(Object task) {
        if (!Trilane.carries(Trilane.FORK_JOIN)) {
            return task;
        }
        Scope scope = Trilane.current();
        return scope == null || task == null || leaveAlone(task) ? task : new Carried(scope, task);
    }

    private static boolean leaveAlone(Object task) {
        return task instanceof CarriedBase
                || JdkClientWork.is(task)
                || (task instanceof CompletableFuture.AsynchronousCompletionTask
                        && Trilane.on(Trilane.COMPLETABLE_FUTURE))
                // A virtual thread's continuation: its thread has a scope of its own.
                || task.getClass().getName().startsWith("java.lang.");
    }

    /** A {@code ForkJoinTask} on its way into a pool: a task of ours runs it. */
    public static Object task(Object task) {
        if (!Trilane.carries(Trilane.FORK_JOIN)) {
            return task;
        }
        Scope scope = Trilane.current();
        return scope == null || !ends(task) ? task : new Carrier(scope, (ForkJoinTask<?>) task);
    }

    /** Any other task may leave {@code exec} unfinished for good, as an actor's mailbox does: to wait for it holds a worker. */
    private static boolean ends(Object task) {
        return task instanceof RecursiveTask
                || task instanceof RecursiveAction
                || task instanceof CountedCompleter
                || (task != null && task.getClass().getName().startsWith("java.util.concurrent.ForkJoinTask$"));
    }

    /** {@code submit} returns the task it was given. */
    public static Object original(Object task) {
        return task instanceof Carrier ? ((Carrier) task).task : task;
    }

    /** The tasks of {@code invokeAll} and {@code invokeAny}. */
    public static Object all(Object tasks) {
        if (!Trilane.carries(Trilane.FORK_JOIN) || Trilane.current() == null || tasks == null) {
            return tasks;
        }
        try {
            Collection<?> given = (Collection<?>) tasks;
            ArrayList<Object> wrapped = new ArrayList<Object>(given.size());
            for (Object task : given) {
                wrapped.add(runnable(task));
            }
            return wrapped;
        } catch (Throwable cause) {
            Trilane.failed("fork-join", cause);
            return tasks;
        }
    }

    /** {@code invoke()}: the caller runs this very task itself, in its own scope. */
    public static void own(Object task) {
        if (!Trilane.seen) {
            return;
        }
        Holder holder = Trilane.holderOrNull();
        if (holder != null && holder.scope != null) {
            holder.own = task;
        }
    }

    /** {@code doExec}: any other task that a tagged thread runs here may be somebody else's. */
    public static void enter(Object task) {
        if (!Trilane.seen) {
            return;
        }
        Holder holder = Trilane.holderOrNull();
        if (holder == null || holder.scope == null) {
            return;
        }
        if (holder.own == task) {
            holder.own = null;
            return;
        }
        if (Trilane.on(Trilane.FORK_JOIN)) {
            holder.enter(task);
            holder.scope = null;
        }
    }

    /** The end of {@code doExec}. */
    public static void exit(Object task) {
        if (!Trilane.seen) {
            return;
        }
        Holder holder = Trilane.holderOrNull();
        if (holder != null) {
            holder.exit(task);
        }
    }

    /** Runs a task of the application in the scope of whoever handed it in. */
    private static final class Carrier extends ForkJoinTask<Object> {
        private static final long serialVersionUID = 1L;

        private final transient Scope scope;
        final transient ForkJoinTask<?> task;
        private transient Object result;

        Carrier(Scope scope, ForkJoinTask<?> task) {
            this.scope = scope;
            this.task = task;
        }

        @Override
        public Object getRawResult() {
            return result;
        }

        @Override
        protected void setRawResult(Object value) {
            result = value;
        }

        @Override
        protected boolean exec() {
            Holder holder = Trilane.holder();
            Scope before = holder.scope;
            holder.scope = scope;
            holder.own = task;
            try {
                task.quietlyInvoke();
            } finally {
                holder.scope = before;
                holder.own = null;
            }
            Throwable thrown = task.getException();
            if (thrown != null) {
                throw Trilane.<RuntimeException>rethrow(thrown);
            }
            result = task.getRawResult();
            return true;
        }
    }
}
