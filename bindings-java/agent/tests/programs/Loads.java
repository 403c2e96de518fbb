import java.util.Arrays;

/** Loads a native library, as some programs do, and then is an ordinary Hop. */
public class Loads {
    public static void main(String[] args) throws Exception {
        System.load(args[0]);
        System.load(args[0]);
        Hop.main(Arrays.copyOfRange(args, 1, args.length));
    }
}
