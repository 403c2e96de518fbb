package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Enumeration;

/**
 * Hooks of Tomcat, below every valve and above HTTP/1.1, HTTP/2 and AJP alike.
 *
 * <p>An asynchronous request comes by twice. The second pass must be in the scope of the first even when the rules
 * have changed in between, so the scope is kept among the attributes of the connector's own request: no servlet sees
 * them, and Tomcat clears them before it uses the request object again.
 */
public final class Tomcat {
    private static final String KEPT = "java.trilane.scope";
    private static final Inbound.Reader READER = new RequestReader();
    private static final Beside<TomcatAccess> ACCESS =
            new Beside<TomcatAccess>("org.apache.coyote.Request", "io.github.trilane.TomcatRequests");

    private Tomcat() {}

    /** {@code CoyoteAdapter.service}: a request begins. Sets or clears. */
    public static void enter(Object request) {
        if (!Trilane.on(Trilane.TOMCAT) || request == null) {
            return;
        }
        Holder holder = Trilane.holder();
        if (!holder.enter(request)) {
            return;
        }
        Scope scope = Inbound.decide(Native.HTTP, READER, request);
        holder.scope = scope;
        if (scope != null) {
            try {
                ACCESS.get(request.getClass()).keep(request, KEPT, scope);
            } catch (Throwable cause) {
                Trilane.failed("tomcat", cause);
            }
        }
    }

    /** {@code CoyoteAdapter.asyncDispatch}: the same request goes on, on any thread. Sets or clears. */
    public static void again(Object request) {
        if (!Trilane.on(Trilane.TOMCAT) || request == null) {
            return;
        }
        Holder holder = Trilane.holder();
        if (!holder.enter(request)) {
            return;
        }
        Scope scope = null;
        try {
            Object kept = ACCESS.get(request.getClass()).kept(request, KEPT);
            scope = kept instanceof Scope ? (Scope) kept : null;
        } catch (Throwable cause) {
            Trilane.failed("tomcat", cause);
        }
        holder.scope = scope;
    }

    /** The end of either, also by an exception: restores. */
    public static void exit(Object request) {
        Holder holder = Trilane.holderOrNull();
        if (holder != null && request != null) {
            holder.exit(request);
        }
    }

    /** {@code AsyncContextImpl.start}: Tomcat's pool is a class of its own, the executors' hooks do not see it. */
    public static Object task(Object task) {
        return Trilane.carries(Trilane.TOMCAT) ? Tasks.carried(task) : task;
    }

    /** Per class of requests: has the connector fill in the address of the other end. */
    private static final ClassValue<MethodHandle> ADDRESS = new ClassValue<MethodHandle>() {
        @Override
        @SuppressWarnings({"unchecked", "rawtypes"})
        protected MethodHandle computeValue(Class<?> type) {
            try {
                Class code = Class.forName("org.apache.coyote.ActionCode", false, type.getClassLoader());
                MethodHandle action = MethodHandles.publicLookup().findVirtual(type, "action",
                        MethodType.methodType(void.class, code, Object.class));
                return MethodHandles.insertArguments(action, 1, Enum.valueOf(code, "REQ_HOST_ADDR_ATTRIBUTE"), null);
            } catch (ReflectiveOperationException otherTomcat) {
                throw new IllegalStateException(otherTomcat);
            }
        }
    };

    private static final class RequestReader extends Inbound.Reader {
        private final Call header = new Call("getHeader", String.class);
        private final Call headers = new Call("getMimeHeaders");
        private final Call values = new Call("values", String.class);
        private final Call remove = new Call("removeHeader", String.class);
        private final Call set = new Call("setValue", String.class);
        private final Call text = new Call("setString", String.class);
        private final Call remote = new Call("remoteAddr");

        @Override
        void read(Object request, String[] names, Asked into) {
            ACCESS.get(request.getClass()).read(request, names, into);
        }

        @Override
        String read(Object request, String name) throws Throwable {
            String value = (String) header.on(request, name);
            if (value == null) {
                return null;
            }
            // Baggage and headers that are passed through may come in several lines; of a carrier the first one counts.
            return TomcatAccess.utf8(Outbound.BAGGAGE.equals(name) || isPassed(name) ? joined(request, name, value) : value);
        }

        private static boolean isPassed(String name) {
            String[] pass = Border.get().pass;
            for (int i = 0; i < pass.length; i++) {
                if (pass[i] == name) {
                    return true;
                }
            }
            return false;
        }

        @Override
        String peer(Object request) throws Throwable {
            String text = remote.on(request).toString();
            if (text == null || text.isEmpty()) {
                // Tomcat looks it up when it is first asked for, by the same two steps.
                ADDRESS.get(request.getClass()).invoke(request);
                text = remote.on(request).toString();
            }
            return text;
        }

        @Override
        void replace(Object request, String name, String value) throws Throwable {
            Object all = headers.on(request);
            remove.on(all, name);
            if (value != null) {
                text.on(set.on(all, name), value);
            }
        }

        private String joined(Object request, String name, String first) throws Throwable {
            Enumeration<?> all = (Enumeration<?>) values.on(headers.on(request), name);
            if (!all.hasMoreElements() || all.nextElement() == null || !all.hasMoreElements()) {
                return first;
            }
            StringBuilder text = new StringBuilder(first);
            while (all.hasMoreElements()) {
                text.append(',').append(all.nextElement());
            }
            return text.toString();
        }
    }
}
