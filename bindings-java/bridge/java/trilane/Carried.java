package java.trilane;

import java.util.concurrent.Callable;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * A task or function that runs in the scope of the thread that handed it over, and restores the runner's own.
 *
 * <p>One class for nearly all shapes: the hooked place casts to the one it declares, and calls only that.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Carried extends CarriedBase implements Runnable, Callable, Supplier, Function, Consumer, BiConsumer {
    Carried(Scope scope, Object task) {
        super(scope, task);
    }

    @Override
    public void run() {
        Holder holder = Trilane.holder();
        Scope before = enter(holder);
        try {
            ((Runnable) task).run();
        } finally {
            holder.scope = before;
        }
    }

    @Override
    public Object call() throws Exception {
        Holder holder = Trilane.holder();
        Scope before = enter(holder);
        try {
            return ((Callable) task).call();
        } finally {
            holder.scope = before;
        }
    }

    @Override
    public Object get() {
        Holder holder = Trilane.holder();
        Scope before = enter(holder);
        try {
            return ((Supplier) task).get();
        } finally {
            holder.scope = before;
        }
    }

    @Override
    public Object apply(Object value) {
        Holder holder = Trilane.holder();
        Scope before = enter(holder);
        try {
            return ((Function) task).apply(value);
        } finally {
            holder.scope = before;
        }
    }

    @Override
    public void accept(Object value) {
        Holder holder = Trilane.holder();
        Scope before = enter(holder);
        try {
            ((Consumer) task).accept(value);
        } finally {
            holder.scope = before;
        }
    }

    @Override
    public void accept(Object first, Object second) {
        Holder holder = Trilane.holder();
        Scope before = enter(holder);
        try {
            ((BiConsumer) task).accept(first, second);
        } finally {
            holder.scope = before;
        }
    }

    /** {@code BiFunction} in a class of its own: its {@code andThen} cannot stand beside that of {@code Function}. */
    static final class Two extends CarriedBase implements BiFunction {
        Two(Scope scope, Object task) {
            super(scope, task);
        }

        @Override
        public Object apply(Object first, Object second) {
            Holder holder = Trilane.holder();
            Scope before = enter(holder);
            try {
                return ((BiFunction) task).apply(first, second);
            } finally {
                holder.scope = before;
            }
        }
    }
}
