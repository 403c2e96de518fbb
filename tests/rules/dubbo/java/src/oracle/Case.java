package oracle;

import com.alibaba.fastjson2.JSONArray;
import com.alibaba.fastjson2.JSONObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.dubbo.common.URL;
import org.apache.dubbo.common.url.component.ServiceConfigURL;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;
import org.apache.dubbo.rpc.RpcInvocation;
import org.apache.dubbo.rpc.model.ModuleModel;

/** One case as dubbo-java sees it: labels are the URL's parameters, an unhealthy instance is not in the list. */
final class Case {
    /** The provider's application, where rules of that scope belong. */
    static final String APPLICATION = "provider";

    private final JSONObject request;
    private final JSONObject asked;
    private final String service;
    private final URL consumer;
    private final List<Invoker<Object>> invokers = new ArrayList<>();
    private final List<String> ids = new ArrayList<>();

    Case(JSONObject asked, ModuleModel module) {
        this.asked = asked;
        JSONObject wanted = asked.getJSONObject("request");
        this.request = wanted == null ? new JSONObject() : wanted;
        String named = request.getString("service");
        this.service = named == null ? asked.getString("service") : named;
        JSONObject caller = asked.getJSONObject("caller") == null ? new JSONObject() : asked.getJSONObject("caller");
        Map<String, String> parameters = texts(caller.getJSONObject("labels"));
        if (caller.containsKey("service")) {
            parameters.put("application", caller.getString("service"));
        }
        parameters.put("interface", service);
        String host = caller.getString("host") == null ? "10.9.9.9" : caller.getString("host");
        this.consumer = new ServiceConfigURL("consumer", host, 0, service, parameters).setScopeModel(module);
        JSONArray instances = asked.getJSONArray("instances");
        for (int i = 0; instances != null && i < instances.size(); i++) {
            JSONObject instance = instances.getJSONObject(i);
            if (Boolean.FALSE.equals(instance.getBoolean("healthy"))) {
                continue;
            }
            Map<String, String> labels = texts(instance.getJSONObject("labels"));
            labels.putIfAbsent("remote.application", APPLICATION);
            URL url = new ServiceConfigURL(
                    "dubbo", instance.getString("host"), instance.getIntValue("port"), service, labels);
            invokers.add(new Listed(url.setScopeModel(module)));
            ids.add(instance.getString("id"));
        }
    }

    URL consumer() {
        return consumer;
    }

    List<Invoker<Object>> invokers() {
        return invokers;
    }

    String rules() {
        return asked.getString("rules");
    }

    /** Whether the rules can draw by weight. */
    boolean drawn() {
        String dialect = asked.getString("dialect");
        return dialect.equals("dubbo-mesh") || dialect.equals("dubbo-condition") && rules().contains("to:");
    }

    Invocation invocation() {
        JSONArray given = request.getJSONArray("args");
        Object[] arguments = given == null ? new Object[0] : given.toArray();
        Class<?>[] types = new Class<?>[arguments.length];
        for (int i = 0; i < types.length; i++) {
            types[i] = arguments[i] == null ? Object.class : arguments[i].getClass();
        }
        String method = request.getString("method") == null ? "call" : request.getString("method");
        RpcInvocation invocation = new RpcInvocation(method, service, "", types, arguments);
        texts(request.getJSONObject("attachments")).forEach(invocation::setAttachment);
        String tag = request.getString("tag");
        if (tag != null && !tag.isEmpty()) {
            invocation.setAttachment("dubbo.tag", tag);
        }
        return invocation;
    }

    List<String> ids(List<Invoker<Object>> left) {
        List<String> found = new ArrayList<>();
        left.forEach(invoker -> found.add(ids.get(invokers.indexOf(invoker))));
        return inOrder(found);
    }

    /** In the order of the case, so that equal sets are equal lists. */
    List<String> inOrder(List<String> some) {
        List<String> sorted = new ArrayList<>(ids);
        sorted.retainAll(some);
        return sorted;
    }

    private static Map<String, String> texts(JSONObject from) {
        Map<String, String> texts = new HashMap<>();
        if (from != null) {
            from.forEach((name, value) -> texts.put(name, String.valueOf(value)));
        }
        return texts;
    }

    /** An instance that is listed and never called. */
    private record Listed(URL url) implements Invoker<Object> {
        @Override
        public Class<Object> getInterface() {
            return Object.class;
        }

        @Override
        public Result invoke(Invocation invocation) {
            throw new UnsupportedOperationException("only listed");
        }

        @Override
        public URL getUrl() {
            return url;
        }

        @Override
        public boolean isAvailable() {
            return true;
        }

        @Override
        public void destroy() {}

        @Override
        public boolean equals(Object other) {
            return this == other;
        }

        @Override
        public int hashCode() {
            return System.identityHashCode(this);
        }
    }
}
