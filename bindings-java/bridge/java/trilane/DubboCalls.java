package java.trilane;

import java.util.Map;

/** Reads what rules ask of a Dubbo call; the target is the directory that it goes through. */
final class DubboCalls extends Outgoing {
    static final Outgoing READER = new DubboCalls();

    private static final Call METHOD = new Call("getMethodName");
    private static final Call ARGUMENTS = new Call("getArguments");

    private DubboCalls() {}

    @Override
    String value(Object directory, Object invocation, String name) throws Throwable {
        if (name.charAt(0) != ':') {
            Map<String, Object> attachments = DubboCarriers.attachments(invocation);
            Object value = attachments == null ? null : attachments.get(name);
            return value instanceof String ? (String) value : null;
        }
        if (name.startsWith(":arg.")) {
            return argument(invocation, Integer.parseInt(name.substring(5)));
        }
        if (name.equals(":rpc-method")) {
            return method(invocation);
        }
        if (name.equals(":service")) {
            return DubboNames.service(directory);
        }
        return name.equals(":path") ? "/" + DubboNames.service(directory) + "/" + method(invocation) : null;
    }

    /** A generic call names its method in its first argument. */
    private static String method(Object invocation) throws Throwable {
        String name = METHOD.text(invocation);
        if (name != null && name.startsWith("$invoke")) {
            Object[] arguments = (Object[]) ARGUMENTS.on(invocation);
            if (arguments != null && arguments.length == 3 && arguments[0] instanceof String) {
                return (String) arguments[0];
            }
        }
        return name;
    }

    /** What has a short text of its own; a generic call's arguments are where Dubbo looks, too: as they are passed. */
    private static String argument(Object invocation, int at) throws Throwable {
        Object[] arguments = (Object[]) ARGUMENTS.on(invocation);
        Object argument = arguments == null || at >= arguments.length ? null : arguments[at];
        boolean plain = argument instanceof CharSequence || argument instanceof Number || argument instanceof Boolean
                || argument instanceof Character || argument instanceof Enum;
        return plain ? String.valueOf(argument) : null;
    }
}
