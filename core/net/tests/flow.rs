//! Peers that play with windows, small frames and compression, and servers that do: what they make us hold is bounded.

mod common;
#[path = "common/raw.rs"]
mod raw;
#[path = "common/resident.rs"]
mod resident;

use bytes::Bytes;
use common::{block, io};
use flate2::{Compression, write::GzEncoder};
use raw::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, Peer, RST, SETTINGS, WINDOW_UPDATE, frame, request,
};
use resident::attacked;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::thread;
use trilane_net::{Channel, Code, Limits, Request};

const FLOW_CONTROL_ERROR: u32 = 3;
const ENHANCE_YOUR_CALM: u32 = 11;
const INITIAL_WINDOW_SIZE: u16 = 4;

fn setting(id: u16, value: u32) -> Vec<u8> {
    let mut payload = id.to_be_bytes().to_vec();
    payload.extend(value.to_be_bytes());
    frame(SETTINGS, 0, 0, &payload)
}

fn window_update(stream: u32, by: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}

/// A gRPC message.
fn message(compressed: bool, data: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::from(compressed)];
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(data);
    out
}

/// Fifty megabytes of nothing, which gzip makes a thousand times shorter: within the 65,535 bytes that a connection
/// takes at first.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    (0..50).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
    encoder.finish().unwrap()
});

/// Data of one byte a frame, on a stream whose handler reads nothing: each costs us far more than the peer.
#[test]
fn a_flood_of_one_byte_frames_that_nobody_reads_ends_the_connection() {
    attacked(Limits { small_frame_budget: 1 << 20, ..Limits::default() }, 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        peer.send(&frame(HEADERS, END_HEADERS, 1, &request("/t.Echo/Hang")));
        let burst = frame(DATA, 0, 1, &[7]).repeat(1000);
        // The budget is gone after some 4,000 of them, long before the window of 65,535 bytes.
        let mut sent = 0;
        while sent < 60 && peer.send(&burst) {
            sent += 1;
        }
        assert_eq!(peer.end(), Some(ENHANCE_YOUR_CALM));
    });
}

/// What a handler says in one turn leaves together, each message whole.
#[test]
fn short_messages_of_one_turn_share_a_frame() {
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        let messages = message(false, &[7; 1000]).repeat(10);
        peer.send(&frame(HEADERS, END_HEADERS, 1, &request("/t.Echo/Stream")));
        peer.send(&frame(DATA, END_STREAM, 1, &messages));
        let mut answers = Vec::new();
        while let Some((kind, flags, stream, payload)) = peer.read() {
            if kind == DATA && !payload.is_empty() {
                answers.push(payload);
            }
            if (kind, stream) == (HEADERS, 1) && flags & END_STREAM != 0 {
                break;
            }
        }
        let sizes: Vec<usize> = answers.iter().map(Vec::len).collect();
        assert_eq!(sizes, [messages.len()]);
        assert_eq!(answers, [messages]);
    });
}

/// The same to a handler that reads is slow, but no crime.
#[test]
fn one_byte_frames_that_are_read_make_a_message() {
    attacked(Limits { small_frame_budget: 1 << 20, ..Limits::default() }, 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        peer.send(&frame(HEADERS, END_HEADERS, 1, &request("/t.Echo/Unary")));
        let bytes = message(false, &[7; 20_000]);
        let (last, first) = bytes.split_last().unwrap();
        // In parts that stay within the budget, each read before the next comes: its echo of a PING says so.
        for part in first.chunks(1000) {
            let mut burst: Vec<u8> = part.iter().flat_map(|b| frame(DATA, 0, 1, &[*b])).collect();
            burst.extend(frame(raw::PING, 0, 0, &[1; 8]));
            assert!(peer.send(&burst));
            while peer.read().expect("the connection lives").0 != raw::PING {}
        }
        peer.send(&frame(DATA, END_STREAM, 1, &[*last]));
        let mut data = 0;
        loop {
            match peer.read().expect("an answer") {
                (DATA, _, 1, payload) => data += payload.len(),
                (HEADERS, flags, 1, _) if flags & END_STREAM != 0 => break,
                _ => {}
            }
        }
        assert_eq!(data, bytes.len());
    });
}

/// Its stream windows are nothing: calls are answered as far as that goes, wait, and hold one message each.
#[test]
fn a_window_that_is_held_at_nothing_holds_one_message_a_stream() {
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        peer.send(&setting(INITIAL_WINDOW_SIZE, 0));
        for n in 0..1000u32 {
            peer.send(&frame(HEADERS, END_HEADERS, 2 * n + 1, &request("/t.Echo/Many")));
            peer.send(&frame(DATA, END_STREAM, 2 * n + 1, &message(false, b"10000000")));
        }
        // All thousand are answered with headers and no data.
        let mut answered = 0;
        while answered < 1000 {
            match peer.read().expect("the connection lives") {
                (HEADERS, ..) => answered += 1,
                (DATA, ..) => panic!("data without a window"),
                _ => {}
            }
        }
        // One byte of window is one byte of data.
        for n in 1..=20 {
            peer.send(&window_update(1, 1));
            loop {
                match peer.read().expect("the connection lives") {
                    (DATA, _, 1, payload) => break assert_eq!(payload.len(), 1, "update {n}"),
                    (DATA, ..) => panic!("data without a window"),
                    _ => {}
                }
            }
        }
    });
}

/// Windows that shrink below what is under way (RFC 9113 6.9.2) are owed, not exceeded.
#[test]
fn a_window_that_shrinks_is_owed() {
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        peer.send(&setting(INITIAL_WINDOW_SIZE, 1000));
        peer.send(&frame(HEADERS, END_HEADERS, 1, &request("/t.Echo/Many")));
        peer.send(&frame(DATA, END_STREAM, 1, &message(false, b"10000000")));
        let mut data = 0;
        let mut take = |peer: &mut Peer, until: usize| {
            while data < until {
                if let (DATA, _, 1, payload) = peer.read().expect("the connection lives") {
                    data += payload.len();
                }
            }
            assert_eq!(data, until, "no more than the window");
        };
        take(&mut peer, 1000);
        // 900 are owed now: 901 make one byte.
        peer.send(&setting(INITIAL_WINDOW_SIZE, 100));
        peer.send(&window_update(1, 901));
        take(&mut peer, 1001);
    });
}

#[test]
fn windows_that_overflow_or_are_exceeded_are_flow_control_errors() {
    attacked(Limits::default(), 30_000, |server| {
        let mut overflow = Peer::connect(server.local_addr());
        overflow.send(&window_update(0, 0x7fff_ffff));
        assert_eq!(overflow.end(), Some(FLOW_CONTROL_ERROR));
        // Our stream window is a mebibyte: one byte more of unread data is too much.
        let mut flood = Peer::connect(server.local_addr());
        flood.send(&frame(HEADERS, END_HEADERS, 1, &request("/t.Echo/Hang")));
        let burst = frame(DATA, 0, 1, &[7; 16_384]);
        for _ in 0..65 {
            if !flood.send(&burst) {
                break;
            }
        }
        let refused = loop {
            match flood.read() {
                Some((RST, _, 1, code)) => break u32::from_be_bytes(code[..4].try_into().unwrap()),
                Some((GOAWAY, _, _, payload)) => break u32::from_be_bytes(payload[4..8].try_into().unwrap()),
                Some(_) => {}
                None => panic!("closed without a word"),
            }
        };
        assert_eq!(refused, FLOW_CONTROL_ERROR);
    });
}

/// A thousand times its size when inflated: stopped at the limit, never held whole.
#[test]
fn a_zip_bomb_in_a_request_is_refused_at_the_limit() {
    assert!(BOMB.len() < 60_000);
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        let mut head = request("/t.Echo/Unary");
        head.extend(raw::block(&[("grpc-encoding", b"gzip")]));
        peer.send(&frame(HEADERS, END_HEADERS, 1, &head));
        let bytes = message(true, &BOMB);
        let last = bytes.chunks(16_384).count() - 1;
        for (n, part) in bytes.chunks(16_384).enumerate() {
            peer.send(&frame(DATA, if n == last { END_STREAM } else { 0 }, 1, part));
        }
        loop {
            match peer.read().expect("an answer") {
                (HEADERS, flags, 1, _) if flags & END_STREAM != 0 => break,
                (DATA, ..) => panic!("an answer to a bomb"),
                _ => {}
            }
        }
    });
    let large = Bytes::from(vec![0; 9 << 20]);
    attacked(Limits::default(), 30_000, |server| {
        let channel = Channel::builder(&server.local_addr().to_string()).open(&io()).unwrap();
        let status = block(channel.unary(Request::new("/t.Echo/Unary").compress(true), large)).status;
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    });
}

/// A server by hand: takes one connection, reads up to the first request's end, and says what it is given.
fn answering(answer: Vec<u8>) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; PREFACE.len()]).unwrap();
        let mut peer = Peer { stream };
        peer.send(&frame(SETTINGS, 0, 0, &[]));
        while !matches!(peer.read(), Some((DATA, flags, ..)) if flags & END_STREAM != 0) {}
        peer.send(&frame(SETTINGS, 1, 0, &[]));
        peer.send(&answer);
        // Until the client closes.
        while peer.read().is_some() {}
    });
    (address, serving)
}

fn answer_head(encoding: &[u8]) -> Vec<u8> {
    let status = raw::block(&[(":status", b"200"), ("content-type", b"application/grpc"), ("grpc-encoding", encoding)]);
    frame(HEADERS, END_HEADERS, 1, &status)
}

/// The client is guarded as the server is.
#[test]
fn a_zip_bomb_in_an_answer_is_refused_at_the_limit() {
    let mut answer = answer_head(b"gzip");
    message(true, &BOMB).chunks(16_384).for_each(|part| answer.extend(frame(DATA, 0, 1, part)));
    let trailers = raw::block(&[("grpc-status", b"0")]);
    answer.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers));
    let (address, serving) = answering(answer);
    attacked(Limits::default(), 30_000, |_| {
        let channel = Channel::builder(&address.to_string()).open(&io()).unwrap();
        let status = block(channel.unary(Request::new("/t.Echo/Unary"), Bytes::new())).status;
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.message().contains(&address.to_string()), "{status}");
    });
    serving.join().unwrap();
}

/// A server whose answer is empty frames without end.
#[test]
fn a_server_that_floods_with_empty_frames_loses_its_connection() {
    let mut answer = answer_head(b"identity");
    answer.extend(frame(DATA, 0, 1, &[]).repeat(20_000));
    let (address, serving) = answering(answer);
    attacked(Limits::default(), 30_000, |_| {
        let channel = Channel::builder(&address.to_string()).open(&io()).unwrap();
        let status = block(channel.unary(Request::new("/t.Echo/Unary"), Bytes::new())).status;
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    });
    serving.join().unwrap();
}
