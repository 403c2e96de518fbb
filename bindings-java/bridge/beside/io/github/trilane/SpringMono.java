package io.github.trilane;

import java.trilane.SpringCalls;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;

/** A balancer's choice, still to be made: while it is subscribed to, the thread knows for which call it is made. */
public final class SpringMono extends Mono<Object> implements SpringCalls.Around {
    private final Mono<Object> choice;
    private final Object call;

    /** The one that makes the others. */
    public SpringMono() {
        this(null, null);
    }

    private SpringMono(Mono<Object> choice, Object call) {
        this.choice = choice;
        this.call = call;
    }

    @Override
    @SuppressWarnings("unchecked")
    public Object around(Object choice, Object call) {
        return choice instanceof SpringMono ? choice : new SpringMono((Mono<Object>) choice, call);
    }

    @Override
    public void subscribe(CoreSubscriber<? super Object> actual) {
        Object before = SpringCalls.enter(call);
        try {
            choice.subscribe(actual);
        } finally {
            SpringCalls.leave(before);
        }
    }
}
