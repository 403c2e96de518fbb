import java.util.function.Supplier;

/** Loops, switches, exceptions, monitors, lambdas. */
public class Flow {
    /** The loop jumps to pc 0. */
    static int loop(int n) {
        do {
            n = n * 2;
        } while (n < 100);
        return n;
    }

    static String dense(int n) {
        switch (n) {
            case 0: return "zero";
            case 1: return "one";
            case 2: n = 20; break;
            case 3: n = 30;
            default: n++;
        }
        return "n" + n;
    }

    static String sparse(int n) {
        switch (n) {
            case -5: return "minus five";
            case 1000: return "thousand";
            case 1000000: n = 7; break;
            default: return "none";
        }
        return "n" + n;
    }

    static String named(String s) {
        switch (s) {
            case "a": return "A";
            case "b": return "B";
            default: return s + s;
        }
    }

    static int caught(String s) {
        try {
            return Integer.parseInt(s);
        } catch (NumberFormatException e) {
            return -1;
        } finally {
            System.out.println("own finally");
        }
    }

    static int thrown(String s) {
        return Integer.parseInt(s);
    }

    /** An exception that the method itself catches and passes on counts once. */
    static int rethrown(String s) {
        try {
            return Integer.parseInt(s);
        } catch (NumberFormatException e) {
            throw new IllegalStateException("rethrown");
        }
    }

    int locked(Object lock, int n) {
        synchronized (lock) {
            if (n < 0) {
                throw new IllegalStateException("negative " + Thread.holdsLock(lock));
            }
            return n + 1;
        }
    }

    synchronized long lockedAll(long n) {
        if (n < 0) {
            throw new IllegalStateException("negative");
        }
        return n;
    }

    static String chosen(Object o) {
        String s = o == null ? "null" : o instanceof String ? (String) o : new String("other");
        return s.isEmpty() ? "empty" : new StringBuilder(s.length() > 3 ? s.substring(3) : s).toString();
    }

    static Supplier<String> lambda(String s) {
        return () -> s + "!";
    }

    static String endless(String s) {
        for (int i = 0; ; i++) {
            if (i > 3) {
                throw new IllegalStateException(s + i);
            }
        }
    }

    interface Shape {
        default String name(String s) { return "shape " + s; }
        static String of(String s) { return "of " + s; }
    }

    static void attempt(Supplier<Object> s) {
        try {
            System.out.println(s.get());
        } catch (RuntimeException e) {
            System.out.println("threw " + e.getMessage());
        }
    }

    public static void main(String[] args) {
        attempt(() -> loop(3));
        attempt(() -> dense(1) + dense(2) + dense(3) + dense(9));
        attempt(() -> sparse(-5) + sparse(1000) + sparse(1000000) + sparse(4));
        attempt(() -> named("a") + named("b") + named("c"));
        attempt(() -> caught("12") + caught("x"));
        attempt(() -> thrown("12"));
        attempt(() -> thrown("x"));
        attempt(() -> rethrown("x"));
        Flow flow = new Flow();
        attempt(() -> flow.locked("lock", 1));
        attempt(() -> flow.locked("lock", -1));
        attempt(() -> Thread.holdsLock("lock"));
        attempt(() -> flow.lockedAll(5));
        attempt(() -> flow.lockedAll(-5));
        attempt(() -> Thread.holdsLock(flow));
        attempt(() -> chosen(null) + chosen("") + chosen("abcdef") + chosen(4));
        attempt(() -> lambda("l").get());
        attempt(() -> endless("e"));
        attempt(() -> new Shape() { }.name("d") + Shape.of("s"));
    }
}
