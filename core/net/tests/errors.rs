//! Every way that a call can end by our own doing: what is said has the method, the peer, what came, what to do. What a
//! server's application says is passed on as it is.

mod common;
#[path = "common/raw.rs"]
mod raw;

use bytes::Bytes;
use common::{block as wait, io, serve, services};
use raw::{DATA, END_STREAM, GOAWAY, GRPC, OK, RST, frame, headers, server};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use trilane_net::client::Retry;
use trilane_net::{Channel, ClientTls, Code, Limits, Request, Status};

const METHOD: &str = "/t.Echo/Ask";
/// 1,000 times the letter a, by gzip.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\x4b\x4c\x1c\x05\xa3\x60\x14\x0c\x77\0\0\x03\xda\x38\x9a\xe8\x03\0\0";

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Unary,
    Stream,
}
use Kind::{Stream, Unary};

const BOTH: &[Kind] = &[Unary, Stream];

fn asking() -> Request {
    Request::new(METHOD).timeout(Duration::from_secs(30))
}

/// Makes a call with one message; its status.
fn ask(channel: &Channel, kind: Kind, request: Request) -> Status {
    if kind == Unary {
        return wait(channel.unary(request, Bytes::new())).status;
    }
    let call = channel.stream(request);
    call.send_now(Bytes::new());
    call.half_close();
    while wait(call.message()).is_some() {}
    wait(call.end()).0
}

#[track_caller]
fn told(row: &str, status: &Status, code: Code, parts: &[&str]) {
    assert_eq!(status.code(), code, "{row}: {status}");
    for part in parts {
        assert!(status.message().contains(part), "{row}: {part:?} is missing: {status}");
    }
}

fn to(address: SocketAddr) -> Channel {
    Channel::builder(&address.to_string()).max_message_size(500).open(&io()).unwrap()
}

type Answer = Box<dyn Fn(u32) -> Vec<u8> + Send + Sync>;

/// What a peer answers, by which kinds of call, the code, what is found, what to do.
struct Row(&'static str, &'static [Kind], Answer, Code, &'static [&'static str]);

fn row<A>(name: &'static str, code: Code, parts: &'static [&'static str], answer: A) -> Row
where
    A: Fn(u32) -> Vec<u8> + Send + Sync + 'static,
{
    Row(name, BOTH, Box::new(answer), code, parts)
}

fn of_unary(row: Row) -> Row {
    Row(row.0, &[Unary], row.2, row.3, row.4)
}

fn head(s: u32) -> Vec<u8> {
    headers(s, false, &[OK, GRPC])
}

fn done(s: u32) -> Vec<u8> {
    headers(s, true, &[("grpc-status", b"0")])
}

fn data(s: u32, bytes: &[u8]) -> Vec<u8> {
    frame(DATA, 0, s, bytes)
}

fn encoded(s: u32, encoding: &[u8]) -> Vec<u8> {
    headers(s, false, &[OK, GRPC, ("grpc-encoding", encoding)])
}

/// A compressed message of these bytes.
fn compressed(s: u32, bytes: &[u8]) -> Vec<u8> {
    data(s, &[&[1, 0, 0, 0, bytes.len() as u8], bytes].concat())
}

/// Answers whose gRPC is wrong.
fn bad_grpc() -> Vec<Row> {
    let odd = &["grpc-status 99", "gRPC has 0 to 16", "look at the server"];
    vec![
        row("no trailers", Code::Unknown, &["without grpc-status", "look at the peer's log"], |s| {
            [head(s), frame(DATA, END_STREAM, s, &[0; 5])].concat()
        }),
        row("trailers only, no status", Code::Unknown, &["without grpc-status", "look at the peer's log"], |s| {
            headers(s, true, &[OK, GRPC])
        }),
        row("trailers, no status", Code::Unknown, &["without grpc-status", "look at the peer's log"], |s| {
            [head(s), headers(s, true, &[("x-y", b"z")])].concat()
        }),
        row("a cut message", Code::Internal, &["ended inside a message", "8 of 14", "look at the peer"], |s| {
            [head(s), frame(DATA, END_STREAM, s, b"\0\0\0\0\x09abc")].concat()
        }),
        row("a cut message, and OK", Code::Internal, &["ended inside a message", "8 of 14", "look at the peer"], |s| {
            [head(s), data(s, b"\0\0\0\0\x09abc"), done(s)].concat()
        }),
        row("an odd status alone", Code::Unknown, odd, |s| headers(s, true, &[OK, GRPC, ("grpc-status", b"99")])),
        row("an odd status behind", Code::Unknown, odd, |s| {
            [head(s), headers(s, true, &[("grpc-status", b"99")])].concat()
        }),
        row("snappy", Code::Internal, &["snappy", "identity and gzip", "have the peer send one"], |s| {
            encoded(s, b"snappy")
        }),
        row("a flag", Code::Internal, &["flag byte 7", "0 (plain) and 1 (compressed)", "look at the peer"], |s| {
            [head(s), data(s, b"\x07\0\0\0\0")].concat()
        }),
        row("an unnamed encoding", Code::Internal, &["named no grpc-encoding", "look at the peer"], |s| {
            [head(s), compressed(s, b"x"), done(s)].concat()
        }),
        row("no gzip", Code::Internal, &["not gzip", "look at the peer"], |s| {
            [encoded(s, b"gzip"), compressed(s, b"plain"), done(s)].concat()
        }),
        row("too long", Code::ResourceExhausted, &["1537 bytes", "limit of 500", "raise max_message_size"], |s| {
            [head(s), data(s, b"\0\0\0\x06\x01")].concat()
        }),
        row("too long inside", Code::ResourceExhausted, &["500 bytes", "raise max_message_size"], |s| {
            [encoded(s, b"gzip"), compressed(s, GZIP), done(s)].concat()
        }),
        of_unary(row("two messages", Code::Unimplemented, &["second message", "is the method a stream"], |s| {
            [head(s), data(s, &[0; 10]), done(s)].concat()
        })),
        of_unary(row("no message", Code::Unimplemented, &["no message", "of another kind"], |s| {
            [head(s), done(s)].concat()
        })),
        of_unary(row("OK alone", Code::Unimplemented, &["no message", "of another kind"], |s| {
            headers(s, true, &[OK, GRPC, ("grpc-status", b"0")])
        })),
    ]
}

/// Answers that are not gRPC.
fn other_http() -> Vec<Row> {
    let codes: [(&'static [u8], Code, &'static [&'static str]); 9] = [
        (b"200", Code::Unknown, &["HTTP status 200"]),
        (b"400", Code::Internal, &["HTTP status 400"]),
        (b"401", Code::Unauthenticated, &["HTTP status 401"]),
        (b"403", Code::PermissionDenied, &["HTTP status 403"]),
        (b"404", Code::Unimplemented, &["HTTP status 404"]),
        (b"429", Code::Unavailable, &["HTTP status 429"]),
        (b"500", Code::Unknown, &["HTTP status 500"]),
        (b"502", Code::Unavailable, &["HTTP status 502"]),
        (b"504", Code::Unavailable, &["HTTP status 504"]),
    ];
    let html = |s, code| {
        let head = headers(s, false, &[(":status", code), ("content-type", b"text/html")]);
        [head, frame(DATA, END_STREAM, s, b"<html>Bad Gateway</html>")].concat()
    };
    let mut rows: Vec<Row> =
        codes.into_iter().map(|(n, code, what)| row("html", code, what, move |s| html(s, n))).collect();
    let parts = &["not gRPC", "application/grpc was expected", "text/html", "does a proxy"];
    rows.push(row("html, its advice", Code::Unavailable, parts, move |s| html(s, b"503")));
    let parts = &["HTTP status 404", "no content-type", "does a proxy"];
    rows.push(row("nothing", Code::Unimplemented, parts, |s| headers(s, true, &[(":status", b"404")])));
    rows
}

/// Streams and connections that the peer ends.
fn ended() -> Vec<Row> {
    let reset = |code: u32| move |s| frame(RST, 0, s, &code.to_be_bytes());
    let goaway =
        |code: u8, why: &'static [u8]| move |_| frame(GOAWAY, 0, 0, &[&[0, 0, 0, 0, 0, 0, 0, code], why].concat());
    let mut rows = vec![
        row("REFUSED_STREAM", Code::Unavailable, &["refused the stream", "try later"], reset(7)),
        row("CANCEL", Code::Cancelled, &["reset the stream", "code 8", "its deadline passed there"], reset(8)),
        row("ENHANCE_YOUR_CALM", Code::ResourceExhausted, &["code 11", "fewer calls"], reset(11)),
        row("INADEQUATE_SECURITY", Code::PermissionDenied, &["code 12", "it wants TLS"], reset(12)),
        row("HTTP_1_1_REQUIRED", Code::Internal, &["code 13", "is this its port"], reset(13)),
        row("an unknown code", Code::Internal, &["code 99", "look at its log"], reset(99)),
        row("GOAWAY", Code::Unavailable, &["going away", "try again"], goaway(0, b"")),
        row(
            "GOAWAY with a code",
            Code::Unavailable,
            &["too_many_pings", "GOAWAY", "peer's log"],
            goaway(11, b"too_many_pings"),
        ),
        row("DATA on stream 0", Code::Unavailable, &["connection broke", "does it speak HTTP/2 here"], |_| {
            data(0, b"x")
        }),
        row("a newline in a header", Code::Unavailable, &["connection broke", "look at the peer"], |s| {
            headers(s, true, &[OK, GRPC, ("grpc-status", b"2"), ("grpc-message", b"line1\nline2")])
        }),
        row("no HTTP status", Code::Internal, &["broke HTTP/2 in this stream", "look at the peer"], |s| {
            [head(s), headers(s, false, &[("x-y", b"z")])].concat()
        }),
        row("long headers", Code::Internal, &["in this stream", "max_header_list_size"], |s| {
            headers(s, true, &[&[OK, GRPC], &[("a", &b"b"[..]); 600][..]].concat())
        }),
    ];
    for code in [0, 1, 2, 3, 4, 5, 6, 9, 10] {
        rows.push(row("a reset", Code::Internal, &["reset the stream (HTTP/2 code ", "look at its log"], reset(code)));
    }
    rows
}

#[test]
fn what_a_bad_peer_does_is_told_with_method_peer_and_advice() {
    let mut count = 0;
    for Row(name, kinds, answer, code, parts) in [bad_grpc(), other_http(), ended()].into_iter().flatten() {
        let answer: std::sync::Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync> = answer.into();
        let address = server(move |s| answer(s));
        for &kind in kinds {
            let status = ask(&to(address), kind, asking());
            told(&format!("{name}, {kind:?}"), &status, code, parts);
            assert!(status.message().starts_with(&format!("{METHOD} at {address}: ")), "{name}, {kind:?}: {status}");
            count += 1;
        }
    }
    println!("{count} ends");
}

/// A status that the application of the server sent is the application's, to the byte.
#[test]
fn what_a_servers_application_says_is_passed_on_as_it_is() {
    type Said = (&'static [u8], &'static [u8], &'static [u8], Code, &'static str);
    let rows: [Said; 5] = [
        (b"200", b"5", b"gone", Code::NotFound, "gone"),
        (b"500", b"5", b"gone", Code::NotFound, "gone"),
        (b"200", b"9", b"100%25 %zz %4", Code::FailedPrecondition, "100% %zz %4"),
        (b"200", b"17", b"no%20stock", Code::Unknown, "no stock"),
        (b"200", b"14", b"", Code::Unavailable, ""),
    ];
    for (http, code, message, want, text) in rows {
        let end = [("grpc-status", code), ("grpc-message", message)];
        let alone = server(move |s| headers(s, true, &[&[(":status", http), GRPC], &end[..]].concat()));
        let behind = server(move |s| {
            [headers(s, false, &[(":status", http), GRPC]), data(s, &[0; 5]), headers(s, true, &end)].concat()
        });
        for address in [alone, behind] {
            for &kind in BOTH {
                let status = ask(&to(address), kind, asking());
                assert_eq!((status.code(), status.message()), (want, text), "{kind:?}");
            }
        }
    }
    let server = serve(services().limits(Limits { max_message_size: 100, ..Limits::default() }), &io());
    let long = Request::new("/t.Echo/Unary").timeout(Duration::from_secs(30));
    let channel = to(server.local_addr());
    let status = wait(channel.unary(long, Bytes::from(vec![0; 101]))).status;
    told("a request over the server's limit", &status, Code::ResourceExhausted, &["101 bytes", "limit of 100"]);
    assert!(status.message().starts_with("the request's message"), "the server's words: {status}");
}

/// A peer that speaks no HTTP/2: it answers the first bytes of every connection with these; without any it closes.
fn stranger(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(answer));
            while !answer.is_empty() && stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
        }
    });
    address
}

#[test]
fn a_peer_of_another_protocol_is_told() {
    let http1 = stranger(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let closing = stranger(b"");
    for &kind in BOTH {
        let status = ask(&to(http1), kind, asking());
        told("HTTP/1.1", &status, Code::Unavailable, &[METHOD, &http1.to_string(), "does it speak HTTP/2 here"]);
        let status = ask(&to(closing), kind, asking());
        told(
            "a close",
            &status,
            Code::Unavailable,
            &[METHOD, &closing.to_string(), "connection broke", "only if it may run twice"],
        );
    }
}

#[test]
fn who_gets_no_connection_hears_why() {
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refused = held.local_addr().unwrap();
    // A label of more than 63 letters is no name: nobody is asked.
    let name = format!("{}:80", "a".repeat(70));
    let retry = |max_attempts, budget| {
        let retry = Retry { max_attempts, budget, initial_backoff: Duration::ZERO, ..Retry::default() };
        Channel::builder(&refused.to_string()).retry(retry).open(&io()).unwrap()
    };
    let (again, poor) = (retry(2, 100), retry(2, 1));
    for &kind in BOTH {
        let status = ask(&to(refused), kind, asking());
        told(
            "refused",
            &status,
            Code::Unavailable,
            &[METHOD, &refused.to_string(), "refused", "does the server listen"],
        );
        let status = ask(&Channel::builder(&name).open(&io()).unwrap(), kind, asking());
        told("no name", &status, Code::Unavailable, &[METHOD, &name, "cannot be resolved", "DNS"]);
        let none = to(refused);
        none.set_targets(Vec::new());
        told("no target", &ask(&none, kind, asking()), Code::Unavailable, &[METHOD, "no target", "give it addresses"]);
    }
    let status = ask(&again, Unary, asking().idempotent(true));
    told("retries", &status, Code::Unavailable, &[METHOD, &refused.to_string(), "attempts: 2", "retries are used up"]);
    let status = ask(&poor, Unary, asking().idempotent(true));
    told(
        "budget",
        &status,
        Code::Unavailable,
        &[METHOD, &refused.to_string(), "attempts: 1", "retry budget is used up"],
    );
}

#[test]
fn what_is_late_says_where_it_waited() {
    // The first call of a connection is answered, so that there is one; the others are not.
    let silent = server(|s| if s == 1 { [head(s), data(s, &[0; 5]), done(s)].concat() } else { Vec::new() });
    let late = || Request::new(METHOD).timeout(Duration::from_millis(50));
    for &kind in BOTH {
        let channel = to(silent);
        assert!(ask(&channel, Unary, asking()).is_ok());
        let status = ask(&channel, kind, late());
        let place = format!("{METHOD} at {silent}: ");
        told("a silent peer", &status, Code::DeadlineExceeded, &[&place, "within 50ms", "is the peer slow"]);
        // It takes connections, but says nothing of TLS.
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = mute.local_addr().unwrap().to_string();
        let Some(roots) = roots() else { continue };
        let tls = ClientTls { roots: Some(roots), server_name: Some("shop.test".into()), ..ClientTls::default() };
        let channel = Channel::builder(&address).tls(tls).open(&io()).unwrap();
        let status = ask(&channel, kind, late().wait_for_ready(true));
        let parts = [METHOD, &address, "within 50ms", "no connection yet", "is the peer up"];
        told("no connection", &status, Code::DeadlineExceeded, &parts);
    }
}

/// Any certificates.
fn roots() -> Option<std::path::PathBuf> {
    let known = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    let found = known.iter().map(std::path::PathBuf::from).find(|p| p.exists());
    if found.is_none() {
        println!("skipped: this system has no file of certificates");
    }
    found
}

#[test]
fn what_the_caller_does_itself_is_told_too() {
    let silent = server(|_| Vec::new());
    let panics = Channel::builder(&silent.to_string()).interceptor(|_| panic!("on purpose")).open(&io()).unwrap();
    for &kind in BOTH {
        let status = ask(&panics, kind, asking());
        told("an interceptor", &status, Code::Internal, &[METHOD, "interceptor panicked"]);
        let status = ask(&to(silent), kind, Request::new("/t.Echo/Two Words").timeout(Duration::from_secs(30)));
        told("a path", &status, Code::Internal, &["/t.Echo/", &silent.to_string(), "/service/method is expected"]);
    }
    let gone = to(silent).stream(Request::new(METHOD));
    told("a dropped channel", &wait(gone.end()).0, Code::Unavailable, &[METHOD, "was dropped"]);
    let channel = to(silent);
    let call = channel.stream(asking());
    call.cancel();
    told("a cancelled stream", &wait(call.end()).0, Code::Cancelled, &[METHOD, "the caller cancelled"]);
}
