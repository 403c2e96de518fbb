import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Links classes, which verifies them.
 *
 * A pack is a list of classes: label, name, bytes, each with a four-byte length before it.
 *   extract PACK INPUT...   writes a pack; an input is a jar, jrt: or jrt:MODULE
 *   link PACK OUTCOMES      links the classes of a pack, and writes what came out, one line a class
 *   own NAMES OUTCOMES      the same for classes of the running JDK; a name is MODULE/CLASS
 */
public class Stress {
    static final class Entry {
        final String label;
        final byte[] bytes;

        Entry(String label, byte[] bytes) {
            this.label = label;
            this.bytes = bytes;
        }
    }

    /** Classes of one name in several jars: the first of each name, the second of each name, ... */
    static final class Pack {
        final List<Map<String, Entry>> generations = new ArrayList<>();

        void add(String name, Entry entry) {
            for (Map<String, Entry> generation : generations) {
                if (generation.putIfAbsent(name, entry) == null) {
                    return;
                }
            }
            generations.add(new HashMap<>(Map.of(name, entry)));
        }
    }

    static final class Loader extends ClassLoader {
        final Pack pack;
        final int generation;

        Loader(Pack pack, int generation) {
            super(ClassLoader.getPlatformClassLoader());
            this.pack = pack;
            this.generation = generation;
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                Class<?> known = findLoadedClass(name);
                if (known != null) {
                    return known;
                }
                for (int i = generation; i >= 0 && !name.startsWith("java."); i--) {
                    Entry entry = pack.generations.get(i).get(name);
                    if (entry != null && !(entry.label.endsWith(".jar") && platformHas(name))) {
                        return defineClass(name, entry.bytes, 0, entry.bytes.length);
                    }
                }
                return super.loadClass(name, resolve);
            }
        }
    }

    /** As for an application, the JDK's own classes go before a jar's: else signatures meet two of one name. */
    static boolean platformHas(String name) {
        String file = name.replace('.', '/') + ".class";
        return ClassLoader.getPlatformClassLoader().getResource(file) != null;
    }

    public static void main(String[] args) throws Exception {
        List<String> rest = Arrays.asList(args).subList(2, args.length);
        switch (args[0]) {
            case "extract": extract(Path.of(args[1]), rest); break;
            case "link": link(read(args[1]), args[2]); break;
            case "own": own(Path.of(args[1]), args[2]); break;
            default: throw new IllegalArgumentException(args[0]);
        }
    }

    static void put(DataOutputStream out, byte[] bytes) throws IOException {
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    static byte[] get(DataInputStream in) throws IOException {
        byte[] bytes = new byte[in.readInt()];
        in.readFully(bytes);
        return bytes;
    }

    static boolean wanted(String name) {
        return name.endsWith(".class") && !name.endsWith("module-info.class") && !name.endsWith("package-info.class");
    }

    static void extract(Path pack, List<String> inputs) throws IOException {
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(pack)))) {
            for (String input : inputs) {
                if (input.startsWith("jrt:")) {
                    extractOwn(out, input.substring(4));
                } else {
                    extractJar(out, input);
                }
            }
        }
    }

    static void extractJar(DataOutputStream out, String jar) throws IOException {
        try (ZipFile zip = new ZipFile(jar)) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                if (wanted(entry.getName())) {
                    try (InputStream in = zip.getInputStream(entry)) {
                        put(out, jar.getBytes("UTF-8"));
                        put(out, in.readAllBytes());
                    }
                }
            }
        }
    }

    static void extractOwn(DataOutputStream out, String module) throws IOException {
        Path modules = FileSystems.getFileSystem(URI.create("jrt:/")).getPath("/modules", module);
        List<Path> files = new ArrayList<>();
        try (Stream<Path> walk = Files.walk(modules)) {
            walk.filter(f -> wanted(f.toString())).sorted().forEach(files::add);
        }
        for (Path file : files) {
            put(out, file.getName(1).toString().getBytes("UTF-8"));
            put(out, Files.readAllBytes(file));
        }
    }

    /** Here the label is followed by the name of the class. */
    static Pack read(String path) throws IOException {
        Pack pack = new Pack();
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(Path.of(path))))) {
            while (true) {
                in.mark(1);
                if (in.read() < 0) {
                    return pack;
                }
                in.reset();
                String label = new String(get(in), "UTF-8");
                String name = new String(get(in), "UTF-8");
                pack.add(name.replace('/', '.'), new Entry(label, get(in)));
            }
        }
    }

    interface Find {
        Class<?> find() throws Exception;
    }

    /** Asking for the fields links a class, and so verifies it, without running any of it. */
    static String outcome(Find find) {
        try {
            Class<?> c = find.find();
            if (c == null) {
                return "not found";
            }
            c.getDeclaredFields();
            return "linked";
        } catch (Throwable t) {
            return t.toString().replace('\n', ' ');
        }
    }

    static void link(Pack pack, String outcomes) throws IOException {
        try (PrintWriter out = new PrintWriter(outcomes, "UTF-8")) {
            for (int g = 0; g < pack.generations.size(); g++) {
                Loader loader = new Loader(pack, g);
                List<String> names = new ArrayList<>(pack.generations.get(g).keySet());
                Collections.sort(names);
                for (String name : names) {
                    String label = pack.generations.get(g).get(name).label;
                    out.println(label + "/" + name + ": " + outcome(() -> Class.forName(name, false, loader)));
                }
            }
        }
    }

    static void own(Path names, String outcomes) throws IOException {
        try (PrintWriter out = new PrintWriter(outcomes, "UTF-8")) {
            for (String line : Files.readAllLines(names)) {
                int slash = line.indexOf('/');
                String name = line.substring(slash + 1);
                Module module = ModuleLayer.boot().findModule(line.substring(0, slash)).orElse(null);
                out.println(line + ": " + (module == null ? "no module" : outcome(() -> Class.forName(module, name))));
            }
        }
    }
}
