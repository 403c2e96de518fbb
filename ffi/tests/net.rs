//! The Triple client through the C ABI: echo without a network, calls against a real server.
#![cfg(feature = "net")]

use std::ptr::null_mut;
use trilane::*;
use trilane_net::{Io, Server, Status};

fn text(s: &[u8]) -> TrilaneStr {
    TrilaneStr { ptr: s.as_ptr(), len: s.len() }
}

const ABSENT: TrilaneStr = TrilaneStr { ptr: std::ptr::null(), len: 0 };

/// kind, tag, code, and the five parts of a record.
type Record = (u32, u64, u32, Vec<Vec<u8>>);

fn records(bytes: &[u8]) -> Vec<Record> {
    let mut rest = bytes;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let n: Vec<u32> = rest[..40].chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect();
        let mut at = 40;
        let parts = n[5..10].iter().map(|l| {
            at += *l as usize;
            rest[at - *l as usize..at].to_vec()
        });
        all.push((n[1], u64::from(n[2]) | u64::from(n[3]) << 32, n[4], parts.collect()));
        rest = &rest[n[0] as usize..];
    }
    all
}

struct Net(*mut TrilaneNet, *mut TrilaneChannel);

impl Net {
    fn open(target: Option<&str>) -> Net {
        let (mut net, mut channel) = (null_mut(), null_mut());
        // SAFETY: the out-pointers are valid, the texts live.
        unsafe {
            assert_eq!(trilane_net_new(1, Some(&mut net), None), TrilaneStatus::Ok);
            let opened = match target {
                Some(t) => trilane_channel_open(net.as_ref(), text(t.as_bytes()), ABSENT, Some(&mut channel), None),
                None => trilane_channel_echo(net.as_ref(), Some(&mut channel)),
            };
            assert_eq!(opened, TrilaneStatus::Ok);
        }
        Net(net, channel)
    }

    fn poll(&self) -> Vec<Record> {
        let mut buffer = vec![0u8; 64 << 10];
        // SAFETY: the buffer has that capacity; the net lives until this is dropped.
        let n = unsafe { trilane_net_poll(self.0.as_ref(), buffer.as_mut_ptr(), buffer.len(), 20_000_000_000) };
        records(&buffer[..n])
    }

    fn request(tag: u64, path: &str) -> TrilaneRequest {
        TrilaneRequest {
            struct_size: size_of::<TrilaneRequest>(),
            tag,
            path: text(path.as_bytes()),
            metadata: ABSENT,
            timeout_ns: 0,
            flags: 0,
        }
    }

    fn unary(&self, request: &TrilaneRequest, message: &[u8]) -> *mut TrilaneCall {
        let mut call = null_mut();
        // SAFETY: everything lives for the call.
        let started =
            unsafe { trilane_call_unary(self.1.as_ref(), Some(request), text(message), Some(&mut call), None) };
        assert_eq!(started, TrilaneStatus::Ok);
        call
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // SAFETY: both came from the library and are freed once.
        unsafe {
            trilane_channel_free(Some(Box::from_raw(self.1)));
            trilane_net_free(Some(Box::from_raw(self.0)));
        }
    }
}

fn free(call: *mut TrilaneCall) {
    // SAFETY: it came from the library and is freed once.
    trilane_call_free(Some(unsafe { Box::from_raw(call) }));
}

fn server(io: &std::sync::Arc<Io>) -> Server {
    let builder = Server::builder()
        .unary("/t.Echo/Unary", |call, message| {
            let value = call.head().get("x-a").map(<[u8]>::to_vec).unwrap_or_default();
            call.add_trailer("x-back", &value)?;
            Ok(message)
        })
        .unary("/t.Echo/Fail", |_, _| Err(Status::new(trilane_net::Code::NotFound, "gone")))
        .stream("/t.Echo/Hang", |_| Box::pin(std::future::pending()))
        .stream("/t.Echo/Stream", |stream| {
            Box::pin(async move {
                while let Some(message) = stream.message().await? {
                    stream.send(message.data).await?;
                }
                Ok(())
            })
        });
    builder.listen("127.0.0.1:0".parse().unwrap(), io).unwrap()
}

#[test]
fn echo_answers_in_batches_without_a_network() {
    let net = Net::open(None);
    for tag in 0..100 {
        free(net.unary(&Net::request(tag, "/x/y"), b"hello"));
    }
    let all = net.poll();
    assert_eq!(all.len(), 100);
    assert!(all.iter().enumerate().all(|(n, r)| r.1 == n as u64 && r.0 == TRILANE_RECORD_END && r.3[4] == b"hello"));
}

#[test]
fn unary_calls_bring_reply_status_and_trailers() {
    let io = Io::new(1).unwrap();
    let server = server(&io);
    let net = Net::open(Some(&server.local_addr().to_string()));
    let metadata = [&3u32.to_le_bytes()[..], &2u32.to_le_bytes(), b"x-a42"].concat();
    let request = TrilaneRequest { metadata: text(&metadata), ..Net::request(7, "/t.Echo/Unary") };
    free(net.unary(&request, b"hello"));
    let (kind, tag, code, parts) = net.poll().remove(0);
    assert_eq!((kind, tag, code), (TRILANE_RECORD_END, 7, 0));
    assert_eq!(parts[4], b"hello");
    assert!(parts[3].windows(8).any(|w| w == b"x-back42"), "{parts:?}");
    free(net.unary(&Net::request(8, "/t.Echo/Fail"), b""));
    let (_, tag, code, parts) = net.poll().remove(0);
    assert_eq!((tag, code, &parts[0][..]), (8, 5, &b"gone"[..]));
    let hanging = net.unary(&Net::request(9, "/t.Echo/Hang"), b"");
    // SAFETY: it is not freed yet.
    trilane_call_cancel(unsafe { hanging.as_ref() });
    assert_eq!(net.poll().remove(0).2, 1, "CANCELLED");
    free(hanging);
}

#[test]
fn streams_are_received_when_asked_and_full_ones_say_when_there_is_room() {
    let io = Io::new(1).unwrap();
    let server = server(&io);
    let net = Net::open(Some(&server.local_addr().to_string()));
    let mut call = null_mut();
    // SAFETY: everything lives for the call.
    let started =
        unsafe { trilane_call_stream(net.1.as_ref(), Some(&Net::request(1, "/t.Echo/Stream")), Some(&mut call), None) };
    assert_eq!(started, TrilaneStatus::Ok);
    // SAFETY: it is freed at the end.
    let it = unsafe { call.as_ref() };
    let big = vec![1u8; 8 << 10];
    let mut sent = 0;
    // SAFETY: the message lives for the call.
    while unsafe { trilane_call_send(it, text(&big)) } == TrilaneStatus::Ok {
        sent += 1;
        assert!(sent < 10_000, "never full");
    }
    // Nobody has asked for a message: none came. Each that is taken makes room in the end.
    let (mut got, mut room) = (0, false);
    while !room {
        trilane_call_receive(it);
        for (kind, ..) in net.poll() {
            got += usize::from(kind == TRILANE_RECORD_MESSAGE);
            room |= kind == TRILANE_RECORD_ROOM;
        }
    }
    trilane_call_half_close(it);
    trilane_call_headers(it);
    let mut headers = 0;
    loop {
        trilane_call_receive(it);
        let batch = net.poll();
        headers += batch.iter().filter(|r| r.0 == TRILANE_RECORD_HEADERS).count();
        got += batch.iter().filter(|r| r.0 == TRILANE_RECORD_MESSAGE).count();
        if let Some(end) = batch.iter().find(|r| r.0 == TRILANE_RECORD_END) {
            assert_eq!(end.2, 0, "{:?}", end.3);
            break;
        }
    }
    assert_eq!((got, headers), (sent, 1));
    free(call);
}

#[test]
fn bad_requests_are_refused_with_words() {
    let net = Net::open(None);
    let (mut call, mut error) = (null_mut(), null_mut());
    let request = TrilaneRequest { metadata: text(b"\xff\0\0\0\0\0\0\0x"), ..Net::request(1, "/x/y") };
    // SAFETY: everything lives for the call.
    let status =
        unsafe { trilane_call_unary(net.1.as_ref(), Some(&request), ABSENT, Some(&mut call), Some(&mut error)) };
    assert_eq!(status, TrilaneStatus::Internal);
    let mut words = vec![0u8; 200];
    // SAFETY: the error came from the library, the buffer has that room.
    let n = unsafe { trilane_error_message(error.as_ref(), words.as_mut_ptr(), words.len()) };
    assert!(String::from_utf8_lossy(&words[..n]).contains("metadata is cut"));
    // SAFETY: it is freed once.
    trilane_error_free(Some(unsafe { Box::from_raw(error) }));
    let short = TrilaneRequest { struct_size: 8, ..Net::request(1, "/x/y") };
    // SAFETY: as above.
    let status = unsafe { trilane_call_unary(net.1.as_ref(), Some(&short), ABSENT, Some(&mut call), None) };
    assert_eq!(status, TrilaneStatus::BadStruct);
}
