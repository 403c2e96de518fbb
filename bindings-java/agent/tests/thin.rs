//! What `make test` tries on the runtimes that it does not run everything on: the start line, two untouched programs, hand-over.

mod support;

use support::{Connection, Program, agentpath, jdks_with_server};

/// Lines that say that a row did not match, a hook failed, or a bug of ours was caught.
fn complaints(stderr: &str) -> Vec<&str> {
    let codes = ["TRL-401", "TRL-402", "TRL-403", "TRL-404"];
    stderr.lines().filter(|line| codes.iter().any(|code| line.contains(code))).collect()
}

#[test]
fn one_start_line_a_tag_over_two_programs_and_hand_over_without_a_complaint() {
    for jdk in jdks_with_server() {
        let agent = agentpath("");
        let options = [&agent[..], "-Xverify:all"];
        let last = Program::start(&jdk, &options, &["HandOver"]);
        let ways = last.get("/all", &[("x-mse-tag", "gray")]);
        assert!(ways.lines().count() > 28 && !ways.contains("=null"), "{jdk:?}\n{ways}");
        assert_eq!(last.get("/join", &[("x-mse-tag", "gray")]), "null then gray", "{jdk:?}");
        let untagged = last.get("/all", &[]);
        assert!(!untagged.contains("gray"), "{jdk:?}\n{untagged}");
        for (kind, client) in [("pool", "HttpURLConnection"), ("future", "java.net.http")] {
            let end = Program::start(&jdk, &options, &["Hop", "B", "end"]);
            let first = Program::start(&jdk, &options, &["Hop", "A", kind, &end.url()]);
            let mut connection = Connection::open(first.port);
            for tag in ["gray", "dev-x"] {
                assert_eq!(
                    connection.get("/", &[("x-mse-tag", tag)]),
                    format!("A({tag})>B({tag})"),
                    "{client}, {jdk:?}"
                );
                assert_eq!(connection.get("/", &[]), "A(null)>B(null)", "{client}, {jdk:?}");
            }
            let said = first.finish();
            assert_eq!(said.matches("TRL-001").count(), 1, "{jdk:?}\n{said}");
            assert!(complaints(&said).is_empty(), "{jdk:?}\n{said}");
        }
        let said = last.finish();
        assert!(complaints(&said).is_empty(), "{jdk:?}\n{said}");
    }
}
