// The shared vectors through the C ABI of libtrilane.so: see ../README.md.
//
//     tests/vectors/java/run.sh dist/libtrilane.so        finds a JDK of 22 or newer and runs
//     java --enable-native-access=ALL-UNNAMED tests/vectors/java/Vectors.java dist/libtrilane.so tests/vectors
//
// Failing cases are printed with what was expected and found, and the program then ends with 1. The last line of a
// good run is `vectors: java=N`.

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

final class Vectors {
    private interface Check {
        void run(Vector c) throws Exception;
    }

    private final PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, UTF_8);
    private final List<String> failed = new ArrayList<>();
    private int count;

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 2) {
            System.err.println("usage: java Vectors.java LIBTRILANE.so DIRECTORY-OF-VECTORS");
            System.exit(2);
        }
        Vectors run = new Vectors();
        Path scratch = Files.createTempDirectory("trilane-vectors-java");
        try {
            run.all(new Library(Path.of(arguments[0])), Path.of(arguments[1]), scratch);
        } finally {
            remove(scratch);
        }
        run.out.println("vectors: java=" + run.count);
        if (!run.failed.isEmpty()) {
            run.out.println("vectors: " + run.failed.size() + " failed: " + String.join(" ", run.failed));
            System.exit(1);
        }
    }

    private void all(Library library, Path vectors, Path scratch) throws IOException {
        try (Cases cases = new Cases(library, scratch)) {
            Map<String, Check> files = new LinkedHashMap<>();
            files.put("tags", cases::tag);
            files.put("carriers", cases::carrier);
            files.put("metadata", cases::metadata);
            files.put("route", cases::route);
            files.put("pick", cases::pick);
            files.put("percent", cases::percent);
            files.put("entry", cases::entry);
            files.put("badrules", cases::badRules);
            files.put("known", cases::known);
            files.put("edge", cases::edge);
            files.put("trace", cases::trace);
            for (Map.Entry<String, Check> file : files.entrySet()) {
                run(vectors.resolve(file.getKey() + ".json"), file.getValue(), cases);
            }
            buckets(vectors.resolve("buckets.txt"), cases);
        }
        for (int kind : new int[] {0, 2}) {
            long live = (long) library.call("trilane_live", MemorySegment.NULL, kind);
            if (live != 0) {
                fail("trilane_live", live + (kind == 0 ? " engines" : " errors") + " are alive at the end");
            }
        }
    }

    private void run(Path file, Check check, Cases cases) throws IOException {
        List<?> listed = (List<?>) Json.parse(Files.readString(file));
        for (Object one : listed) {
            Vector c = new Vector((Map<?, ?>) one);
            String id = c.text("id");
            try {
                check.run(c);
                cases.freed();
            } catch (Cases.Mismatch e) {
                fail(id, e.getMessage() + "\n  why      " + c.get("why"));
            } catch (Exception e) {
                fail(id, e + "\n  why      " + c.get("why"));
            }
            count++;
        }
        if (listed.isEmpty()) {
            fail(file.getFileName().toString(), "there is no case in it");
        }
    }

    private void buckets(Path file, Cases cases) throws IOException {
        for (String line : Files.readAllLines(file)) {
            int blank = line.indexOf(' ');
            try {
                cases.bucket(line.substring(0, blank), line.substring(blank + 1));
            } catch (Exception e) {
                fail("buckets.txt: " + line, e.toString());
            }
            count++;
        }
    }

    private void fail(String id, String why) {
        out.println("FAILED " + id + ": " + why);
        failed.add(id);
    }

    private static void remove(Path scratch) throws IOException {
        try (Stream<Path> files = Files.list(scratch)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(scratch);
    }
}
