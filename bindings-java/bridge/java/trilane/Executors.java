package java.trilane;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
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
    /** Frameworks' own queues that never look at their elements. */
    private static final Set<String> BLIND = new HashSet<String>(Arrays.asList(
            "org.apache.tomcat.util.threads.TaskQueue",
            "org.apache.dubbo.common.threadpool.MemoryLimitedLinkedBlockingQueue",
            "org.apache.dubbo.common.threadpool.MemorySafeLinkedBlockingQueue",
            "org.apache.dubbo.common.threadpool.support.eager.TaskQueue"));
    /** Frameworks' own pools whose {@code beforeExecute} or {@code afterExecute} takes any task. */
    private static final Set<String> EASY = new HashSet<String>(Arrays.asList(
            "org.apache.tomcat.util.threads.ThreadPoolExecutor",
            "org.apache.dubbo.common.threadpool.support.eager.EagerThreadPoolExecutor",
            "org.springframework.scheduling.concurrent.ThreadPoolTaskExecutor$1"));
    /** Whether tasks may be wrapped for pools of a class, or for queues of one. */
    private static final ClassValue<Boolean> WRAPS = new Wraps();

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
            boolean wraps = WRAPS.get(pool.getClass()) && WRAPS.get(((ThreadPoolExecutor) pool).getQueue().getClass());
            return wraps ? new Carried(scope, task) : task;
        } catch (Throwable cause) {
            Trilane.failed("executors", cause);
            return task;
        }
    }

    /** A task that another one's thread will run: without a tag, too, it must not get that one's. */
    public static Object queued(Object task) {
        boolean asItIs = !Trilane.carries(Trilane.EXECUTORS) || task == null || task instanceof CarriedBase;
        return asItIs ? task : new Carried(Trilane.current(), task);
    }

    /** Tasks that hold their scope inside, so that wrapping them would only hide what they are, or that have none. */
    private static boolean carriesItself(Object task) {
        return task instanceof CarriedBase
                || JdkClientWork.is(task)
                || task instanceof FutureTask
                || (task instanceof CompletableFuture.AsynchronousCompletionTask
                        && Trilane.on(Trilane.COMPLETABLE_FUTURE));
    }

    /** An application's own queue or pool may cast what it is given: a wrapper would throw into it. */
    private static final class Wraps extends ClassValue<Boolean> {
        @Override
        protected Boolean computeValue(Class<?> type) {
            return Queue.class.isAssignableFrom(type) ? isBlind(type) : !looks(type);
        }

        private static boolean isBlind(Class<?> type) {
            return type == LinkedBlockingQueue.class
                    || type == SynchronousQueue.class
                    || type == ArrayBlockingQueue.class
                    || type == LinkedBlockingDeque.class
                    || type == LinkedTransferQueue.class
                    || BLIND.contains(type.getName());
        }

        private static boolean looks(Class<?> type) {
            for (Class<?> at = type; at != ThreadPoolExecutor.class && at != null; at = at.getSuperclass()) {
                if (!EASY.contains(at.getName()) && (has(at, "beforeExecute", Thread.class, Runnable.class)
                        || has(at, "afterExecute", Runnable.class, Throwable.class))) {
                    return true;
                }
            }
            return false;
        }

        private static boolean has(Class<?> type, String name, Class<?>... params) {
            try {
                return type.getDeclaredMethod(name, params) != null;
            } catch (NoSuchMethodException none) {
                return false;
            } catch (LinkageError unknown) {
                return true;
            }
        }
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
