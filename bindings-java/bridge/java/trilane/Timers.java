package java.trilane;

/**
 * Hooks of {@code java.util.Timer}. The queue reads private state of its tasks, so they cannot be wrapped: their
 * scopes are kept beside them, weakly, and set by the timer's own thread between two tasks.
 */
public final class Timers {
    private static final Kept SCOPES = new Kept();
    private static final Class<?> TIMER_THREAD = timerThread();

    private Timers() {}

    private static Class<?> timerThread() {
        try {
            return Class.forName("java.util.TimerThread", false, null);
        } catch (Throwable absent) {
            return null;
        }
    }

    /** {@code Timer.sched}: on the thread that schedules. */
    public static void scheduled(Object task) {
        if (!Trilane.carries(Trilane.TIMER) || task == null) {
            return;
        }
        Scope scope = Trilane.current();
        if (scope != null) {
            SCOPES.put(task, scope);
        }
    }

    /** {@code TaskQueue.getMin}: the timer's thread looks at its next task; whatever it ran before is over. */
    public static Object head(Object task) {
        if (Trilane.seen && Thread.currentThread().getClass() == TIMER_THREAD) {
            Holder holder = Trilane.holder();
            holder.scope = null;
            holder.timerTask = task;
        }
        return task;
    }

    /** {@code removeMin}, {@code rescheduleMin}: the task at the head is due, and runs next on this thread. */
    public static void taken() {
        if (!Trilane.seen || Thread.currentThread().getClass() != TIMER_THREAD) {
            return;
        }
        Holder holder = Trilane.holder();
        Object task = holder.timerTask;
        holder.timerTask = null;
        if (task != null && Trilane.on(Trilane.TIMER)) {
            holder.scope = SCOPES.get(task);
        }
    }
}
