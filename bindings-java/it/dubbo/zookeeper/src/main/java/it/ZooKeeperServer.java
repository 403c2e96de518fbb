package it;

import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.apache.curator.test.InstanceSpec;
import org.apache.curator.test.TestingServer;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/**
 * A real ZooKeeper in one process; the argument is its data folder. Lines on stdin change and show what it holds:
 * {@code put PATH BASE64}, {@code get PATH}, {@code delete PATH}, {@code list PATH}.
 */
public class ZooKeeperServer {
    /** Short, so that sessions of a few seconds are allowed and a dead copy is noticed soon. */
    private static final int TICK_MILLIS = 300;

    public static void main(String[] args) throws Exception {
        InstanceSpec spec = new InstanceSpec(new File(args[0]), -1, -1, -1, true, 1, TICK_MILLIS, -1);
        TestingServer server = new TestingServer(spec, true);
        ZooKeeper client = new ZooKeeper(server.getConnectString(), 6000, event -> {});
        System.out.println("READY " + server.getPort());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println("DONE " + answer(client, line.trim().split(" ")));
        }
        System.exit(0); // stdin ends with the test
    }

    private static String answer(ZooKeeper client, String[] words) throws Exception {
        String path = words[1];
        switch (words[0]) {
            case "put":
                put(client, path, Base64.getDecoder().decode(words[2]));
                return "";
            case "get":
                return new String(client.getData(path, false, null), StandardCharsets.UTF_8).replaceAll("\\s+", " ");
            case "delete":
                client.delete(path, -1);
                return "";
            default:
                try {
                    return String.join(" ", client.getChildren(path, false));
                } catch (KeeperException.NoNodeException none) {
                    return "";
                }
        }
    }

    private static void put(ZooKeeper client, String path, byte[] data) throws Exception {
        for (int end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) {
            create(client, path.substring(0, end), new byte[0]);
        }
        if (!create(client, path, data)) {
            client.setData(path, data, -1);
        }
    }

    private static boolean create(ZooKeeper client, String path, byte[] data) throws Exception {
        try {
            client.create(path, data, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            return true;
        } catch (KeeperException.NodeExistsException there) {
            return false;
        }
    }
}
