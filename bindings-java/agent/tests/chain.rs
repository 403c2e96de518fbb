//! Two and three untouched programs keep a request's tag, and only that request's.

mod support;

use std::thread;

use support::{Connection, Jdk, Program, agentpath, eventually, fresh_dir, jdks_with_server};

/// A (pool, HttpURLConnection) -> B (CompletableFuture, java.net.http) -> C.
struct Chain {
    a: Program,
    _b: Program,
    _c: Program,
}

impl Chain {
    fn start(jdk: &Jdk, options: &[&str]) -> Chain {
        let c = Program::start(jdk, options, &["Hop", "C", "end"]);
        let b = Program::start(jdk, options, &["Hop", "B", "future", &c.url()]);
        let a = Program::start(jdk, options, &["Hop", "A", "pool", &b.url()]);
        Chain { a, _b: b, _c: c }
    }

    fn get(&self, headers: &[(&str, &str)]) -> String {
        self.a.get("/", headers)
    }
}

#[test]
fn a_tag_goes_the_whole_way_and_the_next_request_is_clean() {
    for jdk in jdks_with_server() {
        let chain = Chain::start(&jdk, &[&agentpath("")]);
        for _ in 0..3 {
            assert_eq!(chain.get(&[("x-mse-tag", "gray")]), "A(gray)>B(gray)>C(gray)", "{jdk:?}");
            assert_eq!(chain.get(&[]), "A(null)>B(null)>C(null)", "{jdk:?}");
        }
    }
}

#[test]
fn without_the_library_nothing_is_carried() {
    for jdk in jdks_with_server() {
        let chain = Chain::start(&jdk, &[]);
        assert_eq!(chain.get(&[("x-mse-tag", "gray")]), "A(gray)>B(null)>C(null)", "{jdk:?}");
    }
}

#[test]
fn a_tag_that_nobody_named_is_carried_and_a_malformed_one_is_none() {
    for jdk in jdks_with_server() {
        let chain = Chain::start(&jdk, &[&agentpath("")]);
        assert_eq!(chain.get(&[("x-mse-tag", "dev-1.x_y")]), "A(dev-1.x_y)>B(dev-1.x_y)>C(dev-1.x_y)");
        let longest = "a".repeat(63);
        assert_eq!(chain.get(&[("x-mse-tag", &longest)]), format!("A({longest})>B({longest})>C({longest})"));
        for bad in ["two words", "a/b", "gr\u{e4}y", &"a".repeat(64), "a,b"] {
            let answer = chain.get(&[("x-mse-tag", bad)]);
            assert!(answer.ends_with(">B(null)>C(null)"), "{bad}: {answer}");
        }
    }
}

#[test]
fn what_the_application_sends_itself_stays() {
    for jdk in jdks_with_server() {
        let chain = Chain::start(&jdk, &[&agentpath("")]);
        let mine = chain.get(&[("x-mse-tag", "gray"), ("x-own", "mine")]);
        assert_eq!(mine, "A(gray)>B(mine)>C(mine)", "{jdk:?}");
        let direct = chain._b.get("/", &[("x-mse-tag", "gray"), ("x-own", "mine")]);
        assert_eq!(direct, "B(gray)>C(mine)", "{jdk:?}");
    }
}

#[test]
fn baggage_is_extended_where_there_is_one_and_read_where_it_comes() {
    const OURS: &str = "__microservice_tag__=%5B%7B%22name%22%3A%22gray%22%7D%5D";
    for jdk in jdks_with_server() {
        let chain = Chain::start(&jdk, &[&agentpath("")]);
        let extended = chain.get(&[("x-mse-tag", "gray"), ("x-bag", "user=7")]);
        assert_eq!(extended, format!("A(gray)>B(gray [user=7,{OURS}])>C(gray)"), "{jdk:?}");
        let direct = chain._b.get("/", &[("x-mse-tag", "gray"), ("x-bag", "user=7")]);
        assert_eq!(direct, format!("B(gray)>C(gray [user=7,{OURS}])"), "{jdk:?}");
        let read = chain.get(&[("baggage", OURS)]);
        assert_eq!(read, format!("A(null [{OURS}])>B(gray)>C(gray)"), "{jdk:?}");
        let untagged = chain.get(&[("x-bag", "user=7")]);
        assert_eq!(untagged, "A(null)>B(null [user=7])>C(null)", "{jdk:?}");
    }
}

#[test]
fn hosts_that_are_not_ours_get_nothing() {
    for jdk in jdks_with_server() {
        let rules = fresh_dir("known").join("lanes.yaml");
        // As soon as the rules name an authority, only named ones get a carrier.
        let text = "apiVersion: trilane/v1\nmode: on\nservices:\n  - name: other\n    authorities: [\"other:1\"]\n";
        std::fs::write(&rules, text).expect("writable");
        let chain = Chain::start(&jdk, &[&agentpath(&format!("trilane.rules={}", rules.display()))]);
        assert_eq!(chain.get(&[("x-mse-tag", "gray")]), "A(gray)>B(null)>C(null)", "{jdk:?}");
    }
}

#[test]
fn a_redirect_to_a_host_that_is_not_ours_takes_nothing_along() {
    for jdk in jdks_with_server() {
        let rules = fresh_dir("redirect").join("lanes.yaml");
        let write = |authorities: &str| {
            let text = format!("apiVersion: trilane/v1\nservices:\n  - name: x\n    authorities: [{authorities}]\n");
            let next = rules.with_extension("next");
            std::fs::write(&next, text).expect("writable");
            std::fs::rename(&next, &rules).expect("writable");
        };
        let last = Program::start(&jdk, &[], &["Hop", "C", "end"]);
        let via = Program::start(&jdk, &[], &["Hop", "B", "end"]);
        let (near, far) = (format!("127.0.0.1:{}", via.port), format!("127.0.0.1:{}", last.port));
        write(&format!("\"{near}\", \"{far}\""));
        let option = agentpath(&format!("trilane.rules={}", rules.display()));
        let path = format!("/via?to={}/", last.url());
        let tagged = [("x-mse-tag", "gray"), ("x-bag", "a=b")];
        let starts: Vec<Program> = ["pool", "future"]
            .iter()
            .map(|kind| Program::start(&jdk, &[&option], &["Hop", "A", kind, &via.url()]))
            .collect();
        for a in &starts {
            let both = a.get(&path, &tagged);
            assert!(both.starts_with("A(gray)>C(gray [a=b,__microservice_tag__="), "{jdk:?} {both}");
        }
        write(&format!("\"{near}\""));
        for a in &starts {
            eventually("the new rules", || a.get(&path, &tagged) == "A(gray)>C(null [a=b])");
            let own = a.get(&path, &[("x-mse-tag", "gray"), ("x-own", "gray")]);
            assert_eq!(own, "A(gray)>C(gray)", "what the application put there goes where it goes, {jdk:?}");
        }
    }
}

#[test]
fn an_error_in_a_handler_leaves_no_tag_behind() {
    for jdk in jdks_with_server() {
        let chain = Chain::start(&jdk, &[&agentpath("")]);
        for _ in 0..20 {
            let _ = chain.a.try_get("/throw", &[("x-mse-tag", "gray")]);
        }
        for _ in 0..20 {
            assert_eq!(chain.get(&[]), "A(null)>B(null)>C(null)", "{jdk:?}");
        }
    }
}

#[test]
fn ten_thousand_mixed_requests_on_twenty_connections_cross_no_answer() {
    const TAGS: [Option<&str>; 5] = [None, Some("gray"), Some("dev-x"), None, Some("blue")];
    for jdk in jdks_with_server() {
        let chain = Chain::start(&jdk, &[&agentpath("")]);
        let port = chain.a.port;
        let workers: Vec<_> = (0..20)
            .map(|worker| {
                thread::spawn(move || {
                    let mut connection = Connection::open(port);
                    for i in 0..500 {
                        let tag = TAGS[(worker * 7 + i) % TAGS.len()];
                        let headers: Vec<_> = tag.iter().map(|tag| ("x-mse-tag", *tag)).collect();
                        let word = tag.unwrap_or("null");
                        let answer = connection.get("/", &headers);
                        assert_eq!(answer, format!("A({word})>B({word})>C({word})"), "worker {worker}, request {i}");
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("no answer crossed");
        }
    }
}

#[test]
fn the_rule_file_switches_everything_and_single_libraries_while_the_program_runs() {
    let write = |path: &std::path::Path, text: &str| {
        let next = path.with_extension("next");
        std::fs::write(&next, format!("apiVersion: trilane/v1\n{text}\n")).expect("writable");
        std::fs::rename(&next, path).expect("writable");
    };
    for jdk in jdks_with_server() {
        let rules = fresh_dir("hot").join("lanes.yaml");
        write(&rules, "mode: off");
        let chain = Chain::start(&jdk, &[&agentpath(&format!("trilane.rules={}", rules.display()))]);
        let tagged = || chain.get(&[("x-mse-tag", "gray")]);
        assert_eq!(tagged(), "A(gray)>B(null)>C(null)", "off at start, {jdk:?}");
        // Switched on for the first time: classes in use are transformed now.
        write(&rules, "mode: on");
        eventually("switched on", || tagged() == "A(gray)>B(gray)>C(gray)");
        assert_eq!(chain.get(&[]), "A(null)>B(null)>C(null)", "{jdk:?}");
        write(&rules, "mode: on\nhooks: {jdk-http-client: off}");
        eventually("java.net.http off", || tagged() == "A(gray)>B(gray)>C(null)");
        write(&rules, "mode: observe");
        eventually("observed only", || tagged() == "A(gray)>B(null)>C(null)");
        write(&rules, "mode: on");
        eventually("on again", || tagged() == "A(gray)>B(gray)>C(gray)");
        write(&rules, "mode: off");
        eventually("off again", || tagged() == "A(gray)>B(null)>C(null)");
    }
}
