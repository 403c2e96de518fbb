package bench;

import java.net.URLEncoder;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.test.TestingServer;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/**
 * A provider on every address of the loopback, and a ZooKeeper in which it stands as many providers; arguments: the
 * port, how many of them. Prints "ready" and ZooKeeper's port.
 */
public final class CallServer {
    private CallServer() {}

    /** What is offered. */
    public static final class Answer implements CallClient.Greeting {
        @Override
        public String greet(String name) {
            return name;
        }
    }

    public static void main(String[] args) throws Exception {
        ApplicationConfig application = new ApplicationConfig("bench-provider");
        application.setQosEnable(false);
        ProtocolConfig protocol = new ProtocolConfig("dubbo", Integer.parseInt(args[0]));
        protocol.setAccepts(20000);
        ServiceConfig<CallClient.Greeting> service = new ServiceConfig<CallClient.Greeting>();
        service.setInterface(CallClient.Greeting.class);
        service.setRef(new Answer());
        DubboBootstrap.getInstance().application(application).protocol(protocol)
                .registry(new RegistryConfig(RegistryConfig.NO_AVAILABLE)).service(service).start();
        TestingServer registry = new TestingServer(true);
        register(registry.getConnectString(), args[0], Integer.parseInt(args[1]));
        System.out.println("ready " + registry.getPort());
        Thread.currentThread().join();
    }

    /** What each of the providers would write there itself. */
    private static void register(String registry, String port, int providers) throws Exception {
        String name = CallClient.Greeting.class.getName();
        String folder = "/dubbo/" + URLEncoder.encode(name, "UTF-8") + "/providers/";
        try (CuratorFramework zookeeper = CuratorFrameworkFactory.newClient(registry, new RetryOneTime(1000))) {
            zookeeper.start();
            for (int i = 0; i < providers; i++) {
                String url = "dubbo://" + CallClient.address(i) + ":" + port + "/" + name
                        + "?application=bench-provider&category=providers&dubbo=2.0.2&interface=" + name
                        + "&methods=greet&side=provider&timestamp=" + CallClient.LONG_AGO;
                zookeeper.create().creatingParentsIfNeeded().forPath(folder + URLEncoder.encode(url, "UTF-8"));
            }
        }
    }
}
