import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One case, or an object inside of one. A field that is not there or of another type is an error, not a default. */
record Vector(Map<?, ?> members) {
    /** The value, {@code null} where the file says so. */
    Object get(String field) {
        if (!members.containsKey(field)) {
            throw new IllegalArgumentException("there is no field " + field);
        }
        return members.get(field);
    }

    /** The value of a field that some of the objects do without. */
    Object optional(String field) {
        return members.get(field);
    }

    String text(String field) {
        return of(String.class, field);
    }

    List<?> list(String field) {
        return of(List.class, field);
    }

    List<Vector> vectors(String field) {
        return list(field).stream().map(member -> new Vector((Map<?, ?>) member)).toList();
    }

    Map<String, String> texts(String field) {
        Map<String, String> out = new LinkedHashMap<>();
        Map<?, ?> given = of(Map.class, field);
        given.forEach((key, value) -> out.put((String) key, (String) value));
        return out;
    }

    private <T> T of(Class<T> type, String field) {
        Object value = get(field);
        if (!type.isInstance(value)) {
            throw new IllegalArgumentException(field + " is " + value + ", not a " + type.getSimpleName());
        }
        return type.cast(value);
    }
}
