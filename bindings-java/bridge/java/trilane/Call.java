package java.trilane;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Modifier;

/**
 * One method or field of framework objects, called by name: the handle is found once per class and kept beside that
 * class, so that nothing here holds on to an application's class.
 *
 * <p>A handle takes and gives objects only, so that {@code (Object) handle.invokeExact((Object) target, ...)} fits.
 */
final class Call extends ClassValue<MethodHandle> {
    private final String name;
    private final Class<?>[] params;

    /** A public method with exactly these parameter types. */
    Call(String name, Class<?>... params) {
        this.name = name;
        this.params = params;
    }

    /** A public field that is read. */
    static Call field(String name) {
        return new Call(name, (Class<?>[]) null);
    }

    MethodHandle of(Object target) {
        return get(target.getClass());
    }

    Object on(Object target) throws Throwable {
        return (Object) of(target).invokeExact(target);
    }

    Object on(Object target, Object argument) throws Throwable {
        return (Object) of(target).invokeExact(target, argument);
    }

    Object on(Object target, Object first, Object second) throws Throwable {
        return (Object) of(target).invokeExact(target, first, second);
    }

    String text(Object target) throws Throwable {
        return (String) on(target);
    }

    int number(Object target) throws Throwable {
        return ((Integer) on(target)).intValue();
    }

    @Override
    protected MethodHandle computeValue(Class<?> type) {
        MethodHandle found = find(type);
        if (found == null) {
            throw new IllegalStateException("no public " + name + " in " + type.getName());
        }
        return found.asType(found.type().generic());
    }

    /** The first public type that declares it: a class behind a public interface need not be public itself. */
    private MethodHandle find(Class<?> type) {
        for (Class<?> at = type; at != null; at = at.getSuperclass()) {
            MethodHandle found = declaredBy(at);
            if (found != null) {
                return found;
            }
        }
        return params == null ? null : amongInterfaces(type);
    }

    private MethodHandle amongInterfaces(Class<?> type) {
        for (Class<?> at = type; at != null; at = at.getSuperclass()) {
            Class<?>[] interfaces = at.getInterfaces();
            for (int i = 0; i < interfaces.length; i++) {
                MethodHandle found = declaredBy(interfaces[i]);
                if (found == null) {
                    found = amongInterfaces(interfaces[i]);
                }
                if (found != null) {
                    return found;
                }
            }
        }
        return null;
    }

    private MethodHandle declaredBy(Class<?> type) {
        if (!Modifier.isPublic(type.getModifiers())) {
            return null;
        }
        try {
            MethodHandles.Lookup lookup = MethodHandles.publicLookup();
            return params == null
                    ? lookup.unreflectGetter(type.getField(name))
                    : lookup.unreflect(type.getMethod(name, params));
        } catch (ReflectiveOperationException notHere) {
            return null;
        }
    }
}
