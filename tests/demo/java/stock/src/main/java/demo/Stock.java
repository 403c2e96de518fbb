package demo;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/** A Dubbo provider, Triple protocol, registered in ZooKeeper. Environment: COPY, PORT, REGISTRY. */
public class Stock implements StockService {
    private final String copy = System.getenv().getOrDefault("COPY", "base");

    @Override
    public String take(String item) {
        return "stock(" + copy + ") " + item;
    }

    public static void main(String[] args) {
        ApplicationConfig application = new ApplicationConfig("stock");
        application.setQosEnable(false);
        ServiceConfig<StockService> service = new ServiceConfig<>();
        service.setInterface(StockService.class);
        service.setRef(new Stock());
        DubboBootstrap.getInstance()
                .application(application)
                .registry(new RegistryConfig(System.getenv("REGISTRY")))
                .protocol(new ProtocolConfig("tri", Integer.parseInt(System.getenv("PORT"))))
                .service(service)
                .start();
        System.out.println("stock is ready");
        DubboBootstrap.getInstance().await();
    }
}
