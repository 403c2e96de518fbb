//! What real clients do to a server, by hand: their deadlines, and the traps of Triple that concern this side.

mod common;
#[path = "common/raw.rs"]
mod raw;

use bytes::Bytes;
use common::{io, serve, services};
use raw::{DATA, END_HEADERS, END_STREAM, HEADERS, PING, Peer, RST, SETTINGS, WINDOW_UPDATE, frame, request};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;
use trilane_net::{Limits, Server};

/// Headers of a call, with more of them.
fn head(stream: u32, last: bool, path: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let fields = [request(path), raw::block(more)].concat();
    frame(HEADERS, END_HEADERS | if last { END_STREAM } else { 0 }, stream, &fields)
}

/// The frames of one stream up to its end.
fn answered(peer: &mut Peer, stream: u32) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    loop {
        let (kind, flags, of, payload) = peer.read().expect("the server closed the connection");
        if of == stream && [DATA, HEADERS, RST].contains(&kind) {
            frames.push((kind, payload));
            if kind == RST || flags & END_STREAM != 0 {
                return frames;
            }
        }
    }
}

/// How many frames are of this kind.
fn has(frames: &[(u8, Vec<u8>)], kind: u8) -> usize {
    frames.iter().filter(|(k, _)| *k == kind).count()
}

/// As grpc-java and grpc-go do it: the stream is reset with CANCEL, there are no trailers.
#[test]
fn a_deadline_that_passes_on_the_server_resets_the_stream_with_cancel() {
    let server = serve(services(), &io());
    let mut peer = Peer::connect(server.local_addr());
    let soon: &[(&str, &[u8])] = &[("grpc-timeout", b"20m")];
    // A handler that hangs, and a unary call whose message never ends.
    for (stream, path) in [(1, "/t.Echo/Hang"), (3, "/t.Echo/Unary")] {
        peer.send(&head(stream, false, path, soon));
        assert_eq!(answered(&mut peer, stream), [(RST, 8u32.to_be_bytes().to_vec())], "{path}");
    }
    // One that has answered: what came stays, the rest is a reset. A machine that stalls may need more than the first
    // times for the answer.
    for (stream, time) in [(5, b"1S"), (7, b"5S"), (9, b"9S")] {
        let call = head(stream, false, "/t.Echo/Stream", &[("grpc-timeout", &time[..])]);
        peer.send(&[call, frame(DATA, 0, stream, b"\0\0\0\0\x01a")].concat());
        let frames = answered(&mut peer, stream);
        assert_eq!(frames.last(), Some(&(RST, 8u32.to_be_bytes().to_vec())));
        let came = (has(&frames, HEADERS), has(&frames, DATA));
        if came == (1, 1) {
            break;
        }
        assert_ne!(time, b"9S", "{frames:?}");
    }
    // The connection goes on.
    peer.send(&head(11, false, "/t.Echo/Unary", &[]));
    peer.send(&frame(DATA, END_STREAM, 11, b"\0\0\0\0\x01b"));
    assert_eq!(has(&answered(&mut peer, 11), DATA), 1);
}

/// A thread of ours that is held up for longer than a peer is given to answer a PING finds the answer when it goes on.
#[test]
fn an_answer_to_a_ping_that_is_read_late_counts() {
    let patience = Duration::from_secs(3);
    let limits = Limits { keepalive_time: Duration::from_millis(50), keepalive_timeout: patience, ..Limits::default() };
    let turn = Arc::new(Barrier::new(2));
    let step = turn.clone();
    let builder = services().limits(limits).unary("/t.Echo/Held", move |_, message| {
        // On the thread that reads and writes for every connection.
        step.wait();
        step.wait();
        std::thread::sleep(patience);
        Ok(message)
    });
    let server = serve(builder, &io());
    let mut peer = Peer::connect(server.local_addr());
    let ping = |peer: &mut Peer| loop {
        match peer.read().expect("the connection lives") {
            (PING, 0, _, payload) => break payload,
            (raw::GOAWAY, ..) => panic!("taken for dead"),
            _ => {}
        }
    };
    let asked = ping(&mut peer);
    let mut other = Peer::connect(server.local_addr());
    let call = [head(1, false, "/t.Echo/Held", &[]), frame(DATA, END_STREAM, 1, b"\0\0\0\0\x01b")].concat();
    assert!(other.send(&call));
    turn.wait();
    peer.send(&frame(PING, 1, 0, &asked));
    turn.wait();
    ping(&mut peer);
}

/// dubbo-java 3.3.1 and later announce frames of 8 MiB and a large window for each stream, and leave the connection's
/// at 65,535: a reply of more than that stops exactly there, and goes on with what the client gives back.
#[test]
fn trap_6_a_reply_over_64_kib_keeps_to_the_connections_window() {
    const REPLY: usize = 300_000;
    let big = Server::builder().unary("/t.Echo/Big", |_, _| Ok(Bytes::from(vec![7; REPLY])));
    let server = serve(big, &io());
    let mut peer = Peer::connect(server.local_addr());
    let setting = |id: u16, value: u32| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    peer.send(&frame(SETTINGS, 0, 0, &[setting(4, 8 << 20), setting(5, 8 << 20)].concat()));
    // Its settings are in force before the call comes: the server has acknowledged both.
    let mut acknowledged = 0;
    while acknowledged < 2 {
        let (kind, flags, ..) = peer.read().expect("the handshake");
        acknowledged += usize::from(kind == SETTINGS && flags == 1);
    }
    peer.send(&head(1, false, "/t.Echo/Big", &[]));
    peer.send(&frame(DATA, END_STREAM, 1, &[0; 5]));
    let (mut came, mut window) = (0, 65_535);
    while came < REPLY + 5 {
        let (kind, _, stream, payload) = peer.read().expect("the reply");
        if kind != DATA || stream != 1 {
            continue;
        }
        came += payload.len();
        window -= payload.len() as i64;
        assert!(payload.len() <= 16_384, "a frame of {} bytes", payload.len());
        assert!(window >= 0, "{} bytes over the connection's window", -window);
        if window == 0 {
            window = 65_535;
            peer.send(&frame(WINDOW_UPDATE, 0, 0, &65_535u32.to_be_bytes()));
        }
    }
    assert_eq!(came, REPLY + 5);
}

/// `application/proto` and `application/json` are other protocols, not the same ones on either side: both are answered
/// with 415 and a text, and the connection goes on.
#[test]
fn trap_16_proto_and_json_are_not_taken_for_grpc() {
    let server = serve(services(), &io());
    let mut peer = Peer::connect(server.local_addr());
    for (stream, kind) in [(1, &b"application/proto"[..]), (3, b"application/json")] {
        let fields: &[(&str, &[u8])] =
            &[(":method", b"POST"), (":scheme", b"http"), (":path", b"/t.Echo/Unary"), ("content-type", kind)];
        peer.send(&frame(HEADERS, END_HEADERS, stream, &raw::block(fields)));
        peer.send(&frame(DATA, END_STREAM, stream, b"{}"));
        let frames = answered(&mut peer, stream);
        let text: Vec<u8> = frames.iter().filter(|(k, _)| *k == DATA).flat_map(|(_, p)| p.clone()).collect();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("application/grpc"), "{text}");
    }
    peer.send(&head(5, false, "/t.Echo/Unary", &[]));
    peer.send(&frame(DATA, END_STREAM, 5, b"\0\0\0\0\x01b"));
    assert_eq!(has(&answered(&mut peer, 5), DATA), 1);
}

/// A client that takes gzip gets it only where the handler asked for it, as from Java; what is compressed by a way that
/// is not known here ends with UNIMPLEMENTED and not with a message that cannot be read.
#[test]
fn trap_18_replies_are_plain_and_unknown_encodings_are_refused() {
    let server = serve(services(), &io());
    let mut peer = Peer::connect(server.local_addr());
    peer.send(&head(1, false, "/t.Echo/Unary", &[("grpc-accept-encoding", b"gzip")]));
    peer.send(&frame(DATA, END_STREAM, 1, b"\0\0\0\0\x01b"));
    let frames = answered(&mut peer, 1);
    assert!(frames.contains(&(DATA, b"\0\0\0\0\x01b".to_vec())), "{frames:?}");
    peer.send(&head(3, false, "/t.Echo/Unary", &[("grpc-encoding", b"snappy")]));
    let frames = answered(&mut peer, 3);
    assert_eq!((has(&frames, HEADERS), has(&frames, DATA)), (1, 0), "headers with the status alone");
}

/// Streams of dubbo-java carry no deadline: such a call has none here, whatever others have.
#[test]
fn trap_19_a_stream_without_grpc_timeout_has_no_deadline() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let builder = services().limits(Limits::default()).interceptor(move |call| {
        told.lock().unwrap().push(call.time_left());
        Ok(())
    });
    let server = serve(builder, &io());
    let mut peer = Peer::connect(server.local_addr());
    for (stream, more) in [(1, &[][..]), (3, &[("grpc-timeout", &b"90S"[..])])] {
        peer.send(&head(stream, false, "/t.Echo/Stream", more));
        peer.send(&frame(DATA, END_STREAM, stream, b"\0\0\0\0\x01b"));
        assert_eq!(has(&answered(&mut peer, stream), DATA), 1);
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], None);
    assert!(seen[1].is_some_and(|left| left <= Duration::from_secs(90)), "{seen:?}");
}
