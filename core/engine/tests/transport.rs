//! Two copies of a service behind the transport: calls keep their lane, and fall back when its copy is gone.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use trilane_engine::{Engine, Options, transport};
use trilane_net::{Channel, Io, Outcome, Request, Server};

const AUTHORITY: &str = "back.shop:8080";

/// Answers with its name and the tag that the call was scoped to.
fn copy(name: &'static str, engine: &Arc<Engine>, io: &Arc<Io>) -> Server {
    let server = Server::builder().unary("/t.Back/Who", move |call, _| {
        let tag = String::from_utf8_lossy(call.scope()).into_owned();
        call.add_trailer("x-baggage", call.head().get("baggage").map(<[u8]>::to_vec).unwrap_or_default().as_slice())?;
        Ok(format!("{name}({tag})").into())
    });
    transport::scoped(engine.clone(), server).listen("127.0.0.1:0".parse().unwrap(), io).unwrap()
}

fn rules(base: &Server, gray: &Server, authority: &str) -> String {
    format!(
        "apiVersion: trilane/v1\nmode: on\nlanes:\n  - {{tag: gray}}\n  - {{tag: strict, fallback: none}}\nservices:\n  \
         - name: back\n    authorities: [\"{authority}\"]\n    instances:\n      - {{address: \"{}\"}}\n      \
         - {{address: \"{}\", tag: gray}}\n",
        base.local_addr(),
        gray.local_addr()
    )
}

fn engine(text: &str) -> Arc<Engine> {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let (process, file) = (std::process::id(), FILES.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(format!("trilane-transport-{process}-{file}.yaml"));
    std::fs::write(&path, text).unwrap();
    let agent_option = format!("rules={},log=off", path.display());
    let engine = Engine::start(Options { agent_option, explicit: true, binding: "test", ..Options::default() });
    std::fs::remove_file(&path).unwrap();
    engine
}

fn block<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

struct Caller {
    engine: Arc<Engine>,
    channel: Channel,
}

impl Caller {
    fn outcome(&self, tag: &str, change: impl FnOnce(Request) -> Request) -> Outcome {
        let mut request = change(Request::new("/t.Back/Who").timeout(Duration::from_secs(20)));
        transport::carry(&self.engine, AUTHORITY, tag.as_bytes(), request.headers_mut());
        block(self.channel.unary(request, Bytes::new()))
    }

    fn who(&self, tag: &str) -> String {
        let outcome = self.outcome(tag, |r| r);
        match outcome.status.is_ok() {
            true => String::from_utf8_lossy(&outcome.message).into_owned(),
            false => outcome.status.to_string(),
        }
    }
}

fn caller(engine: &Arc<Engine>, io: &Arc<Io>) -> Caller {
    let given = engine.clone();
    let channel = transport::routed(move || Some(given.clone()), AUTHORITY, Channel::builder(AUTHORITY));
    Caller { engine: engine.clone(), channel: channel.open(io).unwrap() }
}

#[test]
fn calls_keep_their_lane_and_fall_back_when_it_is_gone() {
    let io = Io::new(1).unwrap();
    // The engine of the servers has no part in the rules that the caller's has.
    let behind = engine("apiVersion: trilane/v1\nmode: on\nlanes: [{tag: gray}]\n");
    let (base, gray) = (copy("base", &behind, &io), copy("gray", &behind, &io));
    let caller = caller(&engine(&rules(&base, &gray, AUTHORITY)), &io);
    assert_eq!(caller.who(""), "base()");
    assert_eq!(caller.who("gray"), "gray(gray)");
    assert_eq!(caller.who("unheard-of"), "base(unheard-of)");
    assert_eq!(caller.who(""), "base()");
    let strict = caller.who("strict");
    assert!(strict.contains("no usable instance in lane \"strict\""), "{strict}");
    // The application's own carrier stays and steers; baggage that is there is extended.
    let outcome = caller.outcome("", |r| r.header("x-mse-tag", b"gray").unwrap().header("baggage", b"user=7").unwrap());
    assert_eq!(outcome.message, "gray(gray)");
    let outcome = caller.outcome("gray", |r| r.header("baggage", b"user=7").unwrap());
    let baggage = String::from_utf8_lossy(outcome.trailers.get("x-baggage").unwrap()).into_owned();
    assert!(baggage.starts_with("user=7,__microservice_tag__="), "{baggage}");
    // The gray copy is killed: its lane has an instance, but none that can be reached.
    let address = gray.local_addr();
    drop(gray);
    while std::net::TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    let mut last = caller.who("gray");
    // A call that was under way on the dying connection may fail; the next ones do not.
    if last != "base(gray)" {
        last = caller.who("gray");
    }
    assert_eq!(last, "base(gray)");
    assert_eq!(caller.who(""), "base()");
}

#[test]
fn an_authority_that_no_rule_names_is_left_as_it_was() {
    let io = Io::new(1).unwrap();
    let behind = engine("apiVersion: trilane/v1\nmode: on\nlanes: [{tag: gray}, {tag: x}]\n");
    let (base, gray) = (copy("base", &behind, &io), copy("gray", &behind, &io));
    let engine = engine(&rules(&base, &gray, "another.shop:1"));
    let given = engine.clone();
    let plain = gray.local_addr().to_string();
    let channel = transport::routed(move || Some(given.clone()), &plain, Channel::builder(&plain)).open(&io).unwrap();
    let mut request = Request::new("/t.Back/Who");
    transport::carry(&engine, "example.com:80", b"gray", request.headers_mut());
    assert!(request.headers().is_empty(), "no carrier towards somebody else's host");
    assert_eq!(block(channel.unary(request, Bytes::new())).message, "gray()");
}
