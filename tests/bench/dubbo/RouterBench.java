package bench;

import java.trilane.BenchDoor;
import java.trilane.BenchMeter;
import java.util.ArrayList;
import java.util.List;
import org.apache.dubbo.common.URL;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;
import org.apache.dubbo.rpc.RpcInvocation;
import org.apache.dubbo.rpc.cluster.RouterChain;
import org.apache.dubbo.rpc.cluster.directory.StaticDirectory;
import org.apache.dubbo.rpc.cluster.loadbalance.RandomLoadBalance;
import org.apache.dubbo.rpc.cluster.router.state.BitList;
import org.apache.dubbo.rpc.model.ApplicationModel;
import org.apache.dubbo.rpc.model.FrameworkModel;
import org.apache.dubbo.rpc.model.ModuleModel;

/**
 * Dubbo's router chain and weighted pick beside the lanes' choice, on one list of providers, a tenth of them gray.
 *
 * <p>Arguments: windows, milliseconds of warming up, sizes. A line per case: "size tag case" and its windows in ns.
 */
public final class RouterBench {
    /** What the providers offer. */
    public interface Greeting {
        String greet(String name);
    }

    private static final String SERVICE = Greeting.class.getName();

    /** A provider as the registry lists it; nothing is ever sent. */
    private static final class Listed implements Invoker<Greeting> {
        private final URL url;

        Listed(URL url) {
            this.url = url;
        }

        @Override
        public Class<Greeting> getInterface() {
            return Greeting.class;
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
    }

    private RouterBench() {}

    public static void main(String[] args) throws Throwable {
        int windows = Integer.parseInt(args[0]);
        long warm = Long.parseLong(args[1]) * 1000000;
        ApplicationModel application = FrameworkModel.defaultModel().newApplication();
        application.getApplicationConfigManager().setApplication(new ApplicationConfig("consumer"));
        ModuleModel module = application.newModule();
        for (String size : args[2].split(",")) {
            BenchMeter meter = new BenchMeter();
            List<Invoker<Greeting>> providers = providers(module, Integer.parseInt(size));
            add(meter, module, providers, null);
            add(meter, module, providers, "gray");
            meter.measure(windows, warm, 20000000L);
        }
        System.exit(0);
    }

    private static List<Invoker<Greeting>> providers(ModuleModel module, int size) {
        List<Invoker<Greeting>> providers = new ArrayList<Invoker<Greeting>>();
        for (int i = 0; i < size; i++) {
            String url = "dubbo://10." + (i >> 16 & 255) + "." + (i >> 8 & 255) + "." + (i & 255) + ":20880/" + SERVICE
                    + "?application=provider&remote.application=provider&interface=" + SERVICE
                    + "&side=provider&timestamp=1700000000000&dubbo=2.0.2&methods=greet&serialization=hessian2"
                    + (i % 10 == 0 ? "&dubbo.tag=gray" : "");
            providers.add(new Listed(URL.valueOf(url).setScopeModel(module)));
        }
        return providers;
    }

    private static RpcInvocation invocation(String tag) {
        Class<?>[] types = {String.class};
        RpcInvocation invocation = new RpcInvocation("greet", SERVICE, "", types, new Object[] {"x"});
        if (tag != null) {
            invocation.setAttachment("dubbo.tag", tag);
        }
        return invocation;
    }

    private static BenchDoor door(List<Invoker<Greeting>> providers) {
        String[] addresses = new String[providers.size()];
        String[] tags = new String[providers.size()];
        for (int i = 0; i < addresses.length; i++) {
            addresses[i] = providers.get(i).getUrl().getAddress();
            tags[i] = providers.get(i).getUrl().getParameter("dubbo.tag");
        }
        return new BenchDoor("provider", providers.toArray(), addresses, tags);
    }

    @SuppressWarnings("unchecked")
    private static void add(BenchMeter meter, ModuleModel module, List<Invoker<Greeting>> providers, String tag)
            throws Throwable {
        final URL consumer = URL.valueOf("consumer://127.0.0.1/" + SERVICE + "?application=consumer&interface="
                + SERVICE).setScopeModel(module);
        final BitList<Invoker<Greeting>> all = new BitList<Invoker<Greeting>>(providers);
        final RouterChain<Greeting> chain = RouterChain.buildChain(Greeting.class, consumer);
        chain.setInvokers(all, new Runnable() {
            @Override
            public void run() {}
        });
        final StaticDirectory<Greeting> directory = new StaticDirectory<Greeting>(consumer, providers, chain);
        final RandomLoadBalance balance = new RandomLoadBalance();
        final RpcInvocation call = invocation(tag);
        final BenchDoor door = door(providers);
        final int id = tag == null ? 0 : BenchDoor.tag(tag);
        final RpcInvocation carried = invocation(null);
        BenchDoor.serve(id);
        List<?> hooked = directory.list(carried);
        BenchDoor.serve(0);
        same(chain.route(consumer, all.clone(), call), door.choose(id), hooked);
        String name = providers.size() + " " + (tag == null ? "none" : tag) + " ";
        meter.add(name + "chain", times -> {
            Object last = null;
            for (long i = 0; i < times; i++) {
                last = chain.route(consumer, all.clone(), call);
            }
            return last;
        });
        meter.add(name + "choose", times -> {
            Object last = null;
            for (long i = 0; i < times; i++) {
                last = door.choose(id);
            }
            return last;
        });
        meter.add(name + "hook", times -> {
            Object last = null;
            BenchDoor.serve(id);
            for (long i = 0; i < times; i++) {
                last = directory.list(carried);
            }
            BenchDoor.serve(0);
            return last;
        });
        meter.add(name + "chain+pick", times -> {
            Object last = null;
            for (long i = 0; i < times; i++) {
                last = balance.select(chain.route(consumer, all.clone(), call), consumer, call);
            }
            return last;
        });
        meter.add(name + "choose+pick", times -> {
            Object last = null;
            for (long i = 0; i < times; i++) {
                last = balance.select((List<Invoker<Greeting>>) door.choose(id), consumer, call);
            }
            return last;
        });
    }

    private static void same(List<?> dubbo, List<?> ours, List<?> hooked) {
        if (dubbo.size() != ours.size() || !ours.equals(new ArrayList<Object>(dubbo)) || hooked.size() != ours.size()) {
            throw new IllegalStateException(
                    "Dubbo chose " + dubbo.size() + ", the lanes " + ours.size() + ", the hook " + hooked.size());
        }
        if (hooked instanceof BitList) {
            throw new IllegalStateException("Dubbo's directory is not hooked: its own list came back");
        }
    }
}
