package java.trilane;

/**
 * An object of a class of ours that lives in a framework's own class loader and calls the framework's classes
 * directly, where {@link Call} would have to look a method up each time. Kept beside the framework's class, so that
 * nothing here holds on to it.
 */
final class Beside<T> extends ClassValue<T> {
    private final String framework;
    private final String ours;

    /** @param framework the class whose loader is meant, @param ours the class to define there */
    Beside(String framework, String ours) {
        this.framework = framework;
        this.ours = ours;
    }

    @Override
    @SuppressWarnings("unchecked")
    protected T computeValue(Class<?> type) {
        try {
            ClassLoader loader = Handles.named(type, framework).getClassLoader();
            Class<?> made;
            synchronized (this) {
                made = Native.define(loader, ours.replace('.', '/'));
            }
            // Refused where another subclass of the framework's class was here before.
            return (T) (made == null ? Class.forName(ours, true, loader) : made).getConstructor().newInstance();
        } catch (ReflectiveOperationException cause) {
            throw new IllegalStateException(ours + " does not fit " + type.getName(), cause);
        }
    }
}
