package it;

import java.io.IOException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;

/** The whole of an ordinary web application: a Dubbo consumer over direct addresses. It cleans up as Dubbo asks for. */
public class Web extends HttpServlet {
    private transient ReferenceConfig<Chain> reference;
    private transient Chain next;

    @Override
    public void init() {
        ApplicationConfig application = new ApplicationConfig("web");
        application.setQosEnable(false);
        reference = new ReferenceConfig<>();
        reference.setApplication(application);
        reference.setRegistry(new RegistryConfig("N/A"));
        reference.setInterface(Chain.class);
        reference.setGroup("c");
        reference.setCluster("failover");
        reference.setCheck(false);
        reference.setTimeout(15000);
        reference.setUrl(System.getProperty("url"));
        next = reference.get();
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.getWriter().write(next.chain(""));
    }

    @Override
    public void destroy() {
        reference.destroy();
        try {
            Class.forName("org.apache.dubbo.rpc.model.FrameworkModel").getMethod("destroyAll").invoke(null);
        } catch (ReflectiveOperationException seven) {
            org.apache.dubbo.config.DubboShutdownHook hook = org.apache.dubbo.config.DubboShutdownHook.getDubboShutdownHook();
            hook.unregister();
            hook.doDestroy();
        }
    }
}
