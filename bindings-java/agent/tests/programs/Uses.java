/** Loads the classes it is told, twice each. */
public class Uses {
    public static void main(String[] args) throws Exception {
        for (String name : args) {
            Class.forName(name);
            Class.forName(name);
        }
        System.out.println("used");
    }
}
