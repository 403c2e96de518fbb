package java.trilane;

import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.concurrent.ConcurrentHashMap;

/** Scopes of tasks that cannot be wrapped: kept beside them, by identity, and no longer than they are there. */
final class Kept {
    private final ConcurrentHashMap<Key, Scope> scopes = new ConcurrentHashMap<Key, Scope>();
    private final ReferenceQueue<Object> gone = new ReferenceQueue<Object>();

    void put(Object task, Scope scope) {
        for (Object key = gone.poll(); key != null; key = gone.poll()) {
            scopes.remove(key);
        }
        scopes.put(new Key(task, gone), scope);
    }

    /** Null where none was kept. */
    Scope get(Object task) {
        return scopes.get(new Key(task, null));
    }

    /** The same, for a task that runs once. */
    Scope take(Object task) {
        return scopes.remove(new Key(task, null));
    }

    private static final class Key extends WeakReference<Object> {
        private final int hash;

        Key(Object task, ReferenceQueue<Object> queue) {
            super(task, queue);
            hash = System.identityHashCode(task);
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public boolean equals(Object other) {
            if (this == other) {
                return true;
            }
            Object task = get();
            return task != null && other instanceof Key && ((Key) other).get() == task;
        }
    }
}
