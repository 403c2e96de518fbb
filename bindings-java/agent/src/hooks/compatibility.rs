//! docs/compatibility.md: made of the hook table, the versions whose class files a test reads, the beds' own tables
//! (`tests/tools/beds.py`) and the Go modules; only the words of the last columns are written by hand, here.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::LIBRARIES;
use super::versions::VERSIONS;

/// Of a library: which subjects of the beds run it, and what is carried and what is not.
type Words = (&'static str, &'static [&'static str], &'static str, &'static str);

const WORDS: &[Words] = &[
    ("tomcat", &["spring-boot"], "requests come in, also async and HTTP/2", "WebSocket messages: not tested"),
    ("jdk-http-server", &[], "requests come in", ""),
    ("jdk-url-connection", &[], "calls go out; redirects", "it chooses no instance"),
    ("jdk-http-client", &[], "calls go out, also asynchronous; redirects", "it chooses no instance"),
    (
        "executors",
        &[],
        "pools, scheduled ones, `FutureTask`, `invokeAll`; Guava's sequential executor",
        "`execute` of a pool with a priority queue, a queue or a `beforeExecute` of one's own",
    ),
    (
        "fork-join",
        &[],
        "tasks that are given to a pool",
        "subtasks that are forked, parallel streams, kinds of `ForkJoinTask` of one's own",
    ),
    ("completable-future", &[], "every stage, also with an executor of one's own", ""),
    ("timer", &[], "`java.util.Timer`", ""),
    ("virtual-threads", &[], "virtual threads (JDK 21 and later), executors of a thread a task", ""),
    (
        "spring-loadbalancer",
        &["spring-cloud"],
        "RestTemplate, RestClient, OpenFeign: round robin, random, Nacos's balancer",
        "WebFlux; balancers of one's own",
    ),
    ("spring-registration", &["alibaba"], "a tagged copy registers its tag with Nacos", "Eureka, Consul"),
    ("spring-boot", &["spring-boot"], "the service's own name", ""),
    ("spring-async", &["spring-boot"], "`SimpleAsyncTaskExecutor`", ""),
    ("httpclient4", &["httpclient4"], "calls go out; redirects", "the asynchronous client; it chooses no instance"),
    (
        "httpclient5",
        &["httpclient5"],
        "calls go out, classic and asynchronous; redirects",
        "it chooses no instance; callbacks",
    ),
    ("okhttp", &["okhttp"], "calls go out, also enqueued; redirects; callbacks", "it chooses no instance"),
    ("triple", &[], "the scope of calls of our own gRPC client and server (docs/triple.md)", ""),
    (
        "dubbo",
        &["dubbo"],
        "attachments, routing, provider scope, each message of a Triple stream, registered tags",
        "callbacks of a stream on its consumer; 2.7 registered by application",
    ),
];

/// Go: switch, how it comes in, file that has the version, module, what is carried, what is not.
const GO: &[[&str; 6]] = &[
    [
        "net-http",
        "woven, or two lines",
        "weave/go.mod",
        "go",
        "requests and calls; routing of named authorities",
        "https is not routed; `time.AfterFunc`",
    ],
    [
        "grpc",
        "woven, or options",
        "grpc/go.mod",
        "google.golang.org/grpc",
        "unary calls and streams; a decision per call",
        "the default service config of a routed target",
    ],
    [
        "dubbo",
        "options",
        "dubbo/go.mod",
        "dubbo.apache.org/dubbo-go/v3",
        "attachments, routing, registered tags",
        "mirrors and retries of the rules; health beyond the registry",
    ],
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The subjects of `tests/tools/beds.py` and their versions; its JSON has one string a line.
fn beds() -> Vec<(String, Vec<String>)> {
    let output = Command::new("python3").arg(root().join("tests/tools/beds.py")).output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some(text) = line.trim().strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
        match found.last_mut() {
            Some((_, versions)) if !line.contains("\": [") => versions.push(text.to_owned()),
            _ => found.push((text.to_owned(), Vec::new())),
        }
    }
    assert!(found.len() >= 7, "{found:?}");
    found
}

/// `spring-boot 2.7.18` of `org/…/spring-boot/2.7.18/spring-boot-2.7.18.jar`.
fn read_of(jar: &str) -> String {
    let mut parts = jar.rsplit('/').skip(1);
    let (version, module) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    format!("{module} {version}")
}

fn java() -> String {
    let beds = beds();
    let mut out = String::new();
    for library in LIBRARIES {
        let words = WORDS.iter().find(|words| words.0 == library.name);
        let (_, subjects, carried, not) = words.unwrap_or_else(|| panic!("{} has no words here", library.name));
        let mut read: Vec<String> = VERSIONS
            .iter()
            .filter(|v| v.library == library.name)
            .flat_map(|v| v.jars.iter().map(|jar| read_of(jar)))
            .collect();
        read.dedup();
        let mut ran = Vec::new();
        for subject in *subjects {
            let bed = beds.iter().find(|(name, _)| name == subject).unwrap_or_else(|| panic!("no bed of {subject}"));
            ran.extend(bed.1.iter().map(|version| {
                if *subject == library.name { version.clone() } else { format!("{subject} {version}") }
            }));
        }
        let jdk = |list: Vec<String>| {
            if list.is_empty() {
                if library.name == "triple" { "this release".to_owned() } else { "JDK 11, 17, 21, 25".to_owned() }
            } else {
                list.join("; ")
            }
        };
        let mut classes: Vec<&str> = library.rows.iter().map(|row| row.class).collect();
        classes.sort_unstable();
        classes.dedup();
        let (rows, classes) = (library.rows.len(), classes.len());
        _ = writeln!(
            out,
            "| `{}` | {} | {} | {carried} | {not} | {rows} in {classes} |",
            library.name,
            jdk(read),
            jdk(ran)
        );
    }
    out
}

/// The version that a `go.mod` asks for.
fn go_version(file: &str, module: &str) -> String {
    let text = std::fs::read_to_string(root().join("bindings-go").join(file)).expect("a go.mod");
    let line =
        text.lines().map(|l| l.trim().trim_start_matches("require ")).find(|l| l.split(' ').next() == Some(module));
    line.and_then(|l| l.split(' ').nth(1)).unwrap_or_else(|| panic!("{file} does not name {module}")).to_owned()
}

fn go() -> String {
    let mut out = String::new();
    for [switch, way, file, module, carried, not] in GO {
        _ = writeln!(out, "| `{switch}` | {way} | {module} {} | {carried} | {not} |", go_version(file, module));
    }
    let aspects = std::fs::read_to_string(root().join("bindings-go/weave/orchestrion.yml")).expect("the aspects");
    let ids: Vec<String> =
        aspects.lines().filter_map(|l| l.strip_prefix("  - id: ")).map(|id| format!("`{id}`")).collect();
    _ = writeln!(out, "\nAspects that a woven build applies: {}.", ids.join(", "));
    out
}

fn page() -> String {
    let unsupported: String = crate::unsupported::rows()
        .map(|(class, name, not)| format!("| {name} | `{}` | {not} |\n", class.replace('/', ".")))
        .collect();
    format!(
        "# Compatibility\n\n\
         Made by a test of `bindings-java/agent/src/hooks/compatibility.rs` out of the hook table, of the jars whose class files\n\
         `versions.rs` reads in `make test`, of the tables of the test beds and of the Go modules: `UPDATE=1 cargo test -p\n\
         trilane-agent --lib compatibility`. A switch is `hooks: {{<name>: off}}` in the rule file, or `trilane.hook.<name>=off`.\n\n\
         \"Read\": every row of the hook fits the class files of that version. \"Run\": programs of that version went through the\n\
         standard cases, in `make test` or in `make test-all`; docs/quality.md says when last.\n\n\
         ## Java\n\n\
         | switch | versions read | versions run | carried | not carried | rows in classes |\n|---|---|---|---|---|---|\n{}\n\
         Runtimes: HotSpot of Java 11, 17, 21 and 25; elsewhere the library stays inert (TRL-406).\n\n\
         Seen and said once (TRL-408), without hooks:\n\n\
         | library | seen by | what does not happen |\n|---|---|---|\n{unsupported}\n\
         ## Go\n\n\
         | switch | how | version tested | carried | not carried |\n|---|---|---|---|---|\n{}\n\
         ## Beside other agents\n\n{NEIGHBOURS}",
        java(),
        go()
    )
}

const NEIGHBOURS: &str = "\
| agent | how | result |
|---|---|---|
| OpenTelemetry's Java agent 2.15.0 | first and last; JDK server, Spring Boot 3.5, Dubbo 3.3 and 2.7 | lanes whole |
| SkyWalking's Java agent 9.4.0, its core | first and last; JDK server, Spring Boot 3.5, Dubbo 3.3 and 2.7 | \
lanes whole; its transformer is installed. \
JDK 25: it ends the JVM by itself, without the library too (`ClassCircularityError`) |
| SkyWalking's plugins | | not tested: no package registry has them |
| JaCoCo's agent 0.8.14 | first and last; JDK server, Spring Boot 3.5, Dubbo 3.3 and 2.7 | \
lanes whole; it writes its counts |
| transmittable-thread-local's agent 2.14.5 | first and last; JDK server, Spring Boot 3.5, Dubbo 3.3 and 2.7 | \
lanes whole; its values reach pooled tasks |
| Arthas 4.0.5 | attached to a living JVM that has the library, and before the library is | `sc`, `watch` of an edited class, \
`reset`, `stop`: lanes whole at each step. JDK 25: its `watch` edits nothing (`Unsupported class file major version 69`) |
| MSE's or ARMS's agent, joylive, Sermant | seen in the arguments | `observe` is the default (TRL-106); beside the real ones: not tested |

No combination is known to fail but for those two. JaCoCo and TTL run on JDK 17 and 25.
All with `-Xcheck:jni` (Dubbo without): no warning has a frame of ours. Tests:
`bindings-java/agent/tests/neighbours.rs` (JaCoCo and TTL in `make test`, the others in `make test-all`) and the bad days of
`bindings-java/it`; `tests/tools/neighbours.py` pins and fetches the agents.
";

#[test]
fn the_page_is_what_the_table_and_the_beds_say() {
    let path = root().join("docs/compatibility.md");
    let made = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).expect("writable");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == made, "docs/compatibility.md is stale: UPDATE=1 cargo test -p trilane-agent --lib compatibility");
}
