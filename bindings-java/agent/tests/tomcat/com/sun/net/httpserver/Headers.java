package com.sun.net.httpserver;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;

/** See {@link HttpServer}. */
public class Headers extends TreeMap<String, List<String>> {
    public Headers() {
        super(String.CASE_INSENSITIVE_ORDER);
    }

    /** Declared here, so that callers compiled against the JDK's class find it. */
    @Override
    public List<String> get(Object name) {
        return super.get(name);
    }

    public String getFirst(String name) {
        List<String> values = get(name);
        return values == null || values.isEmpty() ? null : values.get(0);
    }

    public void set(String name, String value) {
        put(name, new ArrayList<>(Arrays.asList(value)));
    }
}
