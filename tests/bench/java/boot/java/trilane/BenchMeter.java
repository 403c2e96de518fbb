package java.trilane;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Measures pieces of code in turns by this thread's CPU time and prints each as one JSON line. */
public final class BenchMeter {
    /** A piece of code that does the same thing {@code times} times; the loop is its own. */
    public interface Body {
        Object run(long times) throws Throwable;
    }

    private static final class Case {
        String name;
        Body body;
        long times = 1;
        final List<Double> windows = new ArrayList<Double>();
    }

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    /** Nothing that is computed may be thrown away. */
    public static volatile Object sink;

    private final List<Case> cases = new ArrayList<Case>();

    public void add(String name, Body body) {
        Case one = new Case();
        one.name = name;
        one.body = body;
        cases.add(one);
    }

    /** Warms every case up, finds how often it runs in a window, then gives the cases windows in turn. */
    public void measure(int windows, long warmNanos, long windowNanos) throws Throwable {
        for (Case one : cases) {
            long until = cpu() + warmNanos;
            while (cpu() < until) {
                if (nanos(one) * one.times < windowNanos / 2) {
                    one.times *= 2;
                }
            }
        }
        for (int i = 0; i < windows; i++) {
            for (Case one : cases) {
                one.windows.add(nanos(one));
            }
        }
        for (Case one : cases) {
            StringBuilder line = new StringBuilder("{\"name\":\"").append(one.name).append("\",\"ns\":[");
            for (int i = 0; i < windows; i++) {
                line.append(i == 0 ? "" : ",").append(String.format(Locale.ROOT, "%.3f", one.windows.get(i)));
            }
            System.out.println(line.append("]}"));
        }
        cases.clear();
    }

    private static double nanos(Case one) throws Throwable {
        long begin = cpu();
        sink = one.body.run(one.times);
        return (cpu() - begin) / (double) one.times;
    }

    private static long cpu() {
        return THREADS.getCurrentThreadCpuTime();
    }
}
