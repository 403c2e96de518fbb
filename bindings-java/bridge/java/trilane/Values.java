package java.trilane;

import java.util.List;

/** Header values that come as lists. */
final class Values {
    private Values() {}

    /** One value as it is, several joined by a comma, none as null. */
    static String joined(List<String> values) {
        if (values == null || values.isEmpty()) {
            return null;
        }
        if (values.size() == 1) {
            return values.get(0);
        }
        StringBuilder joined = new StringBuilder();
        for (int i = 0; i < values.size(); i++) {
            if (i > 0) {
                joined.append(',');
            }
            joined.append(values.get(i));
        }
        return joined.toString();
    }
}
