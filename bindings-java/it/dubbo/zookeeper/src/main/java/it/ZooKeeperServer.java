package it;

import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.TreeSet;
import org.apache.curator.test.InstanceSpec;
import org.apache.curator.test.TestingServer;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/**
 * A real ZooKeeper in one process; the argument is its data folder. Lines on stdin change and show what it holds:
 * {@code put PATH BASE64}, {@code get PATH}, {@code delete PATH}, {@code list PATH}, {@code tree PATH} (every node below
 * it as {@code PATH=BASE64}), {@code clear PATH} (all of it, whoever made it).
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
            case "tree":
                StringBuilder tree = new StringBuilder();
                tree(client, path, tree);
                return tree.toString().trim();
            case "clear":
                clear(client, path);
                return "";
            default:
                try {
                    return String.join(" ", client.getChildren(path, false));
                } catch (KeeperException.NoNodeException none) {
                    return "";
                }
        }
    }

    private static void tree(ZooKeeper client, String path, StringBuilder into) throws Exception {
        try {
            byte[] data = client.getData(path, false, null);
            into.append(path).append('=').append(Base64.getEncoder().encodeToString(data == null ? new byte[0] : data));
            into.append(' ');
            for (String child : new TreeSet<>(client.getChildren(path, false))) {
                tree(client, path + "/" + child, into);
            }
        } catch (KeeperException.NoNodeException none) {
            // It went away meanwhile.
        }
    }

    private static void clear(ZooKeeper client, String path) throws Exception {
        try {
            for (String child : client.getChildren(path, false)) {
                clear(client, path + "/" + child);
            }
            client.delete(path, -1);
        } catch (KeeperException.NoNodeException none) {
            // It went away meanwhile.
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
