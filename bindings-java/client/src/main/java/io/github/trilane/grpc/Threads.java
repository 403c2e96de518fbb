// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Threads that are made when they are first needed; all are daemons. */
final class Threads {
    static final Executor DIRECT = Runnable::run;

    private Threads() {}

    private static ThreadFactory named(String name) {
        AtomicInteger count = new AtomicInteger();
        return task -> {
            Thread thread = new Thread(task, name + "-" + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }

    private static final class Calls {
        /** As grpc-java's default: as many threads as calls need, gone after a minute without work. */
        static final Executor POOL = new ThreadPoolExecutor(
                0, Integer.MAX_VALUE, 60, TimeUnit.SECONDS, new SynchronousQueue<>(), named("trilane-call"));
    }

    private static final class Timer {
        static final ScheduledThreadPoolExecutor POOL = new ScheduledThreadPoolExecutor(1, named("trilane-timer"));

        static {
            POOL.setRemoveOnCancelPolicy(true);
        }
    }

    /** Where listeners and handlers run unless somebody says otherwise. */
    static Executor calls() {
        return Calls.POOL;
    }

    /** Ends contexts at their deadlines. */
    static ScheduledThreadPoolExecutor timer() {
        return Timer.POOL;
    }

    static Thread start(String name, Runnable body) {
        Thread thread = new Thread(body, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }
}
