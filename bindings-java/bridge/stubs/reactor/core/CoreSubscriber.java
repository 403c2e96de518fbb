package reactor.core;

/** What {@code io.github.trilane} names of Reactor's interface, to compile against. */
public interface CoreSubscriber<T> {}
