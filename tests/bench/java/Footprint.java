import java.io.File;
import java.lang.management.ClassLoadingMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;

/** Prints what this JVM holds when nothing has happened yet: "name value" lines. */
public class Footprint {
    public static void main(String[] args) {
        int threads = entries("/proc/self/task");
        int files = entries("/proc/self/fd");
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            String name = pool.getName();
            if (name.equals("Metaspace") || name.equals("Compressed Class Space")) {
                System.out.println(name.replace(' ', '-') + " " + pool.getUsage().getUsed());
            }
        }
        ClassLoadingMXBean loading = ManagementFactory.getClassLoadingMXBean();
        System.out.println("classes " + loading.getTotalLoadedClassCount());
        System.out.println("threads " + threads);
        System.out.println("descriptors " + files);
    }

    private static int entries(String folder) {
        String[] names = new File(folder).list();
        return names == null ? -1 : names.length;
    }
}
