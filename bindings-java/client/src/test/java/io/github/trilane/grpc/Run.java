// SPDX-License-Identifier: Apache-2.0
package io.github.trilane.grpc;

import java.util.Arrays;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Request;
import org.junit.runner.Result;
import org.junit.runner.manipulation.Filter;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/**
 * {@code Run CLASS[:case,case…|:!case,case…]…}: runs a class's cases, only those or without them, prints failures and a
 * line for each class, and exits with 1 if one failed.
 */
public final class Run {
    private Run() {}

    public static void main(String[] args) throws Exception {
        boolean failed = false;
        for (String arg : args) {
            String[] parts = arg.split(":", 2);
            Class<?> type = Class.forName("io.github.trilane.grpc." + parts[0]);
            Request request = Request.aClass(type);
            if (parts.length == 2) {
                boolean without = parts[1].startsWith("!");
                request = request.filterWith(named(parts[1].substring(without ? 1 : 0).split(","), without));
            }
            failed |= !run(parts[0], request);
        }
        System.exit(failed ? 1 : 0);
    }

    private static Filter named(String[] cases, boolean without) {
        return new Filter() {
            @Override
            public boolean shouldRun(Description d) {
                return !d.isTest() || Arrays.asList(cases).contains(d.getMethodName()) != without;
            }

            @Override
            public String describe() {
                return Arrays.toString(cases);
            }
        };
    }

    private static boolean run(String name, Request request) {
        JUnitCore core = new JUnitCore();
        int[] skipped = {0};
        core.addListener(new RunListener() {
            @Override
            public void testStarted(Description d) {
                if (Boolean.getBoolean("verbose")) {
                    System.out.println("  " + d.getMethodName());
                }
            }

            @Override
            public void testAssumptionFailure(Failure f) {
                skipped[0]++;
                System.out.println("skipped: " + name + " " + f.getDescription().getMethodName() + ": " + f.getMessage());
            }
        });
        Result result = core.run(request);
        for (Failure f : result.getFailures()) {
            String trace = f.getTrace();
            System.out.println("FAIL " + name + " " + f.getDescription().getMethodName() + ": "
                    + trace.substring(0, Math.min(trace.length(), 1500)));
        }
        int passed = result.getRunCount() - result.getFailureCount() - skipped[0];
        System.out.printf("%s: %d passed, %d failed, %d skipped, %.1f s%n",
                name, passed, result.getFailureCount(), skipped[0] + result.getIgnoreCount(), result.getRunTime() / 1e3);
        return result.wasSuccessful();
    }
}
