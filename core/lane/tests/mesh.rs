//! Istio's and ASM's dialects from outside: what is told of broken files, what a decision carries.

use std::path::{Path, PathBuf};
use trilane_lane::model::{Balance, Destination, Field, Mirror, Outliers, Retries, Selector};
use trilane_lane::rules::Problem;
use trilane_lane::rules::dialect::{Context, Dialect, Lowered, read};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/rules/istio/broken")
}

fn refused(dialect: Dialect, name: &str, text: &str) -> String {
    match read(dialect, name, text, &Context::default()) {
        Ok(_) => panic!("{name} is accepted"),
        Err(problems) => problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n") + "\n",
    }
}

/// Each broken file has its messages beside it; `UPDATE=1` writes them, and a person reads them before they go in.
#[test]
fn broken_files_are_told_as_a_compiler_would() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(files.len() >= 40, "{}", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let dialect = if name.starts_with("asm-") { Dialect::Asm } else { Dialect::Istio };
        let found = refused(dialect, &name, &std::fs::read_to_string(file).unwrap());
        assert!(found.starts_with(&format!("{name}:")), "{found}");
        let golden = file.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{name}: expected\n{expected}found\n{found}"));
        }
    }
    println!("broken files of istio and asm: {}", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const RULES: &str = r#"
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy:
    loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 0s}}}
    outlierDetection: {consecutive5xxErrors: 3, interval: 5s}
    portLevelSettings:
    - {port: {number: 8080}, loadBalancer: {simple: RANDOM}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - timeout: 1.5s
    retries: {attempts: 3, perTryTimeout: 250ms, retryOn: "5xx,503"}
    fault:
      delay: {percentage: {value: 12.5}, fixedDelay: 2s}
      abort: {percentage: {value: 0.1}, grpcStatus: UNAVAILABLE}
    mirrors:
    - {destination: {host: reviews, subset: v1}, percentage: {value: 25}}
    - {destination: {host: copies}}
    corsPolicy: {}
    route:
    - {destination: {host: reviews, subset: v1}, weight: 1}
    - {destination: {host: reviews, subset: v2}, weight: 1}
    - {destination: {host: reviews, subset: v2, port: {number: 8080}}, weight: 1}
"#;

fn lowered(dialect: Dialect, text: &str) -> Lowered {
    read(dialect, "rules", text, &Context::default()).unwrap_or_else(|e| panic!("{}", e[0]))
}

fn destinations(lowered: &Lowered, service: &str) -> Vec<Destination> {
    lowered.model.services_of(&[service])[0].stages[0].routes[0].destinations.clone()
}

#[test]
fn a_decision_carries_what_the_rules_say_of_the_call() {
    let lowered = lowered(Dialect::Istio, RULES);
    let made = destinations(&lowered, "reviews");
    let policy = &made[0].policy;
    assert_eq!(policy.timeout, Some(1_500));
    let on = ["5xx", "503"].map(Into::into).to_vec();
    assert_eq!(policy.retries, Some(Retries { attempts: 3, per_try: Some(250), on }));
    assert_eq!(policy.delay, Some((2_000, 125_000)));
    assert_eq!(policy.abort, Some(("UNAVAILABLE".into(), 1_000)));
    let mirror = |host: &str, subset: &str, share| Mirror { host: host.into(), subset: subset.into(), share };
    assert_eq!(policy.mirror, [mirror("reviews", "v1", 250_000), mirror("copies", "", 1_000_000)]);
    assert_eq!(policy.outliers, Some(Outliers { consecutive: 3, interval: 5_000, ejection: 30_000, most: 10 }));
    // The subset's own policy before the host's, the port's before both.
    let balance: Vec<_> = made.iter().map(|d| d.policy.balance.clone()).collect();
    let hash = Balance::ConsistentHash(Field::Cookie("user".into()));
    assert_eq!(balance, [Some(hash), Some(Balance::LeastRequest), Some(Balance::Random)]);
}

#[test]
fn what_means_nothing_here_is_noted_with_its_place() {
    let told: Vec<String> = lowered(Dialect::Istio, RULES).notes.iter().map(Problem::to_string).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.iter().any(|n| n.starts_with("rules:30:5: spec.http[0].corsPolicy: `corsPolicy` is accepted")));
    assert!(told.iter().any(|n| n.contains("ttl")), "{told:#?}");
}

/// Delegates say what they say themselves and take the rest from the root.
#[test]
fn a_delegate_inherits_what_it_does_not_say() {
    let text = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root}
spec: {hosts: [reviews], http: [{timeout: 4s, retries: {attempts: 1}, delegate: {name: child}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: child}
spec: {http: [{timeout: 1s, route: [{destination: {host: reviews}}]}]}
";
    let made = destinations(&lowered(Dialect::Istio, text), "reviews");
    assert_eq!((made[0].policy.timeout, made[0].policy.retries.as_ref().map(|r| r.attempts)), (Some(1_000), Some(1)));
    assert_eq!(made[0].select, Selector::All);
}

/// Routes multiply by hosts and labels; the product is bounded.
#[test]
fn a_quarter_of_a_million_routes_is_one_file_too_many() {
    let mut text = String::from("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: r}\n");
    let hosts: Vec<String> = (0..30).map(|n| format!("h{n}")).collect();
    text += &format!("spec:\n  hosts: [{}]\n  http:\n", hosts.join(", "));
    for n in 0..8_000 {
        text += &format!("  - {{match: [{{uri: {{exact: /{n}}}}}], route: [{{destination: {{host: h0}}}}]}}\n");
    }
    let problems = read(Dialect::Istio, "rules", &text, &Context::default()).expect_err("refused");
    assert!(problems[0].to_string().contains("too large"), "{}", problems[0]);
}
