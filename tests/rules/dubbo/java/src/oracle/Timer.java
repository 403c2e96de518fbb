package oracle;

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
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

/**
 * What routing costs: the cases of stdin take turns, a window each; CPU time of the thread.
 *
 * <p>Arguments: windows, milliseconds of warming up for each case. A line per case: {@code {"id", "ns": [per call]}}.
 */
public final class Timer {
    private static final long WINDOW = 20_000_000L;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    // What is left is looked at, so that no call can be left out.
    private static int seen;

    private final String id;
    private final StateRouter<Object> router;
    private final BitList<Invoker<Object>> all;
    private final URL consumer;
    private final Invocation invocation;
    private final List<Double> windows = new ArrayList<>();

    private Timer(JSONObject asked, ApplicationModel application) throws ReflectiveOperationException {
        Case made = new Case(asked, application.getDefaultModule());
        Routers.Ready ready = Routers.of(asked.getString("dialect"), made);
        if (!ready.inForce()) {
            throw new IllegalStateException("the rule is not taken: " + made.rules());
        }
        id = asked.getString("id");
        router = ready.router();
        all = new BitList<>(made.invokers());
        consumer = made.consumer();
        invocation = made.invocation();
    }

    public static void main(String[] args) throws IOException, ReflectiveOperationException {
        ApplicationModel application = FrameworkModel.defaultModel().newApplication();
        application.getApplicationConfigManager().setApplication(new ApplicationConfig("consumer"));
        List<Timer> timers = new ArrayList<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            timers.add(new Timer(JSON.parseObject(line), application));
        }
        long warm = Long.parseLong(args[1]) * 1_000_000L;
        timers.forEach(timer -> timer.window(warm));
        for (int n = Integer.parseInt(args[0]); n > 0; n--) {
            timers.forEach(timer -> timer.windows.add(timer.window(WINDOW)));
        }
        timers.forEach(timer -> System.out.println(JSON.toJSONString(Map.of("id", timer.id, "ns", timer.windows))));
        System.err.println("seen " + seen);
        System.exit(0);
    }

    /** Nanoseconds a call, over as many calls as fit; the clock is asked rarely. */
    private double window(long length) {
        long calls = 0;
        long begin = THREADS.getCurrentThreadCpuTime();
        long took = 0;
        for (long step = 1; took < length; step = Math.min(step * 2, Math.max(1, calls))) {
            for (long i = 0; i < step; i++) {
                seen += router.route(all.clone(), consumer, invocation, false, null).size();
            }
            calls += step;
            took = THREADS.getCurrentThreadCpuTime() - begin;
        }
        return (double) took / calls;
    }
}
