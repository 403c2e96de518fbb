import java.util.concurrent.atomic.AtomicLong;

/** One thread that never rests. For each line of standard input: the longest time that it stood still since the last. */
public class Busy {
    private static final AtomicLong LONGEST = new AtomicLong();

    public static void main(String[] args) throws Exception {
        Thread busy = new Thread(Busy::run, "busy");
        busy.setDaemon(true);
        busy.start();
        System.out.println("ready");
        while (System.in.read() == '\n') {
            System.out.println("stood " + LONGEST.getAndSet(0));
        }
    }

    private static void run() {
        long last = System.nanoTime();
        for (; ; ) {
            long now = System.nanoTime();
            if (now - last > LONGEST.get()) {
                LONGEST.set(now - last);
            }
            last = now;
        }
    }
}
