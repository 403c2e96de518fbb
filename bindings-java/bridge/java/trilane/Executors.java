package java.trilane;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingDeque;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.LinkedTransferQueue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;

/** Hooks of {@code java.util.concurrent}'s pools. */
public final class Executors {
    private Executors() {}

    /** The inner task of a {@code FutureTask}: what lies in the queue stays the application's own future. */
    public static Object inner(Object task) {
        if (!Trilane.carries(Trilane.EXECUTORS)) {
            return task;
        }
        Scope scope = Trilane.current();
        return scope == null || task == null || task instanceof CarriedBase ? task : new Carried(scope, task);
    }

    /** A task on its way into a pool. */
    public static Object execute(Object task, Object pool) {
        if (!Trilane.carries(Trilane.EXECUTORS)) {
            return task;
        }
        Scope scope = Trilane.current();
        if (scope == null || task == null || carriesItself(task)) {
            return task;
        }
        try {
            return keepsNoOrder(((ThreadPoolExecutor) pool).getQueue()) ? new Carried(scope, task) : task;
        } catch (Throwable cause) {
            Trilane.failed("executors", cause);
            return task;
        }
    }

    /** Tasks that hold their scope inside, so that wrapping them would only hide what they are, or that have none. */
    private static boolean carriesItself(Object task) {
        return task instanceof CarriedBase
                || JdkClientWork.is(task)
                || task instanceof FutureTask
                || (task instanceof CompletableFuture.AsynchronousCompletionTask
                        && Trilane.on(Trilane.COMPLETABLE_FUTURE));
    }

    /** Only queues that never look at their elements: a priority queue compares them, a foreign one may cast them. */
    private static boolean keepsNoOrder(Queue<?> queue) {
        return queue instanceof LinkedBlockingQueue
                || queue instanceof SynchronousQueue
                || queue instanceof ArrayBlockingQueue
                || queue instanceof LinkedBlockingDeque
                || queue instanceof LinkedTransferQueue;
    }

    /** {@code remove(task)} must find the wrapper of {@code task}. */
    public static Object probe(Object task) {
        boolean simple = !Trilane.seen || task == null || task instanceof FutureTask || task instanceof CarriedBase;
        return simple ? task : new Probe(task);
    }

    /** A rejection handler sees the application's task. */
    public static Object unwrap(Object task) {
        return CarriedBase.unwrap(task);
    }

    /** So does whoever takes the tasks that never ran. */
    @SuppressWarnings("unchecked")
    public static Object unwrapAll(Object tasks) {
        if (Trilane.seen && tasks instanceof List) {
            try {
                List<Object> list = (List<Object>) tasks;
                for (int i = 0; i < list.size(); i++) {
                    Object task = list.get(i);
                    if (task instanceof CarriedBase) {
                        list.set(i, ((CarriedBase) task).task);
                    }
                }
            } catch (Throwable cause) {
                Trilane.failed("executors", cause);
            }
        }
        return tasks;
    }

    /** Equal to a task and to its wrapper; queues ask the element they are given, not those they hold. */
    private static final class Probe implements Runnable {
        private final Object task;

        Probe(Object task) {
            this.task = task;
        }

        @Override
        public boolean equals(Object other) {
            return task.equals(CarriedBase.unwrap(other));
        }

        @Override
        public int hashCode() {
            return task.hashCode();
        }

        @Override
        public void run() {
            ((Runnable) task).run();
        }
    }
}
