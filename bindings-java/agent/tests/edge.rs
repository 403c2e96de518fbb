//! What comes in at an edge, what is passed through, and who came untagged.

mod support;

use support::{Program, agentpath, eventually, fresh_dir, jdks_with_server};

const MEMBER: &str = "__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D";

#[test]
fn at_an_edge_neither_the_engine_nor_the_application_sees_a_carrier() {
    for jdk in jdks_with_server() {
        let b = Program::start(&jdk, &[&agentpath("")], &["Gate", "B", "end"]);
        let start = |option: &str| {
            let option = agentpath(&format!("{option},carriers.read=x-lane-code"));
            Program::start(&jdk, &[&option], &["Gate", "A", "connection", &b.url()])
        };
        let bag = format!("user=7,{MEMBER}");
        let brought = [
            ("X-Mse-Tag", "gray"),
            ("baggage", bag.as_str()),
            ("x-lane-code", "gray"),
            ("__microservice_tag__", "[{\"name\":\"gray\"}]"),
            ("x-other", "1"),
        ];
        let edge = start("edge=true");
        assert_eq!(edge.get("/", &brought), "A{baggage=user=7, x-other=1}>B{}", "{jdk:?}");
        assert_eq!(edge.get("/", &[("baggage", MEMBER)]), "A{}>B{}", "{jdk:?}");
        assert_eq!(edge.get("/", &[("baggage", "user=7 , b=1")]), "A{baggage=user=7 , b=1}>B{}", "{jdk:?}");
        let trusted = start("edge=true,edge.trust=10.0.0.0/8 127.0.0.0/8");
        assert_eq!(trusted.get("/", &brought[..1]), "A{x-mse-tag=gray}>B{x-mse-tag=gray}", "{jdk:?}");
        let other = start("edge=true,edge.trust=10.0.0.0/8");
        assert_eq!(other.get("/", &brought[..1]), "A{}>B{}", "{jdk:?}");
        let said = edge.finish() + &trusted.finish() + &other.finish();
        assert!(!said.contains("TRL-4"), "{said}");
    }
}

#[test]
fn named_headers_ride_along_with_tagged_and_untagged_requests() {
    for jdk in jdks_with_server() {
        let option = agentpath("alicloud.service.header=x-a x-b");
        let c = Program::start(&jdk, &[&option], &["Gate", "C", "end"]);
        let b = Program::start(&jdk, &[&option], &["Gate", "B", "client", &c.url()]);
        let a = Program::start(&jdk, &[&option], &["Gate", "A", "connection", &b.url()]);
        let all = |inside: &str| format!("A{{{inside}}}>B{{{inside}}}>C{{{inside}}}");
        assert_eq!(a.get("/", &[("X-A", "1"), ("x-b", "2 3")]), all("x-a=1, x-b=2 3"), "{jdk:?}");
        assert_eq!(a.get("/", &[]), all(""), "the next request is clean, {jdk:?}");
        assert_eq!(a.get("/", &[("x-a", "1"), ("x-mse-tag", "gray")]), all("x-a=1, x-mse-tag=gray"), "{jdk:?}");
        let lines = a.get("/", &[("x-a", "1"), ("x-a", "2")]);
        assert_eq!(lines, "A{x-a=1+2}>B{x-a=1,2}>C{x-a=1,2}", "two lines are one value, {jdk:?}");
        let own = a.get("/", &[("x-a", "1"), ("x-own", "mine")]);
        assert_eq!(own, "A{x-a=1, x-own=mine}>B{x-a=mine}>C{x-a=mine}", "the application's own stays, {jdk:?}");
        let long = "l".repeat(1025);
        let dropped = a.get("/", &[("x-a", &long), ("x-b", "2")]);
        assert_eq!(dropped, format!("A{{x-a={long}, x-b=2}}>B{{x-b=2}}>C{{x-b=2}}"), "{jdk:?}");
        let said = a.finish();
        assert_eq!(said.matches("TRL-321").count(), 1, "{said}");
        assert!(!said.contains("lll"), "a value is in the log: {said}");
    }
}

#[test]
fn a_redirect_elsewhere_takes_no_header_along() {
    for jdk in jdks_with_server() {
        let last = Program::start(&jdk, &[], &["Gate", "C", "end"]);
        let via = Program::start(&jdk, &[], &["Gate", "B", "end"]);
        let rules = fresh_dir("pass-redirect").join("lanes.yaml");
        let near = format!("127.0.0.1:{}", via.port);
        let text = format!("apiVersion: trilane/v1\nservices:\n  - name: x\n    authorities: [\"{near}\"]\n");
        std::fs::write(&rules, text).expect("writable");
        let option = agentpath(&format!("trilane.rules={},alicloud.service.header=x-a", rules.display()));
        for kind in ["connection", "client"] {
            let a = Program::start(&jdk, &[&option], &["Gate", "A", kind, &via.url()]);
            let path = format!("/via?to={}/", last.url());
            for tag in ["gray", "no tag"] {
                let answer = a.get(&path, &[("x-a", "1"), ("x-mse-tag", tag)]);
                assert_eq!(answer, format!("A{{x-a=1, x-mse-tag={tag}}}>C{{}}"), "{kind} {jdk:?}");
            }
            let own = a.get(&path, &[("x-a", "1"), ("x-own", "1")]);
            assert_eq!(own, "A{x-a=1, x-own=1}>C{x-a=1}", "the application's own goes where it goes, {kind} {jdk:?}");
            assert_eq!(a.get("/", &[("x-a", "1")]), "A{x-a=1}>B{x-a=1}", "{kind} {jdk:?}");
        }
    }
}

#[test]
fn an_untagged_request_at_a_tagged_copy_is_told_with_its_caller() {
    for jdk in jdks_with_server() {
        let option = agentpath("alicloud.service.tag=gray");
        let a = Program::start(&jdk, &[&option], &["Gate", "A", "end"]);
        assert_eq!(a.get("/", &[("x-mse-tag", "gray")]), "A{x-mse-tag=gray}", "{jdk:?}");
        assert!(!a.stderr().contains("TRL-320"), "{}", a.stderr());
        for _ in 0..3 {
            assert_eq!(a.get("/", &[]), "A{}", "{jdk:?}");
        }
        eventually("the line", || a.stderr().contains("an untagged request from 127.0.0.1 "));
        assert_eq!(a.finish().matches("TRL-320").count(), 1, "{jdk:?}");
    }
}

#[test]
fn a_call_to_an_unknown_host_leaves_byte_for_byte_as_without_the_library() {
    for jdk in jdks_with_server() {
        let rules = fresh_dir("unknown-host").join("lanes.yaml");
        let text = "apiVersion: trilane/v1\nservices:\n  - name: other\n    authorities: [\"other:1\"]\n";
        std::fs::write(&rules, text).expect("writable");
        let with = agentpath(&format!("trilane.rules={},alicloud.service.header=x-a", rules.display()));
        for kind in ["connection", "client"] {
            let sent = |options: &[&str]| {
                let raw = Raw::listen();
                let a = Program::start(&jdk, options, &["Gate", "A", kind, &raw.url]);
                let headers = [("x-mse-tag", "gray"), ("x-a", "1"), ("baggage", "user=7")];
                assert!(a.get("/path?q=1", &headers).ends_with(">raw"), "{kind} {jdk:?}");
                raw.request()
            };
            let (plain, carried) = (sent(&[]), sent(&[&with]));
            assert!(plain.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{plain}");
            assert_eq!(plain, carried, "{kind} {jdk:?}");
        }
    }
}

/// A server that keeps one request's bytes; its own port, which differs from run to run, is written as PORT.
struct Raw {
    url: String,
    request: std::thread::JoinHandle<String>,
}

impl Raw {
    fn listen() -> Raw {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let request = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            let (mut bytes, mut byte) = (Vec::new(), [0]);
            while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("bytes") == 1 {
                bytes.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nraw").expect("written");
            String::from_utf8(bytes).expect("ASCII").replace(&port.to_string(), "PORT")
        });
        Raw { url: format!("http://127.0.0.1:{port}"), request }
    }

    fn request(self) -> String {
        self.request.join().expect("a request came")
    }
}
