package java.trilane;

/** Finds the public types behind framework objects. */
final class Handles {
    private Handles() {}

    /** The superclass or interface of that name. */
    static Class<?> named(Class<?> type, String name) throws ClassNotFoundException {
        for (Class<?> at = type; at != null; at = at.getSuperclass()) {
            if (at.getName().equals(name)) {
                return at;
            }
            Class<?> found = among(at.getInterfaces(), name);
            if (found != null) {
                return found;
            }
        }
        throw new ClassNotFoundException(name);
    }

    private static Class<?> among(Class<?>[] interfaces, String name) {
        for (int i = 0; i < interfaces.length; i++) {
            if (interfaces[i].getName().equals(name)) {
                return interfaces[i];
            }
            Class<?> found = among(interfaces[i].getInterfaces(), name);
            if (found != null) {
                return found;
            }
        }
        return null;
    }
}
