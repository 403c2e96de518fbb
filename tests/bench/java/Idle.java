/** Says that it is there and waits until its standard input ends. */
public class Idle {
    public static void main(String[] args) throws Exception {
        System.out.println("ready");
        System.in.read();
    }
}
