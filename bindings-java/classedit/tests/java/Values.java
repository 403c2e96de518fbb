import java.util.List;

/** Parameters and returned values of every type; constructors. */
public class Values {
    private final String made;

    Values(long skipped, String made) {
        this(made.concat("+"));
    }

    Values(String made) {
        super();
        this.made = made;
    }

    @Override public String toString() { return "V(" + made + ")"; }

    static String many(int a, long b, double c, String d, float e) { return d + a + b + c + e; }
    static int small(boolean a, byte b, char c, short d) { return b + d; }
    String text(String a, long wide, String b) { return made + a + wide + b; }
    int[] array(int[] a) { return a; }
    List<String> list(List<String> a) { return a; }
    Object object(Object a) { return a; }

    static boolean z(boolean a) { return a; }
    static byte b(byte a) { return a; }
    static char c(char a) { return a; }
    static short s(short a) { return a; }
    static int i(int a) { return a; }
    static long j(long a) { return a; }
    static float f(float a) { return a; }
    static double d(double a) { return a; }
    static void v() { System.out.println("body"); }

    public static void main(String[] args) {
        System.out.println(many(1, 2L, 3.5, "d", 4.5f));
        System.out.println(small(true, (byte) 2, 'c', (short) 4));
        Values v = new Values(7L, "new");
        System.out.println(v);
        System.out.println(v.text("a", 5L, "b"));
        System.out.println(v.array(new int[] {1, 2}).length);
        System.out.println(v.list(List.of("x")));
        System.out.println(v.object("o"));
        System.out.println(z(true) + " " + b((byte) 1) + " " + c('a') + " " + s((short) 1) + " " + i(1) + " " + j(1L)
            + " " + f(1f) + " " + d(1d));
        v();
    }
}
