import java.io.IOException;
import java.io.InputStream;
import java.net.URL;

/** A system class loader that asks its parent for nothing but what it must, and offers nothing to agents. */
public class Hostile extends ClassLoader {
    public Hostile(ClassLoader parent) {
        super(parent);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (name.startsWith("java.") || name.startsWith("jdk.") || name.startsWith("com.sun.")
                || name.startsWith("sun.")) {
            return super.loadClass(name, resolve);
        }
        Class<?> found = findLoadedClass(name);
        if (found != null) {
            return found;
        }
        URL url = getParent().getResource(name.replace('.', '/') + ".class");
        if (url == null) {
            throw new ClassNotFoundException(name);
        }
        if (url.getProtocol().equals("jrt")) {
            return super.loadClass(name, resolve);
        }
        try (InputStream in = url.openStream()) {
            byte[] bytes = in.readAllBytes();
            return defineClass(name, bytes, 0, bytes.length);
        } catch (IOException e) {
            throw new ClassNotFoundException(name, e);
        }
    }
}
