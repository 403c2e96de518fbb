package java.trilane;

import java.util.Map;

/**
 * The carriers among a call's attachments: read what the application put there, write what belongs there.
 *
 * <p>What the application put stays and steers the call. Ours are known by identity: each tag's texts exist once.
 */
public final class DubboCarriers {
    static final String MEMBER = "__microservice_tag__";
    static final String HEADER = "x-mse-tag";
    private static final String MEMBER_START = "[{\"name\":\"";
    private static final String MEMBER_END = "\"}]";

    private static final Inbound.Reader READER = new Reader();
    private static final Outbound.Headers ATTACHED = new Attached();

    private static volatile Names names;

    private DubboCarriers() {}

    /**
     * {@code AbstractClusterInvoker.invoke}: before 2.7 adds the context's attachments, where the call has none of that
     * name. Since 3.0 nothing comes between this and {@link DubboRouting#list}, which carries.
     */
    public static void call(Object invocation) {
        if (!Trilane.on(Trilane.DUBBO) || invocation == null) {
            return;
        }
        try {
            DubboContext context = DubboContext.of(invocation);
            if (context.merges()) {
                carry(context.attachments(invocation));
            }
        } catch (Throwable cause) {
            Trilane.failed("dubbo-call", cause);
        }
    }

    /** {@code AbstractInvoker.invoke}: once per attempt; with 2.7 and a single direct URL nothing else runs. */
    public static void attempt(Object invocation) {
        if (!Trilane.on(Trilane.DUBBO) || invocation == null) {
            return;
        }
        try {
            DubboContext context = DubboContext.of(invocation);
            Map<String, Object> attachments = context.attachments(invocation);
            context.merge(attachments);
            carry(attachments);
        } catch (Throwable cause) {
            Trilane.failed("dubbo-attempt", cause);
        }
    }

    static Map<String, Object> attachments(Object invocation) throws Throwable {
        return DubboContext.of(invocation).attachments(invocation);
    }

    /** Writes what this call is to carry; gives the scope to route it by. Asked again, it changes nothing. */
    static Scope carry(Map<String, Object> attachments) throws Throwable {
        Scope scope = Trilane.current();
        if (scope != null && scope.pass != null && Trilane.mode == Trilane.ON) {
            pass(attachments, scope.pass);
        }
        if (scope == null || scope.id == 0) { // or it only passes headers on
            scope = Traced.of(null, ATTACHED, attachments);
        }
        Object member = attachments.get(MEMBER);
        Object tag = attachments.get(DubboNames.TAG);
        Object header = attachments.get(HEADER);
        if (scope == null ? member == null && tag == null && header == null
                : member == scope.member && tag == scope.tag && header == null) {
            return scope;
        }
        boolean ours = (header == null || isOurs(header, scope)) && (member == null || isOurs(member, scope))
                && (tag == null || isOurs(tag, scope));
        Scope of = ours ? scope : explicit(attachments, header, member, tag, scope);
        if (Trilane.mode == Trilane.ON) {
            write(attachments, of, scope);
        }
        return of;
    }

    private static void pass(Map<String, Object> attachments, String[] pass) {
        for (int i = 0; i < pass.length; i += 2) {
            if (attachments.get(pass[i]) == null) {
                attachments.put(pass[i], pass[i + 1]);
            }
        }
    }

    /** The tag that the application put on this call; the scope where what it put is no tag. */
    private static Scope explicit(Map<String, Object> attachments, Object header, Object member, Object tag,
            Scope scope) throws Throwable {
        Scope found;
        if (header == null && (member == null || isOurs(member, scope))) {
            found = tag instanceof String ? named((String) tag) : null;
        } else {
            found = Inbound.written(Native.DUBBO, READER, attachments);
        }
        return found == null ? scope : found;
    }

    private static void write(Map<String, Object> attachments, Scope of, Scope scope) {
        String[] all = names();
        for (int i = 0; i < all.length; i++) {
            Object there = attachments.get(all[i]);
            if (there != null && !isOurs(there, scope)) {
                continue;
            }
            if (of == null) {
                attachments.remove(all[i]);
            } else {
                attachments.put(all[i], all[i] == MEMBER ? of.member : of.tag);
            }
        }
        Object baggage = attachments.get(Outbound.BAGGAGE);
        if (baggage instanceof String && of != null) {
            attachments.put(Outbound.BAGGAGE, Native.baggage((String) baggage, of.tag));
        }
    }

    /** Was this value written by us, for this scope or an earlier one? */
    private static boolean isOurs(Object value, Scope scope) {
        if (scope != null && (value == scope.tag || value == scope.member)) {
            return true;
        }
        if (!(value instanceof String)) {
            return false;
        }
        String text = (String) value;
        if (text.startsWith(MEMBER_START) && text.endsWith(MEMBER_END)) {
            Scope known = known(text.substring(MEMBER_START.length(), text.length() - MEMBER_END.length()));
            return known != null && known.member == text;
        }
        Scope known = known(text);
        return known != null && known.tag == text;
    }

    private static Scope known(String tag) {
        int id = tag.isEmpty() ? 0 : Native.tagFind(tag);
        return id == 0 || id == Scope.UNKNOWN ? null : Scope.of(id);
    }

    /** The scope of a tag; null for what is no tag. */
    static Scope named(String tag) {
        int id = tag == null || tag.isEmpty() ? 0 : Native.tagFind(tag);
        if (id == 0) {
            return null;
        }
        return id == Scope.UNKNOWN ? Scope.unknown(tag) : Scope.of(id);
    }

    private static String[] names() {
        Names now = names;
        int epoch = Trilane.epoch;
        if (now == null || now.epoch != epoch) {
            String[] read = Native.carriersWrite(Native.DUBBO);
            now = new Names(epoch, read == null ? new String[0] : constants(read));
            names = now;
        }
        return now.names;
    }

    /** Names that are looked up in each call are the very constants: they are told by identity then, there and here. */
    private static String[] constants(String[] names) {
        for (int i = 0; i < names.length; i++) {
            names[i] = names[i].equals(MEMBER) ? MEMBER : names[i].equals(DubboNames.TAG) ? DubboNames.TAG : names[i];
        }
        return names;
    }

    private static final class Names {
        final int epoch;
        final String[] names;

        Names(int epoch, String[] names) {
            this.epoch = epoch;
            this.names = names;
        }
    }

    /** The attachments as headers that are read. */
    private static final class Attached extends Outbound.Headers {
        @Override
        String get(Object attachments, String name) throws Throwable {
            return READER.read(attachments, name);
        }

        @Override
        void set(Object attachments, String name, String value) {
            throw new UnsupportedOperationException(name);
        }
    }

    /** Reads the attachments themselves. */
    static class Reader extends Inbound.Reader {
        @Override
        String read(Object attachments, String name) {
            Object value = ((Map<?, ?>) attachments).get(name);
            return value instanceof String ? (String) value : null;
        }

        @Override
        @SuppressWarnings("unchecked")
        void replace(Object attachments, String name, String value) {
            if (value == null) {
                ((Map<String, Object>) attachments).remove(name);
            } else {
                ((Map<String, Object>) attachments).put(name, value);
            }
        }
    }
}
