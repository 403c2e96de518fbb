package java.trilane;

import java.lang.reflect.Field;
import java.util.Collection;
import java.util.List;

/** Do Dubbo's own routers have something to say? They are asked when a rule or the addresses have changed. */
public final class DubboRules {
    /** No router holds a rule: the chain need not run. */
    static final int SKIP = 0;
    /** The chain runs without its tag router, and the lanes choose from what it leaves. */
    static final int RUN = 1;
    /** A dynamic tag rule is in force: Dubbo decides. */
    static final int DUBBO = 2;

    /** Counts the changes of rules in this process. */
    static volatile int moves;

    private static final String PACKAGE = "org.apache.dubbo.rpc.cluster.router.";
    /** Routers that Dubbo always has, and the field in which each keeps its rule. */
    private static final String[][] KNOWN = {
        {PACKAGE + "mock.MockInvokersSelector", null},
        {PACKAGE + "tag.TagStateRouter", "tagRouterRule"},
        {PACKAGE + "tag.TagRouter", "tagRouterRule"},
        {PACKAGE + "condition.config.ListenableStateRouter", "routerRule"},
        {PACKAGE + "condition.config.ListenableRouter", "routerRule"},
        {PACKAGE + "script.config.AppScriptStateRouter", "scriptRule"},
        {PACKAGE + "affinity.config.AffinityListenableStateRouter", "affinityRouterRule"},
        {PACKAGE + "mesh.route.MeshRuleRouter", "meshRuleCache"},
    };
    private static final Object UNKNOWN = new Object();

    /** The rule's field of a router's class: null where it can have none, {@link #UNKNOWN} for a foreign router. */
    private static final ClassValue<Object> FIELDS = new ClassValue<Object>() {
        @Override
        protected Object computeValue(Class<?> type) {
            return field(type);
        }
    };

    /** 2.7 keeps a chain's routers to itself. */
    private static final ClassValue<Object> LEGACY_ROUTERS = new ClassValue<Object>() {
        @Override
        protected Object computeValue(Class<?> type) {
            return accessible(type, "routers");
        }
    };

    private static final Call CHAIN = new Call("getRouterChain");
    private static final Call STATE_ROUTERS = new Call("getStateRouters");
    private static final Call ROUTERS = new Call("getRouters");
    private static final Call VALID = new Call("isValid");
    private static final Call ENABLED = new Call("isEnabled");
    private static final Call APPLICATIONS = new Call("getAppList");

    private DubboRules() {}

    /** A router was given a rule or lost one, or a chain got other routers. */
    public static void moved() {
        synchronized (DubboRules.class) {
            moves++;
        }
    }

    /** How far Dubbo's routers take part in calls through this directory. */
    static int of(Object directory, Object[] invokers) throws Throwable {
        Object chain = CHAIN.on(directory);
        int way = SKIP;
        if (chain != null) {
            way = Math.max(among(listed(STATE_ROUTERS, chain)), among(listed(ROUTERS, chain)));
            if (LEGACY_ROUTERS.get(chain.getClass()) != UNKNOWN) {
                way = Math.max(way, among((Collection<?>) ((Field) LEGACY_ROUTERS.get(chain.getClass())).get(chain)));
            }
        }
        for (int i = 0; i < invokers.length && way == SKIP; i++) {
            way = DubboNames.mock(invokers[i]) ? RUN : SKIP;
        }
        return way;
    }

    /** Routers of one kind; null where the version has no such method. */
    private static Collection<?> listed(Call kind, Object chain) throws Throwable {
        try {
            return (Collection<?>) kind.on(chain);
        } catch (IllegalStateException notThere) {
            return null;
        }
    }

    private static int among(Collection<?> routers) throws Throwable {
        int way = SKIP;
        if (routers != null) {
            for (Object router : routers) {
                way = Math.max(way, of(router));
            }
        }
        return way;
    }

    private static int of(Object router) throws Throwable {
        Object field = FIELDS.get(router.getClass());
        if (field == UNKNOWN) {
            return RUN;
        }
        Object rule = field == null ? null : ((Field) field).get(router);
        if (rule == null) {
            return SKIP;
        }
        String name = ((Field) field).getName();
        if (name.equals("tagRouterRule")) {
            boolean inForce = ((Boolean) VALID.on(rule)).booleanValue() && ((Boolean) ENABLED.on(rule)).booleanValue();
            return inForce ? DUBBO : SKIP;
        }
        if (name.equals("meshRuleCache")) {
            Object applications = APPLICATIONS.on(rule);
            return applications == null || ((List<?>) applications).isEmpty() ? SKIP : RUN;
        }
        return RUN;
    }

    private static Object field(Class<?> type) {
        for (Class<?> at = type; at != null; at = at.getSuperclass()) {
            for (int i = 0; i < KNOWN.length; i++) {
                if (at.getName().equals(KNOWN[i][0])) {
                    return KNOWN[i][1] == null ? null : accessible(at, KNOWN[i][1]);
                }
            }
        }
        return UNKNOWN;
    }

    /** A version that keeps its rule elsewhere is treated like a foreign router: its chain runs. */
    private static Object accessible(Class<?> type, String name) {
        try {
            Field field = type.getDeclaredField(name);
            field.setAccessible(true);
            return field;
        } catch (ReflectiveOperationException notThere) {
            return UNKNOWN;
        } catch (RuntimeException closed) {
            return UNKNOWN;
        }
    }
}
