package it;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.dubbo.common.URL;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;
import org.apache.dubbo.rpc.RpcInvocation;
import org.apache.dubbo.rpc.cluster.directory.StaticDirectory;
import org.apache.dubbo.rpc.cluster.loadbalance.RandomLoadBalance;

/**
 * What {@code Directory.list} and the pick after it cost a call: CPU time of one thread, median of 15 batches. The
 * arguments are numbers of invokers, a tenth of them gray. Run it with and without the library.
 */
public class Lists {
    private static final ThreadMXBean CPU = ManagementFactory.getThreadMXBean();

    public static void main(String[] args) {
        DubboBootstrap.getInstance().application(new ApplicationConfig("lists"));
        for (String size : args) {
            int invokers = Integer.parseInt(size);
            for (String tag : new String[] {"gray", null}) {
                measure(invokers, tag);
            }
        }
        System.exit(0);
    }

    private static void measure(int size, String tag) {
        List<Invoker<Chain>> invokers = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            String address = "dubbo://10." + i / 65536 + "." + i / 256 % 256 + "." + i % 256 + ":20880/it.Chain";
            String more = i % 10 == 1 ? "&dubbo.tag=gray" : "";
            invokers.add(new Fake(URL.valueOf(address + "?interface=it.Chain&timestamp=1700000000000" + more)));
        }
        StaticDirectory<Chain> directory = new StaticDirectory<>(invokers);
        directory.buildRouterChain();
        RandomLoadBalance balance = new RandomLoadBalance();
        int batch = Math.max(20, 200_000 / size);
        long[] list = new long[15];
        long[] pick = new long[15];
        int met = 0;
        for (int round = -15; round < 15; round++) {
            long start = CPU.getCurrentThreadCpuTime();
            List<Invoker<Chain>> chosen = null;
            RpcInvocation invocation = null;
            for (int i = 0; i < batch; i++) {
                invocation = invocation(tag);
                chosen = directory.list(invocation);
            }
            long middle = CPU.getCurrentThreadCpuTime();
            for (int i = 0; i < batch / 10 + 1; i++) {
                balance.select(chosen, directory.getConsumerUrl(), invocation);
            }
            if (round >= 0) {
                list[round] = (middle - start) / batch;
                pick[round] = (CPU.getCurrentThreadCpuTime() - middle) / (batch / 10 + 1);
            }
            met = chosen.size();
        }
        Arrays.sort(list);
        Arrays.sort(pick);
        System.out.printf("lists: invokers=%d tag=%s met=%d list=%d ns pick=%d ns%n", size, tag, met, list[7], pick[7]);
    }

    private static RpcInvocation invocation(String tag) {
        RpcInvocation invocation = new RpcInvocation();
        invocation.setMethodName("chain");
        if (tag != null) {
            invocation.setAttachment("dubbo.tag", tag);
        }
        return invocation;
    }

    private static final class Fake implements Invoker<Chain> {
        private final URL url;

        Fake(URL url) {
            this.url = url;
        }

        @Override
        public Class<Chain> getInterface() {
            return Chain.class;
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
        public Result invoke(Invocation invocation) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void destroy() {
            // nothing to end
        }
    }
}
