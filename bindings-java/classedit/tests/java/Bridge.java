/** What the edited classes call. Every call prints a line, so that the order of things shows. */
public class Bridge {
    /** What {@link #early} answers; null lets the method go on. */
    public static Object answer;

    private static void say(String what, Object... args) {
        StringBuilder line = new StringBuilder(what);
        for (Object arg : args) {
            line.append(' ').append(arg);
        }
        System.out.println(line);
    }

    public static void enter() { say("enter"); }
    public static void enter(Object a) { say("enter", a); }
    public static void enter(Object a, Object b) { say("enter", a, b); }
    public static void enter(Object a, Object b, Object c) { say("enter", a, b, c); }
    public static void enter(int a, long b, double c, Object d, float e) { say("enter", a, b, c, d, e); }
    public static void enter(boolean a, byte b, char c, short d) { say("enter", a, b, c, d); }
    public static void enter(int a) { say("enter", a); }
    public static void second() { say("second"); }

    public static Object map(Object a) { say("map", a); return a instanceof String ? a + "'" : a; }
    public static Object map(Object a, Object b) { say("map", a, b); return a instanceof String ? a + "'" : a; }
    public static Object map(Object a, Object b, long c) { say("map", a, b, c); return a + "'"; }
    public static Object again(Object a) { say("again", a); return a + "\""; }
    public static boolean map(boolean a) { say("map", a); return !a; }
    public static byte map(byte a) { say("map", a); return (byte) (a + 1); }
    public static char map(char a) { say("map", a); return (char) (a + 1); }
    public static short map(short a) { say("map", a); return (short) (a + 1); }
    public static int map(int a) { say("map", a); return a + 1; }
    public static long map(long a) { say("map", a); return a + 1; }
    public static float map(float a) { say("map", a); return a + 1; }
    public static double map(double a) { say("map", a); return a + 1; }

    public static void leave() { say("leave"); }
    public static void leave(Object a) { say("leave", a); }
    public static void leave(Object a, Object b) { say("leave", a, b); }
    public static void leave(Object a, long b, double c, Object d) { say("leave", a, b, c, d); }

    public static Object early() { say("early"); return answer; }
    public static Object early(Object a) { say("early", a); return answer; }
    public static Object none() { say("none"); return null; }
}
