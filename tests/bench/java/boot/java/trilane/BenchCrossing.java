package java.trilane;

import java.util.List;

/**
 * The native {@code route} and the whole choice of a hook on the list that bench-route makes.
 *
 * <p>Arguments: instances, lanes, windows, calls per window, milliseconds of warming up.
 */
public final class BenchCrossing {
    private BenchCrossing() {}

    public static void main(String[] args) throws Throwable {
        final int instances = Integer.parseInt(args[0]);
        final int lanes = Integer.parseInt(args[1]);
        String hooked = "org.apache.dubbo.rpc.cluster.directory.AbstractDirectory";
        // The agent brings its bridge when the first class outside of the boot loader, where this one is, is linked.
        Class.forName(hooked, true, ClassLoader.getSystemClassLoader());
        Object[] objects = new Object[instances];
        String[] addresses = new String[instances];
        String[] tags = new String[instances];
        for (int n = 0; n < instances; n++) {
            objects[n] = new Object();
            addresses[n] = "10." + n % 250 + "." + n / 250 + ".1:" + (1000 + n);
            tags[n] = n % 2 == 0 ? null : "lane-" + n / 2 % lanes;
        }
        final long list = list(addresses, tags);
        final int stamp = Native.listStamp(list);
        final int[] ids = new int[lanes];
        for (int n = 0; n < lanes; n++) {
            ids[n] = Native.tagFind("lane-" + n);
        }
        long answer = Native.route(list, ids[0], 0, 1, stamp);
        if ((int) answer == -1 || (answer >>> 56 & 3) != 0) {
            throw new IllegalStateException("the list does not decide: " + Long.toHexString(answer));
        }
        final BenchDoor door = new BenchDoor("choose", objects, addresses, tags);
        door.mustChoose((answer & Listing.OFF_OR_OBSERVE) == 0);
        BenchMeter meter = new BenchMeter();
        meter.add("route", new BenchMeter.Body() {
            public Object run(long times) {
                return route(list, stamp, ids, times);
            }
        });
        meter.add("choose", new BenchMeter.Body() {
            public Object run(long times) {
                return choose(door, ids, times);
            }
        });
        meter.measure(Integer.parseInt(args[2]), Long.parseLong(args[4]) * 1000000, Long.parseLong(args[3]) * 30);
    }

    private static long list(String[] addresses, String[] tags) {
        Packer packer = new Packer(64 * addresses.length);
        packer.number(1);
        packer.text("route");
        packer.number(addresses.length);
        for (int n = 0; n < addresses.length; n++) {
            packer.text(addresses[n]);
            packer.number(1);
            packer.number(tags[n] == null ? 0 : 1);
            if (tags[n] != null) {
                packer.text(BenchDoor.KEY);
                packer.text(tags[n]);
            }
        }
        return Native.listNew(packer.done());
    }

    private static Object route(long list, int stamp, int[] ids, long times) {
        long entropy = 0x9e3779b97f4a7c15L;
        long all = 0;
        for (long call = 0; call < times; call++) {
            entropy = entropy * 0x5851f42d4c957f2dL + 1;
            all += Native.route(list, ids[(int) (call % ids.length)], 0, entropy, stamp);
        }
        return Long.valueOf(all);
    }

    private static Object choose(BenchDoor door, int[] ids, long times) {
        List<?> last = null;
        for (long call = 0; call < times; call++) {
            last = door.choose(ids[(int) (call % ids.length)]);
        }
        return last;
    }
}
