package demo;

import java.io.File;
import java.util.concurrent.CountDownLatch;
import org.apache.curator.test.InstanceSpec;
import org.apache.curator.test.TestingServer;

/** A real ZooKeeper in one process: port and data folder are the arguments. */
public class ZooKeeperServer {
    // A short tick allows sessions of a few seconds, so that the demo does not wait a minute for a dead copy.
    private static final int TICK_MILLIS = 500;

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        InstanceSpec spec = new InstanceSpec(new File(args[1]), port, -1, -1, true, 1, TICK_MILLIS, -1);
        TestingServer server = new TestingServer(spec, true);
        System.out.println("zookeeper is ready on " + server.getConnectString());
        new CountDownLatch(1).await();
    }
}
