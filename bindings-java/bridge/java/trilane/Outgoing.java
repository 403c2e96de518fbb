package java.trilane;

/** How a hook reads what rules ask of an outgoing call; the names are those of {@link Native#routeNames}. */
abstract class Outgoing {
    /**
     * The value of that name; null if the call has none.
     *
     * @param target what the call goes to, where the library knows that apart from the call
     */
    abstract String value(Object target, Object call, String name) throws Throwable;

    /** All of them, as they cross. What this library is still to write on the call counts as there. */
    byte[] packed(String[] names, Scope scope, Object target, Object call) throws Throwable {
        Packer packer = new Packer(16 + 24 * names.length);
        for (int i = 0; i < names.length; i++) {
            String value = call == null ? null : value(target, call, names[i]);
            value = value == null && scope != null ? carried(scope, names[i]) : value;
            packer.text(value == null || value.length() > Asked.LONGEST_VALUE ? null : value);
        }
        return packer.done();
    }

    private static String carried(Scope scope, String name) {
        if (scope.id != 0 && name.equals(DubboCarriers.HEADER)) {
            return scope.tag;
        }
        String[] pass = scope.pass;
        for (int i = 0; pass != null && i < pass.length; i += 2) {
            if (pass[i].equals(name)) {
                return pass[i + 1];
            }
        }
        return null;
    }
}
