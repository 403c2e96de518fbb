package oracle;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.dubbo.common.URL;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.cluster.router.state.BitList;
import org.apache.dubbo.rpc.cluster.router.state.StateRouter;
import org.apache.dubbo.rpc.model.ApplicationModel;
import org.apache.dubbo.rpc.model.FrameworkModel;
import org.apache.dubbo.rpc.model.ModuleModel;

/**
 * Asks dubbo-java's own routers: a case a line on stdin (`trilane explain --batch`'s form), an answer a line on stdout.
 *
 * <p>An answer is {@code {"id", "set": [ids], "rule": "in force"|"none", "error"}}; where several calls give several
 * sets, {@code "set"} is their union and {@code "outcomes": [{"set", "count"}]} says how often each came.
 * Argument: how many calls to make where the first calls differ.
 */
public final class Oracle {
    /** Calls that show whether a case is drawn by weight at all. */
    private static final int PROBES = 64;

    private final ModuleModel module;
    private final int draws;

    private Oracle(ModuleModel module, int draws) {
        this.module = module;
        this.draws = draws;
    }

    public static void main(String[] args) throws IOException {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        // What libraries print must not stand among the answers.
        System.setOut(System.err);
        ApplicationModel application = FrameworkModel.defaultModel().newApplication();
        application.getApplicationConfigManager().setApplication(new ApplicationConfig("consumer"));
        Oracle oracle = new Oracle(application.newModule(), args.length > 0 ? Integer.parseInt(args[0]) : 2000);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (!line.isBlank()) {
                out.println(JSON.toJSONString(oracle.answer(JSON.parseObject(line))));
                if (!in.ready()) {
                    out.flush();
                }
            }
        }
        out.flush();
        System.exit(0);
    }

    private Map<String, Object> answer(JSONObject asked) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("id", asked.get("id"));
        try {
            Case made = new Case(asked, module);
            Routers.Ready ready = Routers.of(asked.getString("dialect"), made);
            answer.put("rule", ready.inForce() ? "in force" : "none");
            draw(made, ready.router(), answer);
            ready.router().stop();
        } catch (RuntimeException | ReflectiveOperationException why) {
            answer.put("error", why.toString());
        }
        return answer;
    }

    private void draw(Case made, StateRouter<Object> router, Map<String, Object> answer) {
        Map<List<String>, Integer> outcomes = new LinkedHashMap<>();
        int calls = 0;
        for (int wanted = made.drawn() ? PROBES : 1; calls < wanted; calls++) {
            outcomes.merge(made.ids(once(made, router)), 1, Integer::sum);
            if (outcomes.size() > 1) {
                wanted = draws;
            }
        }
        List<String> union = new ArrayList<>();
        outcomes.keySet().forEach(set -> set.stream().filter(id -> !union.contains(id)).forEach(union::add));
        answer.put("set", made.inOrder(union));
        if (outcomes.size() > 1) {
            List<Map<String, Object>> counted = new ArrayList<>();
            outcomes.forEach((set, count) -> counted.add(Map.of("set", set, "count", count)));
            answer.put("outcomes", counted);
        }
    }

    private static List<Invoker<Object>> once(Case made, StateRouter<Object> router) {
        BitList<Invoker<Object>> all = new BitList<>(made.invokers());
        Invocation invocation = made.invocation();
        URL consumer = made.consumer();
        return new ArrayList<>(router.route(all, consumer, invocation, false, null));
    }
}
