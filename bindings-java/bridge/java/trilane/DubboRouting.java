package java.trilane;

import java.util.Collection;
import java.util.List;
import java.util.Map;

/** Hooks of {@code AbstractDirectory} and of Dubbo's tag router: the lanes choose, Dubbo balances. */
public final class DubboRouting {
    private static final String NEED_MOCK = "invocation.need.mock";

    private DubboRouting() {}

    /** Entry of {@code list}: the answer, or null where Dubbo's own way is to be gone. */
    public static Object list(Object directory, Object invocation) {
        if (!Trilane.on(Trilane.DUBBO) || directory == null || invocation == null) {
            return null;
        }
        try {
            Map<String, Object> attachments = DubboCarriers.attachments(invocation);
            Scope scope = DubboCarriers.carry(attachments);
            DubboDirectory.State state = DubboDirectory.of(directory).current(directory);
            if (state.listing == null || state.way == DubboRules.DUBBO
                    || attachments.get(NEED_MOCK) != null || attachments.get(DubboNames.FORCE) != null) {
                return null;
            }
            if (scope == null && Trilane.seen && Lost.suspect(Trilane.holderOrNull())) {
                Lost.tell();
            }
            List<?> chosen = choose(state, state.listing, scope, directory, invocation);
            if (chosen == null && state.listing.retired()) {
                state = DubboDirectory.of(directory).current(directory);
                chosen = state.listing == null ? null : choose(state, state.listing, scope, directory, invocation);
            }
            if (chosen == null || state.way == DubboRules.SKIP) {
                return chosen;
            }
            Trilane.holder().routing = state;
            return null;
        } catch (Throwable cause) {
            Trilane.failed("dubbo-list", cause);
            return null;
        }
    }

    private static List<?> choose(DubboDirectory.State state, Listing listing, Scope scope, Object directory,
            Object invocation) throws Throwable {
        Scope by = scope == null ? state.ownTag : scope;
        return listing.choose(by, DubboCalls.READER, directory, invocation);
    }

    /** {@code TagStateRouter.doRoute}, in 2.7 {@code TagRouter.route}: lets everything pass while we choose. */
    public static Object tagRouter(Object invokers) {
        Holder holder = Trilane.holderOrNull();
        return holder != null && holder.routing != null ? invokers : null;
    }

    /** What {@code list} returns after Dubbo's routers: the lanes choose from what is left. */
    public static Object left(Object rest, Object directory, Object invocation) {
        Holder holder = Trilane.holderOrNull();
        if (holder == null || holder.routing == null || !(rest instanceof List) || ((List<?>) rest).isEmpty()) {
            return rest;
        }
        try {
            DubboDirectory.State state = (DubboDirectory.State) holder.routing;
            Listing listing = state.left(directory, ((Collection<?>) rest).toArray());
            Scope scope = DubboCarriers.carry(DubboCarriers.attachments(invocation));
            List<?> chosen = listing == null ? null : choose(state, listing, scope, directory, invocation);
            return chosen == null ? rest : chosen;
        } catch (Throwable cause) {
            Trilane.failed("dubbo-left", cause);
            return rest;
        }
    }

    /** The end of {@code list}, also by an exception. */
    public static void listed() {
        Holder holder = Trilane.holderOrNull();
        if (holder != null) {
            holder.routing = null;
        }
    }

    /** The end of each method that changes a directory's invokers. */
    public static void moved(Object directory) {
        try {
            DubboDirectory.of(directory).moved();
        } catch (Throwable cause) {
            Trilane.failed("dubbo-moved", cause);
        }
    }

    /** The end of a directory's {@code destroy}. */
    public static void ended(Object directory) {
        try {
            DubboDirectory.ended(directory);
        } catch (Throwable cause) {
            Trilane.failed("dubbo-ended", cause);
        }
    }
}
