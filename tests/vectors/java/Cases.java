import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/** One method per file of vectors. Cases in a row with the same rules and options share an engine. */
final class Cases implements AutoCloseable {
    /** What a case expected and what came. */
    static final class Mismatch extends Exception {
        private static final long serialVersionUID = 1;

        Mismatch(String what, Object expected, Object found) {
            super(what + "\n  expected " + expected + "\n  found    " + found);
        }
    }

    private static final String BARE = "apiVersion: trilane/v1\n";
    private static final String EVERY_BUCKET = everyBucket();
    private static final List<?> SHOP = List.of(List.of("service", "shop"));
    private static final List<String> KINDS = List.of("http", "dubbo", "message");
    private static final List<String> SOURCES = List.of("none", "carried", "entry", "trace", "own");
    private static final List<String> DECIDED = List.of("own", "noinstances", "noavailabled", "fail", "all");

    private final Library library;
    private final Path dir;
    private int started;
    private String lastRules;
    private List<?> lastOptions;
    private Engine engine;
    private long lists;

    /** {@code dir} takes the rule files. */
    Cases(Library library, Path dir) {
        this.library = library;
        this.dir = dir;
    }

    @Override
    public void close() {
        if (engine != null) {
            engine.close();
            engine = null;
        }
    }

    private void start(Vector c) throws Exception {
        start(c.text("rules"), c.optional("options") == null ? List.of() : c.list("options"));
    }

    private void start(String rules, List<?> options) throws Exception {
        if (engine != null && rules.equals(lastRules) && options.equals(lastOptions)) {
            return;
        }
        close();
        StringBuilder settings = new StringBuilder("log=off,rules=" + write(rules));
        for (Object pair : options) {
            settings.append(',').append(((List<?>) pair).get(0)).append('=').append(((List<?>) pair).get(1));
        }
        engine = new Engine(library, settings.toString());
        lists = engine.live(1);
        lastRules = rules;
        lastOptions = options;
    }

    private Path write(String rules) throws IOException {
        return Files.write(dir.resolve(++started + ".yaml"), rules.getBytes(UTF_8));
    }

    /** After each case: what it published is gone. */
    void freed() throws Mismatch {
        same("live lists after the case", lists, engine.live(1));
    }

    void tag(Vector c) throws Exception {
        start(BARE, List.of());
        same("tag_find", c.get("valid"), engine.tagFind(HexFormat.of().parseHex(c.text("hex"))) != 0);
    }

    void carrier(Vector c) throws Exception {
        start(c);
        if (c.text("op").equals("baggage_set")) {
            baggage(c);
            return;
        }
        Request request = enter(c.text("kind"), c.vectors("headers"));
        same("tag", c.text("tag"), request.tag);
        same("source", c.text("tag").isEmpty() ? 0 : 1, request.entered.source());
        if (c.get("malformed") != null) {
            same("malformed", c.get("malformed"), (request.entered.flags() & Engine.Entered.MALFORMED) != 0);
        }
        if (c.get("disagree") != null) {
            same("disagree", c.get("disagree"), (request.entered.flags() & Engine.Entered.DISAGREED) != 0);
        }
    }

    private void baggage(Vector c) throws Mismatch {
        String result = engine.baggageSet(c.text("old"), c.text("tag"));
        List<Object> ours = new ArrayList<>();
        List<Object> others = new ArrayList<>();
        for (String piece : result.split(",")) {
            String member = piece.strip();
            boolean mine = member.split("[=;]", 2)[0].strip().equals("__microservice_tag__");
            if (!member.isEmpty()) {
                (mine ? ours : others).add(member);
            }
        }
        same("our member", c.get("ours") == null ? List.of() : List.of(c.text("ours")), ours);
        same("other members", c.list("others"), others);
        same("a comma or blank at an end", c.text("old").isEmpty() && result.matches("[, ].*|.*[, ]"),
                result.matches("[, ].*|.*[, ]"));
    }

    void metadata(Vector c) throws Exception {
        start(c);
        var instance = new Engine.Instance(c.text("address"), c.texts("metadata"), true);
        long list = engine.listNew(List.of(c.text("name")), List.of(instance));
        try {
            String tag = (String) c.get("tag");
            boolean untagged = "".equals(tag);
            same("routing no tag", untagged ? "own [0]" : "fail []", decided(list, ""));
            if (tag != null && !untagged) {
                same("routing its tag", "own [0]", decided(list, tag));
            }
        } finally {
            engine.listFree(list);
        }
    }

    void route(Vector c) throws Exception {
        start(c);
        if (c.get("authority") != null) {
            long list = engine.authority(c.text("authority"));
            same("a list for the authority", c.get("case") != null, list != 0);
            if (list != 0) {
                List<?> addresses = c.list("addresses");
                for (int n = 0; n < addresses.size(); n++) {
                    same("address " + n, addresses.get(n), engine.address(list, n));
                }
                route(list, c, "");
            }
            return;
        }
        long list = publish(c);
        try {
            route(list, c, "");
        } finally {
            engine.listFree(list);
        }
        list = publishBySteps(c);
        try {
            route(list, c, "after list_change and list_health: ");
        } finally {
            engine.listFree(list);
        }
    }

    private void route(long list, Vector c, String when) throws Mismatch {
        String tag = c.text("tag");
        same(when + "explain is an object", true, Json.parse(engine.explain(list, tag)) instanceof Map);
        Engine.Routed answer = routed(list, tag, 0);
        String mode = c.text("mode");
        if (!mode.equals("on")) {
            int flag = mode.equals("off") ? Engine.Routed.OFF : Engine.Routed.OBSERVE;
            same(when + "flag " + mode, true, (answer.flags() & flag) != 0);
            return;
        }
        same(when + "flags", 0, answer.flags() & ~Engine.Routed.FALLBACK);
        String expected = c.text("case");
        String found = word(answer);
        boolean fellBack = answer.decided() == 1 || answer.decided() == 2;
        same(when + "case", expected, expected.equals("fallback") && fellBack ? "fallback" : found);
        List<?> indices = c.list("indices");
        same(when + "indices", indices, usable(list, answer));
        same(when + "index", indices.isEmpty() ? (Object) Engine.NO_INDEX : indices.get(0), answer.index());
        if (answer.decided() <= 2) {
            same(when + "flag FALLBACK", fellBack, (answer.flags() & Engine.Routed.FALLBACK) != 0);
        } else if (answer.decided() == 3) {
            same(when + "subset of a failure", Engine.NO_SUBSET, answer.subset());
        }
    }

    void pick(Vector c) throws Exception {
        start(c);
        long list = publish(c);
        try {
            Engine.Routed answer = routed(list, c.text("tag"), Long.parseUnsignedLong(c.text("entropy")));
            same("case", c.text("case"), word(answer));
            same("index", c.get("index"), answer.index());
        } finally {
            engine.listFree(list);
        }
    }

    /** The bucket itself stays inside the library: the rule tells whether it is the one. */
    void percent(Vector c) throws Exception {
        start(c);
        Request request = enter("http", List.of(new Vector(Map.of("name", "x-user-id", "value", c.text("key")))));
        same("tag and source", c.get("match").equals(true) ? "gray entry" : " none", request.tagAndSource());
    }

    /** The lane that a rule for each bucket gives. */
    void bucket(String bucket, String key) throws Exception {
        start(EVERY_BUCKET, SHOP);
        Request request = enter("http", List.of(new Vector(Map.of("name", "x-user-id", "value", key))));
        same("tag", "b" + bucket, request.tag);
    }

    private static String everyBucket() {
        StringBuilder lanes = new StringBuilder(BARE + "lanes:\n");
        StringBuilder rules = new StringBuilder("entry:\n  - service: shop\n    rules:\n");
        for (int b = 0; b < 10_000; b++) {
            lanes.append("  - {tag: b").append(b).append("}\n");
            rules.append("      - {lane: b").append(b).append(", percent: 0.01, from: ").append(b / 100).append('.')
                    .append(b / 10 % 10).append(b % 10).append(", key: {header: x-user-id}, salt: autumn}\n");
        }
        return lanes.append(rules).toString();
    }

    void entry(Vector c) throws Exception {
        start(c);
        Request request = enter(c.text("kind"), c.vectors("headers"));
        same("tag and source", c.text("tag") + " " + c.text("source"), request.tagAndSource());
    }

    void edge(Vector c) throws Exception {
        start(c);
        long edge = engine.edge(c.text("peer"));
        same("edge", c.get("edge"), edge);
        same("names that an edge removes", new TreeSet<>(c.list("names")), new TreeSet<>(engine.edgeNames()));
        List<Vector> headers = c.vectors("headers");
        same("tag", c.text("tag"), entered(edge == 0 ? Engine.TRUSTED : 0, headers).tag);
        List<String> pass = engine.passNames();
        List<byte[]> values = new ArrayList<>();
        for (String name : pass) {
            values.add(headers.stream().filter(h -> h.text("name").equals(name)).findFirst()
                    .map(h -> h.text("value").getBytes(UTF_8)).orElse(null));
        }
        int kept = engine.pass(values);
        List<Object> ride = new ArrayList<>();
        for (int n = 0; n < pass.size(); n++) {
            if ((kept >> n & 1) == 1) {
                ride.add(pass.get(n));
            }
        }
        same("kept", c.list("kept"), ride);
    }

    void trace(Vector c) throws Exception {
        start(c);
        same("trace_names", new TreeSet<>(c.list("names")), new TreeSet<>(engine.traceNames()));
        List<Vector> steps = c.vectors("steps");
        for (int at = 0; at < steps.size(); at++) {
            Vector step = steps.get(at);
            String what = "step " + at + ": " + step.text("op");
            switch (step.text("op")) {
                case "in":
                    int trusted = step.get("trusted").equals(true) ? Engine.TRUSTED : 0;
                    Request request = entered(KINDS.indexOf(step.text("kind")) | trusted, step.vectors("headers"));
                    same(what, step.text("tag") + " " + step.text("source"), request.tagAndSource());
                    break;
                case "find":
                    same(what, step.text("tag"), traced(step.text("value")));
                    break;
                default:
                    fill(what, (String) c.list("names").get(0), step);
            }
        }
    }

    private String traced(String value) {
        int tag = engine.traceFind(value);
        return tag == 0 ? "" : engine.tagName(tag);
    }

    private void fill(String what, String header, Vector step) throws Exception {
        long count = ((Number) step.get("count")).longValue();
        Vector tag = new Vector(Map.of("name", "x-mse-tag", "value", step.text("tag")));
        for (long n = 0; n < count; n++) {
            entered(0, List.of(tag, new Vector(Map.of("name", header, "value", step.text("prefix") + n))));
        }
        long known = 0;
        for (long n = 0; n < count; n++) {
            String found = traced(step.text("prefix") + n);
            if (!found.isEmpty()) {
                same(what, step.text("tag"), found);
                known++;
            }
        }
        boolean bounded = known >= 1 && known <= ((Number) step.get("most")).longValue();
        same(what + ": " + known + " are known", true, bounded);
    }

    void known(Vector c) throws Exception {
        start(c);
        List<Long> published = new ArrayList<>();
        try {
            for (Vector list : c.vectors("lists")) {
                published.add(publish(list));
            }
            same("known(" + c.text("authority") + ")", c.get("known"), engine.known(c.text("authority")));
        } finally {
            published.forEach(engine::listFree);
        }
    }

    /** The C ABI has no check of a text: an engine reads it as its rule file and says in its log what it refused. */
    void badRules(Vector c) throws Exception {
        close();
        Path rules = write(c.text("text"));
        Path log = dir.resolve(started + ".log");
        engine = new Engine(library, "log=" + log + ",rules=" + rules);
        lastRules = null;
        lists = engine.live(1);
        int gray = engine.tagFind("gray".getBytes(UTF_8));
        String said = Files.exists(log) ? Files.readString(log) : "";
        boolean refused = c.get("refused").equals(true);
        same("gray is interned", !refused && c.text("text").contains("gray"), gray != 0 && gray != Engine.UNKNOWN);
        List<Problem> problems = Problem.read(said, rules.toString());
        if (!refused) {
            same("problems", List.of(), problems);
            same("the text is in force", true, said.contains(" TRL-210 "));
        } else if (problems.stream().noneMatch(p -> p.fits(c))) {
            throw new Mismatch("problems of\n" + c.text("text"), "line " + c.get("line") + " column "
                    + c.get("column") + " words " + c.get("contains") + " lines " + c.get("lines"), said);
        }
    }

    /** One problem as the log tells it: {@code FILE:LINE:COLUMN: words}, the line, a caret, what was expected. */
    private record Problem(long line, long column, String said) {
        static List<Problem> read(String log, String file) {
            List<Problem> problems = new ArrayList<>();
            for (String text : log.lines().toList()) {
                if (text.startsWith(file + ":")) {
                    String[] parts = text.substring(file.length() + 1).split(":", 3);
                    problems.add(new Problem(Long.parseLong(parts[0]), Long.parseLong(parts[1]), parts[2]));
                } else if (!problems.isEmpty() && !text.matches(" *[0-9]* \\| .*")) {
                    Problem begun = problems.removeLast();
                    problems.add(new Problem(begun.line, begun.column, begun.said + "\n" + text));
                }
            }
            return problems;
        }

        boolean fits(Vector c) {
            return (c.get("line") == null || c.get("line").equals(line))
                    && (c.get("column") == null || c.get("column").equals(column))
                    && c.list("contains").stream().allMatch(word -> said.contains((String) word))
                    && c.list("lines").stream().allMatch(n -> n.equals(line) || said.contains(n.toString()));
        }
    }

    private record Request(String tag, Engine.Entered entered) {
        String tagAndSource() {
            int source = entered.source();
            return tag + " " + (source < SOURCES.size() ? SOURCES.get(source) : "source " + source);
        }
    }

    /** A request comes in with these headers. */
    private Request enter(String kind, List<Vector> headers) throws Mismatch {
        Request request = entered(KINDS.indexOf(kind), headers);
        same("flag OBSERVE", 0, request.entered.flags() & Engine.Entered.OBSERVE);
        return request;
    }

    private Request entered(int kind, List<Vector> headers) throws Mismatch {
        Map<String, byte[]> given = new LinkedHashMap<>();
        for (Vector header : headers) {
            String hex = (String) header.optional("hex");
            byte[] value = hex == null ? header.text("value").getBytes(UTF_8) : HexFormat.of().parseHex(hex);
            given.putIfAbsent(header.text("name").toLowerCase(Locale.ROOT), value);
        }
        Engine.Names asked = engine.inboundNames(kind & ~Engine.TRUSTED);
        List<byte[]> values = new ArrayList<>(asked.names().stream().map(given::get).toList());
        Engine.Entered entered = engine.inbound(kind, asked.snapshot(), values);
        int wrong = Engine.Entered.STALE | Engine.Entered.OFF;
        same("flags", 0, entered.flags() & wrong);
        if (entered.tag() == Engine.UNKNOWN) {
            byte[] value = values.get(entered.value());
            int end = entered.offset() + entered.length();
            same("the tag's bytes lie in a value", true, value != null && end <= value.length);
            return new Request(new String(Arrays.copyOfRange(value, entered.offset(), end), UTF_8), entered);
        }
        return new Request(entered.tag() == 0 ? "" : engine.tagName(entered.tag()), entered);
    }

    /** All metadata are handed over: the C ABI leaves it to the library which of them count. */
    private List<Engine.Instance> instances(Vector c, boolean allHealthy) {
        return c.vectors("instances").stream()
                .map(i -> new Engine.Instance(i.text("address"), i.texts("metadata"),
                        allHealthy || i.get("healthy").equals(true)))
                .toList();
    }

    private List<String> names(Vector c) {
        return c.list("names").stream().map(String.class::cast).toList();
    }

    private long publish(Vector c) {
        return engine.listNew(names(c), instances(c, false));
    }

    /** The same list by another way: a stranger first, then all healthy without it, then each health bit. */
    private long publishBySteps(Vector c) {
        var stranger = new Engine.Instance("192.0.2.1:1", Map.of(), true);
        long first = engine.listNew(names(c), List.of(stranger));
        long list = engine.listChange(first, new int[] {0}, instances(c, true));
        engine.listFree(first);
        int index = 0;
        for (Engine.Instance instance : instances(c, false)) {
            engine.listHealth(list, index, false);
            engine.listHealth(list, index++, instance.healthy());
        }
        return list;
    }

    private Engine.Routed routed(long list, String tag, long entropy) {
        return engine.route(list, engine.tagFind(tag.getBytes(UTF_8)), entropy);
    }

    private static String word(Engine.Routed answer) {
        return answer.decided() < DECIDED.size() ? DECIDED.get(answer.decided()) : "case " + answer.decided();
    }

    private List<Long> usable(long list, Engine.Routed answer) {
        return answer.subset() == Engine.NO_SUBSET ? List.of() : engine.subset(list, answer.subset());
    }

    /** The case's word and the usable indices of the subset that was decided. */
    private String decided(long list, String tag) {
        Engine.Routed answer = routed(list, tag, 0);
        return word(answer) + " " + usable(list, answer);
    }

    private static void same(String what, Object expected, Object found) throws Mismatch {
        if (!Objects.equals(expected, found)) {
            throw new Mismatch(what, expected, found);
        }
    }
}
