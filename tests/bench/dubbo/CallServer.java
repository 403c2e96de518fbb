package bench;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/** A provider on every address of the loopback; argument: the port. */
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
        System.out.println("ready");
        Thread.currentThread().join();
    }
}
