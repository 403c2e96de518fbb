package oracle;

import java.lang.reflect.Field;
import java.util.Collection;
import org.apache.dubbo.common.config.configcenter.ConfigChangeType;
import org.apache.dubbo.common.config.configcenter.ConfigChangedEvent;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.cluster.router.affinity.config.AffinityListenableStateRouter;
import org.apache.dubbo.rpc.cluster.router.affinity.config.AffinityServiceStateRouter;
import org.apache.dubbo.rpc.cluster.router.condition.config.ListenableStateRouter;
import org.apache.dubbo.rpc.cluster.router.condition.config.ServiceStateRouter;
import org.apache.dubbo.rpc.cluster.router.mesh.route.MeshAppRuleListener;
import org.apache.dubbo.rpc.cluster.router.mesh.route.MeshRuleRouter;
import org.apache.dubbo.rpc.cluster.router.mesh.route.StandardMeshRuleRouter;
import org.apache.dubbo.rpc.cluster.router.state.AbstractStateRouter;
import org.apache.dubbo.rpc.cluster.router.state.BitList;
import org.apache.dubbo.rpc.cluster.router.state.StateRouter;
import org.apache.dubbo.rpc.cluster.router.state.TailStateRouter;
import org.apache.dubbo.rpc.cluster.router.tag.TagStateRouter;

/** One router a dialect, given its rule text the way the configuration centre gives it. */
final class Routers {
    /** A router that has its rules, and whether it took them. */
    record Ready(StateRouter<Object> router, boolean inForce) {}

    private Routers() {}

    static Ready of(String dialect, Case made) throws ReflectiveOperationException {
        BitList<Invoker<Object>> all = new BitList<>(made.invokers());
        switch (dialect) {
            case "dubbo-tag": {
                TagStateRouter<Object> router = new TagStateRouter<>(made.consumer());
                router.notify(all);
                if (!made.rules().isEmpty()) {
                    router.process(changed(made));
                }
                return ready(router, field(TagStateRouter.class, router, "tagRouterRule") != null);
            }
            case "dubbo-condition": {
                ServiceStateRouter<Object> router = new ServiceStateRouter<>(made.consumer());
                router.process(changed(made));
                Object old = field(ListenableStateRouter.class, router, "conditionRouters");
                Object multi = field(ListenableStateRouter.class, router, "multiDestConditionRouters");
                return ready(router, !((Collection<?>) old).isEmpty() || !((Collection<?>) multi).isEmpty());
            }
            case "dubbo-affinity": {
                AffinityServiceStateRouter<Object> router = new AffinityServiceStateRouter<>(made.consumer());
                router.process(changed(made));
                return ready(router, field(AffinityListenableStateRouter.class, router, "affinityRouter") != null);
            }
            case "dubbo-mesh": {
                StandardMeshRuleRouter<Object> router = new StandardMeshRuleRouter<>(made.consumer());
                router.notify(all);
                MeshAppRuleListener listener = new MeshAppRuleListener(Case.APPLICATION);
                listener.register(router);
                listener.process(changed(made));
                return ready(router, ((MeshRuleRouter<Object>) router).getMeshRuleCache().containsRule());
            }
            default:
                throw new IllegalArgumentException("no router of dubbo-java reads " + dialect);
        }
    }

    private static Ready ready(AbstractStateRouter<Object> router, boolean inForce) {
        router.setNextRouter(TailStateRouter.getInstance());
        return new Ready(router, inForce);
    }

    private static ConfigChangedEvent changed(Case made) {
        return new ConfigChangedEvent("rules", "dubbo", made.rules(), ConfigChangeType.ADDED);
    }

    private static Object field(Class<?> of, Object in, String name) throws ReflectiveOperationException {
        Field field = of.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(in);
    }
}
