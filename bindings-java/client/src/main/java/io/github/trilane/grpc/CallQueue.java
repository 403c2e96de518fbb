// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import io.grpc.Context;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;

/** What happens to one call, one thing after the other, on the call's executor, in its context and its lane. */
final class CallQueue extends AtomicInteger implements Runnable {
    private static final long serialVersionUID = 1;

    private final transient Executor executor;
    private final transient Context context;
    private final transient String lane;
    private final transient ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();

    CallQueue(Executor executor, Context context, String lane) {
        this.executor = executor;
        this.context = context;
        this.lane = lane;
    }

    /** Never throws: an executor that refuses (it was shut down) means that the last events run here. */
    void add(Runnable task) {
        tasks.add(task);
        if (getAndIncrement() == 0) {
            try {
                executor.execute(this);
            } catch (Throwable e) { // OutOfMemoryError, too, where no thread can be made
                Hub.LOG.log(Level.FINE, "a call's executor refuses work; its events run on the poller", e);
                run();
            }
        }
    }

    @Override
    public void run() {
        Context before = context.attach();
        Lane.enter(this, lane);
        try {
            int done = 1;
            do {
                Runnable task = tasks.poll();
                if (task != null) {
                    runOne(task);
                }
            } while (addAndGet(-done) > 0);
        } finally {
            Lane.leave(this);
            context.detach(before);
        }
    }

    private static void runOne(Runnable task) {
        try {
            task.run();
        } catch (Throwable e) {
            Hub.LOG.log(Level.WARNING, "a call's listener failed", e);
        }
    }
}
