//! Two copies of a service behind the transport: calls keep their lane, and fall back when its copy is gone.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use trilane_engine::{Engine, Options, transport};
use trilane_net::{Channel, Code, Io, Outcome, Request, Server};

const AUTHORITY: &str = "back.shop:8080";

/// Answers with its name and the tag that the call was scoped to.
fn copy(name: &'static str, engine: &Arc<Engine>, io: &Arc<Io>) -> Server {
    let server = Server::builder().unary("/t.Back/Who", move |call, _| {
        let tag = String::from_utf8_lossy(call.scope()).into_owned();
        call.add_trailer("x-baggage", call.head().get("baggage").map(<[u8]>::to_vec).unwrap_or_default().as_slice())?;
        call.add_trailer("x-left-ms", call.time_left().map_or(0, |t| t.as_millis()).to_string().as_bytes())?;
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

/// By path and metadata, with each thing that a rule may want done with a call besides.
fn istio(v1: &Server, v2: &Server) -> String {
    format!(
        r#"
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: back}}
spec:
  hosts: [back.shop]
  ports: [{{number: 8080, name: grpc}}]
  endpoints:
    - {{address: 127.0.0.1, ports: {{grpc: {}}}, labels: {{version: v1}}}}
    - {{address: 127.0.0.1, ports: {{grpc: {}}}, labels: {{version: v2}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: back}}
spec:
  host: back.shop
  subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: back}}
spec:
  hosts: [back.shop]
  http:
    - match: [{{headers: {{x-user: {{exact: bad}}}}}}]
      fault: {{abort: {{grpcStatus: DATA_LOSS, percentage: {{value: 100}}}}}}
      route: [{{destination: {{host: back.shop, subset: v1}}}}]
    - match: [{{headers: {{x-user: {{exact: gone}}}}}}]
      fault: {{abort: {{httpStatus: 503, percentage: {{value: 100}}}}}}
      route: [{{destination: {{host: back.shop, subset: v1}}}}]
    - match: [{{headers: {{x-user: {{exact: late}}}}}}]
      fault: {{delay: {{fixedDelay: 3600s, percentage: {{value: 100}}}}}}
      route: [{{destination: {{host: back.shop, subset: v1}}}}]
    - match: [{{headers: {{x-user: {{exact: short}}}}}}]
      timeout: 5s
      route: [{{destination: {{host: back.shop, subset: v1}}}}]
    - match: [{{headers: {{x-user: {{exact: "ann,eve"}}}}, uri: {{exact: /t.Back/Who}}, method: {{exact: POST}}}}]
      route: [{{destination: {{host: back.shop, subset: v2}}}}]
    - match: [{{headers: {{x-user: {{exact: half}}}}}}]
      fault: {{abort: {{grpcStatus: ABORTED, percentage: {{value: 50}}}}}}
      route: [{{destination: {{host: back.shop, subset: v1}}}}]
    - route: [{{destination: {{host: back.shop, subset: v1}}}}]
"#,
        v1.local_addr().port(),
        v2.local_addr().port()
    )
}

#[test]
fn rules_of_other_dialects_read_the_call_and_their_faults_and_timeouts_are_applied() {
    let io = Io::new(1).unwrap();
    let behind = engine("apiVersion: trilane/v1\nmode: on\nlanes: [{tag: gray}]\n");
    let (v1, v2) = (copy("v1", &behind, &io), copy("v2", &behind, &io));
    let caller = caller(&engine(&istio(&v1, &v2)), &io);
    let ask = |path: &'static str, users: &[&str], timeout: Duration| {
        let mut request = Request::new(path).timeout(timeout);
        for user in users {
            request = request.header("x-user", user.as_bytes()).unwrap();
        }
        block(caller.channel.unary(request, Bytes::new()))
    };
    let plenty = Duration::from_secs(20);
    for _ in 0..5 {
        assert_eq!(ask("/t.Back/Who", &["ann", "eve"], plenty).message, "v2()");
        assert_eq!(ask("/t.Back/Who", &["ann"], plenty).message, "v1()");
        assert_eq!(ask("/t.Back/Who", &[], plenty).message, "v1()");
    }
    // Of another path the rule for ann does not speak: v1 answers, which has no such method.
    assert_eq!(ask("/t.Back/Whom", &["ann", "eve"], plenty).status.code(), Code::Unimplemented);
    let aborted = ask("/t.Back/Who", &["bad"], plenty).status;
    assert_eq!(aborted.code(), Code::DataLoss);
    assert!(aborted.message().contains("/t.Back/Who: a rule aborts this call"), "{aborted}");
    assert_eq!(ask("/t.Back/Who", &["gone"], plenty).status.code(), Code::Unavailable);
    // An hour's delay: the caller's own time ends first, nothing is sent.
    assert_eq!(ask("/t.Back/Who", &["late"], Duration::from_millis(50)).status.code(), Code::DeadlineExceeded);
    // The rule's time is the shorter one, for a unary call; how long a stream may last it does not say.
    let left = |trailer: Option<&[u8]>| str::from_utf8(trailer.unwrap()).unwrap().parse::<u64>().unwrap();
    let unary = ask("/t.Back/Who", &["short"], plenty);
    assert!(left(unary.trailers.get("x-left-ms")) <= 5_000, "{}", unary.status);
    let stream = caller.channel.stream(Request::new("/t.Back/Who").timeout(plenty).header("x-user", b"short").unwrap());
    stream.send_now(Bytes::new());
    stream.half_close();
    assert!(left(block(stream.end()).1.get(b"x-left-ms")) > 5_000);
    // Half of the calls end, and those that do not arrive where their decision sent them.
    let fates: Vec<Outcome> = (0..64).map(|_| ask("/t.Back/Who", &["half"], plenty)).collect();
    let lived = fates.iter().filter(|fate| fate.message == "v1()").count();
    let ended = fates.iter().filter(|fate| fate.status.code() == Code::Aborted).count();
    assert!(lived > 0 && ended > 0 && lived + ended == 64, "{lived} answered, {ended} aborted");
}
