//! What real peers do that a client must understand: the traps of Triple that concern this side, and bad answers.

mod common;
#[path = "common/raw.rs"]
mod raw;

use bytes::Bytes;
use common::{block as wait, io};
use raw::{DATA, END_STREAM, GRPC, HEADERS, OK, Peer, SETTINGS, frame, headers, server};
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use trilane_net::client::Outcome;
use trilane_net::{Channel, Code, Request};

fn ask(address: SocketAddr) -> Outcome {
    let channel = Channel::builder(&address.to_string()).open(&io()).unwrap();
    wait(channel.unary(Request::new("/t.Echo/Unary").timeout(Duration::from_secs(20)), Bytes::new()))
}

/// The answer's code, and that its message has these parts.
fn ends(answer: impl Fn(u32) -> Vec<u8> + Send + Sync + Clone + 'static, code: Code, parts: &[&str]) {
    let address = server(answer);
    let status = ask(address).status;
    assert_eq!(status.code(), code, "{status}");
    for part in parts {
        assert!(status.message().contains(part), "{status}: {part} is missing");
    }
}

/// dubbo-java 3.3 sends an exception's message as it is. The engine must kill the connection: the call ends clearly,
/// and the next call has a new connection.
#[test]
fn trap_1_a_newline_in_grpc_message() {
    let address = server(|stream| match stream {
        1 => headers(1, true, &[OK, GRPC, ("grpc-status", b"2"), ("grpc-message", b"line1\nline2")]),
        _ => Vec::new(),
    });
    let channel = Channel::builder(&address.to_string()).open(&io()).unwrap();
    for _ in 0..2 {
        let status = wait(channel.unary(Request::new("/t.Echo/Unary"), Bytes::new())).status;
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        for part in ["/t.Echo/Unary", &address.to_string(), "connection broke"] {
            assert!(status.message().contains(part), "{status}: {part} is missing");
        }
    }
}

#[test]
fn trap_2_status_17_of_dubbo_go() {
    let end = |s| headers(s, true, &[OK, GRPC, ("grpc-status", b"17"), ("grpc-message", b"no%20stock")]);
    ends(end, Code::Unknown, &["no stock"]);
}

#[test]
fn trap_3_an_exception_of_wrapper_mode_is_visible() {
    let address = server(|s| {
        [
            headers(s, false, &[OK, GRPC, ("tri-exception-code", b"3")]),
            frame(DATA, 0, s, b"\0\0\0\0\x03abc"),
            headers(s, true, &[("grpc-status", b"0")]),
        ]
        .concat()
    });
    let outcome = ask(address);
    assert!(outcome.status.is_ok());
    assert_eq!(outcome.headers.get(trilane_wire::triple::EXCEPTION), Some(&b"3"[..]));
    assert_eq!(outcome.message, "abc");
}

#[test]
fn trap_4_grpc_status_counts_whatever_the_http_status() {
    let end = |s| headers(s, true, &[(":status", b"500"), GRPC, ("grpc-status", b"5"), ("grpc-message", b"gone")]);
    ends(end, Code::NotFound, &["gone"]);
}

/// A Java server resets a stream that finds the connection's window empty. So the window is announced far above one
/// stream's, and what one call does not read stops no other.
#[test]
fn trap_5_one_unread_stream_does_not_drain_the_connections_window() {
    const UNREAD: usize = 60;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = Channel::builder(&listener.local_addr().unwrap().to_string()).open(&io()).unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; raw::PREFACE.len()]).unwrap();
        let mut peer = Peer { stream };
        peer.send(&frame(SETTINGS, 0, 0, &[]));
        let (mut window, mut streams) = (65_535u32, Vec::new());
        while let Some((kind, flags, stream, payload)) = peer.read() {
            let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match kind {
                raw::WINDOW_UPDATE if stream == 0 && streams.is_empty() => window += number(0),
                // Far more than 65,536 bytes, and nothing is given back for them.
                HEADERS if streams.is_empty() => {
                    streams.push(stream);
                    peer.send(&headers(stream, false, &[OK, GRPC]));
                    let piece = frame(DATA, 0, stream, &[0; 16_384]);
                    (0..UNREAD).for_each(|_| assert!(peer.send(&piece)));
                }
                DATA if flags & END_STREAM != 0 && !streams.contains(&stream) => {
                    peer.send(&headers(stream, false, &[OK, GRPC]));
                    peer.send(&frame(DATA, 0, stream, b"\0\0\0\0\x01a"));
                    peer.send(&headers(stream, true, &[("grpc-status", b"0")]));
                }
                _ => {}
            }
        }
        window
    });
    let call = channel.stream(Request::new("/t.Echo/Stream").timeout(Duration::from_secs(30)));
    wait(call.headers()).expect("headers");
    let other = channel.unary(Request::new("/t.Echo/Unary").timeout(Duration::from_secs(20)), Bytes::new());
    assert_eq!(wait(other).into_result().unwrap(), "a");
    assert!(wait(call.message()).is_some(), "the unread call goes on");
    drop((call, channel));
    assert_eq!(serving.join().unwrap(), 8 << 20, "the connection's window");
}

/// Java answers plainly what came compressed; Go compresses by itself what a client would take.
#[test]
fn trap_18_replies_are_read_plain_or_compressed_whatever_was_sent() {
    let reply = |encoding: &'static [u8], data: Vec<u8>| {
        server(move |s| {
            let head = headers(s, false, &[OK, GRPC, ("grpc-encoding", encoding)]);
            [head, frame(DATA, 0, s, &data), headers(s, true, &[("grpc-status", b"0")])].concat()
        })
    };
    // A gzip member with one stored block: "a".
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x01\0\xfe\xffa\x43\xbe\xb7\xe8\x01\0\0\0";
    let compressed = [b"\x01\0\0\0", &[gzip.len() as u8][..], gzip].concat();
    assert_eq!(ask(reply(b"gzip", compressed)).into_result().unwrap(), "a");
    let plain = reply(b"identity", b"\0\0\0\0\x01a".to_vec());
    let channel = Channel::builder(&plain.to_string()).open(&io()).unwrap();
    let sent = channel.unary(Request::new("/t.Echo/Unary").compress(true), Bytes::from("a"));
    assert_eq!(wait(sent).into_result().unwrap(), "a");
}

#[test]
fn trap_13_attachments_of_a_response_are_in_its_trailers() {
    let address = server(|s| {
        [
            headers(s, false, &[OK, GRPC]),
            frame(DATA, 0, s, b"\0\0\0\0\0"),
            headers(s, true, &[("grpc-status", b"0"), ("userid", b"42"), ("raw-bin", b"AP8=")]),
        ]
        .concat()
    });
    let attachments = trilane_wire::triple::read_attachments(&ask(address).trailers.to_headers());
    assert_eq!(attachments, [("userid".into(), b"42".to_vec()), ("raw".into(), vec![0, 0xff])]);
}

#[test]
fn an_answer_that_is_not_grpc_says_what_came() {
    let html = |s| {
        [
            headers(s, false, &[(":status", b"502"), ("content-type", b"text/html")]),
            frame(DATA, END_STREAM, s, b"<html>Bad Gateway</html>"),
        ]
        .concat()
    };
    ends(html, Code::Unavailable, &["502", "text/html", "not gRPC"]);
    ends(|s| headers(s, true, &[(":status", b"404")]), Code::Unimplemented, &["404", "no content-type"]);
}

/// Resets are mapped by gRPC's table; trap 21 adds NO_ERROR.
#[test]
fn trap_21_resets_have_codes() {
    let table = [(8u32, Code::Cancelled), (11, Code::ResourceExhausted), (2, Code::Internal), (0, Code::Internal)];
    for (code, want) in table {
        ends(move |s| frame(raw::RST, 0, s, &code.to_be_bytes()), want, &["reset"]);
    }
}

/// A refused stream was not looked at: it is sent again, in the end it fails clearly.
#[test]
fn refused_streams_are_sent_again() {
    let address = server(|s| match s {
        1 | 3 => frame(raw::RST, 0, s, &7u32.to_be_bytes()),
        _ => [
            headers(s, false, &[OK, GRPC]),
            frame(DATA, 0, s, b"\0\0\0\0\x01a"),
            headers(s, true, &[("grpc-status", b"0")]),
        ]
        .concat(),
    });
    assert_eq!(ask(address).into_result().unwrap(), "a");
    ends(|s| frame(raw::RST, 0, s, &7u32.to_be_bytes()), Code::Unavailable, &["refused"]);
}
