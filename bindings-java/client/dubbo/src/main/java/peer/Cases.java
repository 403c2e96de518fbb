// SPDX-License-Identifier: Apache-2.0
package peer;

/** Runs cases one by one; prints `ok NAME` or `FAIL NAME: why`, and at the end the counts. */
final class Cases {
    private final String pair;
    private int passed;
    private int failed;

    Cases(String pair) {
        this.pair = pair;
    }

    interface Body {
        String run() throws Exception;
    }

    void check(String name, String expected, Body body) {
        String seen;
        try {
            seen = body.run();
        } catch (Throwable e) {
            seen = e.toString();
        }
        if (expected.equals(seen)) {
            passed++;
        } else {
            failed++;
            System.out.println("FAIL " + pair + " " + name + ": expected " + expected + ", was " + seen);
        }
    }

    void end() {
        System.out.println(pair + ": " + passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
