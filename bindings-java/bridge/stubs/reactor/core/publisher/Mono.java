package reactor.core.publisher;

import reactor.core.CoreSubscriber;

/** What {@code io.github.trilane} calls of Reactor's class, to compile against. */
public abstract class Mono<T> {
    public abstract void subscribe(CoreSubscriber<? super T> actual);
}
