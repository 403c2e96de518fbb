//! Peers that mean harm: each ends with the right code, costs bounded memory, and disturbs nobody else.

mod common;
#[path = "common/raw.rs"]
mod raw;
#[path = "common/resident.rs"]
mod resident;

use bytes::Bytes;
use common::{block, io};
use raw::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, Peer, RST, SETTINGS, WINDOW_UPDATE, frame,
    request,
};
use resident::attacked;
use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;
use trilane_net::{Channel, Limits, Request};

const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

#[test]
fn rapid_reset_ends_the_connection() {
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        let mut burst = Vec::new();
        for n in 0..5000u32 {
            burst.extend(frame(HEADERS, END_HEADERS, 2 * n + 1, &request("/t.Echo/Hang")));
            burst.extend(frame(RST, 0, 2 * n + 1, &8u32.to_be_bytes()));
        }
        peer.send(&burst);
        assert_eq!(peer.end(), Some(ENHANCE_YOUR_CALM));
    });
}

#[test]
fn a_continuation_flood_ends_the_connection() {
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        peer.send(&frame(HEADERS, 0, 1, &request("/t.Echo/Unary")));
        let more = frame(CONTINUATION, 0, 1, &raw::block(&[("x-a", &[b'a'; 100])]));
        let mut sent = 0;
        while sent < 100_000 && peer.send(&more) {
            sent += 1;
        }
        assert_eq!(peer.end(), Some(ENHANCE_YOUR_CALM));
    });
}

/// One entry of 3 kB in the dynamic table, named thousands of times by one byte each.
#[test]
fn an_hpack_bomb_costs_its_limit() {
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        let mut bomb = request("/t.Echo/Unary");
        let mut entry = raw::block(&[("x-bomb", &[b'b'; 3000])]);
        entry[0] = 0x40;
        bomb.extend(entry);
        bomb.extend([0x80 | 62; 10_000]);
        peer.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb));
        // The stream is refused, or the connection ends: never is the call run.
        let refused = loop {
            match peer.read() {
                Some((RST | raw::GOAWAY, ..)) | None => break true,
                Some((HEADERS, _, 1, head)) => break head.windows(3).any(|w| w == b"431"),
                Some(_) => {}
            }
        };
        assert!(refused);
    });
}

#[test]
fn floods_of_settings_and_pings_that_nobody_reads_the_answers_of() {
    for flood in [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, &[1; 8])] {
        attacked(Limits::default(), 30_000, |server| {
            let mut peer = Peer::connect(server.local_addr());
            peer.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
            let burst = flood.repeat(1000);
            // Ends when the server reads no more because its answers are not taken, or with the flood.
            let mut sent = 0;
            while sent < 3000 && peer.send(&burst) {
                sent += 1;
            }
        });
    }
}

#[test]
fn a_flood_of_empty_frames_ends_the_connection() {
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        peer.send(&frame(HEADERS, END_HEADERS, 1, &request("/t.Echo/Stream")));
        let burst = frame(DATA, 0, 1, &[]).repeat(1000);
        let mut sent = 0;
        while sent < 1000 && peer.send(&burst) {
            sent += 1;
        }
        assert_eq!(peer.end(), Some(ENHANCE_YOUR_CALM));
    });
}

/// A peer that asks for much and reads nothing: what is queued for it stays within the send buffer.
#[test]
fn a_slow_reader_is_waited_for_not_buffered() {
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        for n in 0..50 {
            peer.send(&frame(HEADERS, END_HEADERS, 2 * n + 1, &request("/t.Echo/Many")));
            peer.send(&frame(DATA, END_STREAM, 2 * n + 1, b"\0\0\0\0\x0810000000"));
        }
        // Others are served meanwhile.
        let channel = Channel::builder(&server.local_addr().to_string()).open(&io()).unwrap();
        for _ in 0..200 {
            assert!(block(channel.unary(Request::new("/t.Echo/Unary"), Bytes::new())).status.is_ok());
        }
    });
}

#[test]
fn gathered_requests_are_bounded_per_connection() {
    let limits = Limits { max_gathered: 2 << 20, ..Limits::default() };
    attacked(limits, 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        // The window of the whole connection must be there first.
        while peer.read().unwrap().0 != WINDOW_UPDATE {}
        let mut part = vec![0, 0, 0x60, 0, 0];
        part.resize(16_000, 7);
        let mut refused = false;
        for n in 0..400u32 {
            peer.send(&frame(HEADERS, END_HEADERS, 2 * n + 1, &request("/t.Echo/Unary")));
            peer.send(&frame(DATA, 0, 2 * n + 1, &part));
        }
        peer.send(&frame(PING, 0, 0, &[1; 8]));
        // The PING's answer may come before the last of what was sent ahead of it is judged.
        while let Some((kind, flags, ..)) = peer.read() {
            if kind == HEADERS && flags & END_STREAM != 0 {
                refused = true;
                break;
            }
        }
        assert!(refused, "some calls end with RESOURCE_EXHAUSTED");
    });
}

#[test]
fn half_open_connections_are_closed() {
    let limits = Limits { handshake_timeout: Duration::from_secs(1), ..Limits::default() };
    attacked(limits, 30_000, |server| {
        for start in [&b""[..], &PREFACE[..10]] {
            let mut stream = TcpStream::connect(server.local_addr()).unwrap();
            std::io::Write::write_all(&mut stream, start).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut rest = Vec::new();
            let ended = stream.read_to_end(&mut rest);
            assert!(ended.is_ok() || ended.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn a_peer_that_stops_answering_pings_is_cut_off() {
    let limits = Limits {
        keepalive_time: Duration::from_millis(50),
        keepalive_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    // The friend answers its PINGs; the silent one is closed.
    attacked(limits, 30_000, |server| {
        let mut silent = Peer::connect(server.local_addr());
        silent.end();
    });
}

#[test]
fn garbage_after_the_preface_is_a_protocol_error() {
    attacked(Limits::default(), 30_000, |server| {
        let mut peer = Peer::connect(server.local_addr());
        peer.send(&frame(DATA, 0, 0, b"data on stream 0"));
        assert_eq!(peer.end(), Some(PROTOCOL_ERROR));
        let mut http1 = TcpStream::connect(server.local_addr()).unwrap();
        std::io::Write::write_all(&mut http1, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut rest = Vec::new();
        http1.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert!(http1.read_to_end(&mut rest).is_ok(), "closed, not reset");
    });
}

#[test]
fn connections_over_the_limit_are_refused() {
    attacked(Limits { max_connections: 3, ..Limits::default() }, 30_000, |server| {
        let _others: Vec<_> = (0..2).map(|_| Peer::connect(server.local_addr())).collect();
        let mut refused = TcpStream::connect(server.local_addr()).unwrap();
        refused.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert_eq!(refused.read(&mut [0; 100]).unwrap_or(0), 0);
        assert_eq!(server.stats().refused.load(Ordering::Relaxed), 1);
    });
}
