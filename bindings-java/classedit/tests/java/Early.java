import java.util.ArrayList;
import java.util.List;

/** Early returns. */
public class Early {
    List<String> pick(List<String> from, int n) {
        List<String> out = new ArrayList<>();
        for (String s : from) {
            if (s.length() > n) {
                out.add(s);
            }
        }
        return out;
    }

    static String straight(String s) { return s + "?"; }

    static String first(int n) {
        while (true) {
            if (n > 5) {
                return "n" + n;
            }
            n++;
        }
    }

    public static void main(String[] args) {
        Early early = new Early();
        System.out.println(early.pick(List.of("a", "bb"), 1));
        System.out.println(straight("s"));
        System.out.println(first(1));
        Bridge.answer = List.of("answer");
        System.out.println(early.pick(List.of("a", "bb"), 1));
        Bridge.answer = "answer";
        System.out.println(straight("s"));
        System.out.println(first(1));
        try {
            System.out.println(early.pick(List.of("a"), 1));
        } catch (ClassCastException e) {
            System.out.println("cast");
        }
    }
}
