//! HTTP/2 by hand, for peers that do what no library does.
#![allow(dead_code, reason = "each test uses a part")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

pub const GRPC: (&str, &[u8]) = ("content-type", b"application/grpc");
pub const OK: (&str, &[u8]) = (":status", b"200");

/// A header block of literals that are not indexed.
pub fn block(headers: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in headers {
        out.push(0);
        for text in [name.as_bytes(), value] {
            let mut n = text.len();
            if n < 127 {
                out.push(n as u8);
            } else {
                out.push(127);
                n -= 127;
                while n >= 128 {
                    out.push(n as u8 | 128);
                    n >>= 7;
                }
                out.push(n as u8);
            }
            out.extend(text);
        }
    }
    out
}

pub fn request(path: &str) -> Vec<u8> {
    block(&[
        (":method", b"POST"),
        (":scheme", b"http"),
        (":authority", b"t"),
        (":path", path.as_bytes()),
        ("te", b"trailers"),
        ("content-type", b"application/grpc"),
    ])
}

/// A connection that has shaken hands.
pub struct Peer {
    pub stream: TcpStream,
}

impl Peer {
    pub fn connect(address: SocketAddr) -> Peer {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut peer = Peer { stream };
        peer.send(PREFACE);
        peer.send(&frame(SETTINGS, 0, 0, &[]));
        peer
    }

    /// Whether the other side still takes bytes.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next frame; `None` when the other side has closed.
    pub fn read(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        match self.stream.read_exact(&mut head) {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("nothing for 20 s"),
            Err(_) => return None,
            Ok(()) => {}
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.stream.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], head[4], stream, payload))
    }

    /// Reads to the end; the code of the last GOAWAY, if there was one.
    pub fn end(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some((kind, _, _, payload)) = self.read() {
            if kind == GOAWAY {
                code = Some(u32::from_be_bytes([payload[4], payload[5], payload[6], payload[7]]));
            }
        }
        code
    }
}

/// A server by hand: answers the n-th request of every connection with the frames that `answer` makes for its stream.
pub fn server(answer: impl Fn(u32) -> Vec<u8> + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, mut stream) = (answer.clone(), stream.unwrap());
            std::thread::spawn(move || {
                stream.read_exact(&mut [0; PREFACE.len()]).ok()?;
                let mut peer = Peer { stream };
                peer.send(&frame(SETTINGS, 0, 0, &[]));
                while let Some((kind, flags, stream, _)) = peer.read() {
                    if kind == SETTINGS && flags == 0 {
                        peer.send(&frame(SETTINGS, 1, 0, &[]));
                    }
                    if kind == DATA && flags & END_STREAM != 0 {
                        peer.send(&answer(stream));
                    }
                }
                Some(())
            });
        }
    });
    address
}

pub fn headers(stream: u32, last: bool, fields: &[(&str, &[u8])]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | if last { END_STREAM } else { 0 }, stream, &block(fields))
}
