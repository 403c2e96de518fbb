/** Compiled for Java 8 and marked as older: no lambdas, no invokedynamic. */
public class Old {
    static String pick(String s, int n) {
        String out = "";
        for (int i = 0; i < n; i++) {
            try {
                switch (i) {
                    case 0: out = out + s.charAt(i); break;
                    case 1: out = out + s.substring(1).length(); break;
                    default: out = out + s.charAt(99);
                }
            } catch (StringIndexOutOfBoundsException e) {
                if (n > 9) {
                    throw new IllegalStateException("big");
                }
                out = out + "x";
            }
        }
        return out;
    }

    public static void main(String[] args) {
        System.out.println(pick("abc", 1));
        System.out.println(pick("abc", 3));
        try {
            System.out.println(pick("abc", 10));
        } catch (IllegalStateException e) {
            System.out.println("threw " + e.getMessage());
        }
    }
}
