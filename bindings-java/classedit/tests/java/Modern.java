import java.util.List;

/** Records, sealed types, patterns, text blocks, string concatenation by invokedynamic. */
public class Modern {
    sealed interface Node permits Leaf, Pair { }

    record Leaf(String name, long weight) implements Node {
        Leaf {
            name = name.strip();
        }
    }

    record Pair(Node left, Node right) implements Node { }

    enum Level { LOW, HIGH }

    static String show(Node node) {
        if (node instanceof Leaf leaf && leaf.weight() > 0) {
            return leaf.name() + leaf.weight();
        } else if (node instanceof Pair pair) {
            return "(" + show(pair.left()) + " " + show(pair.right()) + ")";
        }
        return "?";
    }

    static String level(Level level) {
        return switch (level) {
            case LOW -> "low";
            case HIGH -> {
                String s = "hi";
                yield s + "gh";
            }
        };
    }

    static List<String> nested(List<String> in) {
        class Local {
            List<String> twice() { return in.stream().map(s -> s + s).toList(); }
        }
        return new Local().twice();
    }

    public static void main(String[] args) {
        System.out.println(new Leaf(" a ", 1));
        System.out.println(show(new Pair(new Leaf("b", 2), new Leaf("c", 0))));
        System.out.println(level(Level.LOW) + level(Level.HIGH));
        System.out.println(nested(List.of("x", "y")));
        System.out.println(new Leaf("q", 9).equals(new Leaf("q", 9)));
    }
}
