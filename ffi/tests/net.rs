//! The Triple client and server through the C ABI: echo without a network, calls against a real server.
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
        Net::trusting(target, ABSENT)
    }

    /// `roots`: a PEM file of trusted certificates, or [`ABSENT`] for plaintext.
    fn trusting(target: Option<&str>, roots: TrilaneStr) -> Net {
        let (mut net, mut channel) = (null_mut(), null_mut());
        // SAFETY: the out-pointers are valid, the texts live.
        unsafe {
            assert_eq!(trilane_net_new(1, Some(&mut net), None), TrilaneStatus::Ok);
            let opened = match target {
                Some(t) => trilane_channel_open(net.as_ref(), text(t.as_bytes()), roots, Some(&mut channel), None),
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
            lane: ABSENT,
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

/// A server of the application's on the same net, with a unary method 10 and a stream 11; its port.
fn serve(net: &Net) -> (*mut TrilaneServer, u16) {
    serve_as(net, ABSENT, ABSENT)
}

/// [`serve`] with the files of a certificate and its key.
fn serve_as(net: &Net, certificates: TrilaneStr, key: TrilaneStr) -> (*mut TrilaneServer, u16) {
    let (mut server, mut port) = (null_mut(), 0);
    let method = |path: &'static str, number, flags| TrilaneMethod {
        struct_size: size_of::<TrilaneMethod>(),
        path: text(path.as_bytes()),
        group: ABSENT,
        version: ABSENT,
        number,
        flags,
    };
    let listen = TrilaneListen {
        struct_size: size_of::<TrilaneListen>(),
        address: text(b"127.0.0.1:0"),
        certificates,
        key,
        client_roots: ABSENT,
    };
    // SAFETY: everything lives for the calls.
    unsafe {
        assert_eq!(trilane_server_new(net.0.as_ref(), Some(&mut server)), TrilaneStatus::Ok);
        let it = server.as_ref();
        for m in [method("/t.Echo/Unary", 10, TRILANE_METHOD_UNARY), method("/t.Echo/Stream", 11, 0)] {
            assert_eq!(trilane_server_method(it, Some(&m), None), TrilaneStatus::Ok);
        }
        assert_ne!(trilane_server_method(it, Some(&method("no/path", 12, 0)), None), TrilaneStatus::Ok);
        assert_eq!(trilane_server_listen(it, Some(&listen), Some(&mut port), None), TrilaneStatus::Ok);
        assert_ne!(trilane_server_listen(it, Some(&listen), None, None), TrilaneStatus::Ok, "once only");
    }
    (server, port)
}

fn answer(code: u32, message: &'static [u8], data: Option<&[u8]>) -> TrilaneAnswer {
    TrilaneAnswer {
        struct_size: size_of::<TrilaneAnswer>(),
        code,
        message: text(message),
        details: ABSENT,
        headers: ABSENT,
        trailers: text(b"\x03\0\0\0\x02\0\0\0x-t42"),
        data: data.map_or(ABSENT, text),
        has_data: data.is_some().into(),
    }
}

/// The next record of that kind; others are kept for later.
fn next(net: &Net, kept: &mut Vec<Record>, kind: u32) -> Record {
    loop {
        if let Some(at) = kept.iter().position(|r| r.0 == kind) {
            return kept.remove(at);
        }
        let more = net.poll();
        assert!(!more.is_empty(), "no record of kind {kind} within 20 s; there are {kept:?}");
        kept.extend(more);
    }
}

#[test]
fn a_server_answers_unary_calls_in_records() {
    let net = Net::open(None);
    let (server, port) = serve(&net);
    let client = Net::open(Some(&format!("127.0.0.1:{port}")));
    let mut kept = Vec::new();
    free(client.unary(&TrilaneRequest { timeout_ns: 60_000_000_000, ..Net::request(1, "/t.Echo/Unary") }, b"hello"));
    let (_, id, number, parts) = next(&net, &mut kept, TRILANE_RECORD_SERVED);
    assert_eq!((number, &parts[4][..]), (10, &b"hello"[..]));
    assert!(parts[0].starts_with(b"127.0.0.1:"), "the caller's address");
    let left = u64::from_le_bytes(parts[1][..8].try_into().unwrap());
    assert!(left > 0 && left <= 60_000_000_000, "{left}");
    // SAFETY: everything lives for the calls.
    let end = |a| unsafe { trilane_served_end(net.0.as_ref(), id, Some(&a)) };
    assert_eq!(end(answer(0, b"", Some(b"bye"))), TrilaneStatus::Ok);
    assert_eq!(end(answer(0, b"", None)), TrilaneStatus::Gone, "once only");
    let (_, tag, code, parts) = client.poll().remove(0);
    assert_eq!((tag, code, &parts[4][..]), (1, 0, &b"bye"[..]));
    assert!(parts[3].windows(5).any(|w| w == b"x-t42"), "the trailer");
    // A caller that cancels is told of by GONE.
    let call = client.unary(&Net::request(2, "/t.Echo/Unary"), b"");
    let id = next(&net, &mut kept, TRILANE_RECORD_SERVED).1;
    // SAFETY: it is not freed yet.
    trilane_call_cancel(unsafe { call.as_ref() });
    let (_, gone, code, _) = next(&net, &mut kept, TRILANE_RECORD_SERVED_GONE);
    assert_eq!((gone, code), (id, 1));
    free(call);
    // SAFETY: it came from the library and is freed once.
    trilane_server_free(Some(unsafe { Box::from_raw(server) }));
}

#[test]
fn a_server_streams_says_full_and_drains() {
    let net = Net::open(None);
    let (server, port) = serve(&net);
    let client = Net::open(Some(&format!("127.0.0.1:{port}")));
    let (mut call, mut kept, mut theirs) = (null_mut(), Vec::new(), Vec::new());
    let request = Net::request(1, "/t.Echo/Stream");
    // SAFETY: everything lives for the call, which is freed at the end.
    let (it, srv) = unsafe {
        trilane_call_stream(client.1.as_ref(), Some(&request), Some(&mut call), None);
        (call.as_ref(), net.0.as_ref())
    };
    let (_, id, number, _) = next(&net, &mut kept, TRILANE_RECORD_SERVED);
    assert_eq!(number, 11);
    // SAFETY: the message lives for the call.
    unsafe { trilane_call_send(it, text(b"one")) };
    trilane_call_half_close(it);
    trilane_served_receive(srv, id);
    assert_eq!(next(&net, &mut kept, TRILANE_RECORD_SERVED_MESSAGE).3[4], b"one");
    trilane_served_receive(srv, id);
    next(&net, &mut kept, TRILANE_RECORD_SERVED_LAST);
    // The client reads nothing: the stream is full at some time, and has room when it reads.
    let (big, mut sent) = (vec![7; 32 << 10], 0);
    // SAFETY: the message lives for the call.
    while unsafe { trilane_served_send(srv, id, text(&big)) } == TrilaneStatus::Ok {
        sent += 1;
        assert!(sent < 10_000, "never full");
    }
    // SAFETY: it is freed at the end only.
    let running = unsafe { server.as_ref() };
    trilane_server_drain(running);
    assert_eq!(trilane_server_connections(running), 1, "a call runs");
    for _ in 0..sent {
        trilane_call_receive(it);
        next(&client, &mut theirs, TRILANE_RECORD_MESSAGE);
    }
    next(&net, &mut kept, TRILANE_RECORD_SERVED_ROOM);
    // SAFETY: everything lives for the call.
    assert_eq!(unsafe { trilane_served_end(srv, id, Some(&answer(5, b"enough", None))) }, TrilaneStatus::Ok);
    trilane_call_receive(it);
    let (_, _, code, parts) = next(&client, &mut theirs, TRILANE_RECORD_END);
    assert_eq!((code, &parts[0][..]), (5, &b"enough"[..]));
    while trilane_server_connections(running) > 0 {
        std::thread::yield_now();
    }
    free(call);
    // SAFETY: it came from the library and is freed once.
    trilane_server_free(Some(unsafe { Box::from_raw(server) }));
}

/// One certificate for 127.0.0.1 that is its own authority; another that nobody knows is refused.
#[test]
fn calls_and_servers_speak_tls() {
    let folder = std::env::temp_dir().join(format!("trilane-ffi-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let make = |name: &str| {
        let args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=t \
                    -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let files = ["-keyout", &key, "-out", &pem];
        let made = std::process::Command::new("openssl")
            .args(args.split_whitespace())
            .args(files)
            .current_dir(&folder)
            .output();
        made.map(|m| assert!(m.status.success(), "{}", String::from_utf8_lossy(&m.stderr)))
    };
    if let Err(e) = make("own").and_then(|()| make("stranger")) {
        return println!("skipped: openssl cannot be run: {e}");
    }
    let path = |file: &str| folder.join(file).to_str().unwrap().to_string();
    let (pem, key, stranger) = (path("own.pem"), path("own.key"), path("stranger.pem"));
    let net = Net::open(None);
    let (server, port) = serve_as(&net, text(pem.as_bytes()), text(key.as_bytes()));
    let target = format!("127.0.0.1:{port}");
    let client = Net::trusting(Some(&target), text(pem.as_bytes()));
    free(client.unary(&Net::request(1, "/t.Echo/Unary"), b"secret"));
    let (_, id, _, parts) = next(&net, &mut Vec::new(), TRILANE_RECORD_SERVED);
    assert_eq!(parts[4], b"secret");
    // SAFETY: everything lives for the call.
    let ended = unsafe { trilane_served_end(net.0.as_ref(), id, Some(&answer(0, b"", Some(b"bye")))) };
    assert_eq!(ended, TrilaneStatus::Ok);
    let (_, tag, code, parts) = client.poll().remove(0);
    assert_eq!((tag, code, &parts[4][..]), (1, 0, &b"bye"[..]));
    for roots in [text(stranger.as_bytes()), ABSENT] {
        let other = Net::trusting(Some(&target), roots);
        free(other.unary(&Net::request(2, "/t.Echo/Unary"), b""));
        let (_, tag, code, parts) = other.poll().remove(0);
        assert_eq!((tag, code), (2, 14), "{parts:?}");
    }
    // SAFETY: it came from the library and is freed once.
    trilane_server_free(Some(unsafe { Box::from_raw(server) }));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// One item of `trilane_net_submit`.
fn item(kind: u32, tag: u64, channel: *mut TrilaneChannel, path: &str, message: &[u8]) -> Vec<u8> {
    let length = (48 + path.len() + message.len()).next_multiple_of(8);
    let mut item = [(length as u32).to_le_bytes(), kind.to_le_bytes()].concat();
    for long in [tag, channel as u64, 0] {
        item.extend(long.to_le_bytes());
    }
    for number in [0, path.len() as u32, 0, message.len() as u32] {
        item.extend(number.to_le_bytes());
    }
    item.extend_from_slice(path.as_bytes());
    item.extend_from_slice(message);
    item.resize(length, 0);
    item
}

/// Items of a net, driven by who polls or with threads: calls, a cancellation, a call that cannot be started.
fn items_end(net: &Net) {
    let submit = |items: &[u8]| {
        // SAFETY: the net lives, and so does the channel that the items name.
        unsafe { trilane_net_submit(net.0.as_ref(), text(items)) }
    };
    let unary = |tag, path, message: &[u8]| item(TRILANE_ITEM_UNARY, tag, net.1, path, message);
    let bad = unary(3, "no path", b"");
    let mut items = [unary(1, "/t.Echo/Unary", b"one"), unary(2, "/t.Echo/Hang", b""), bad].concat();
    items.extend(item(TRILANE_ITEM_CANCEL, 2, net.1, "", b""));
    items.extend(item(TRILANE_ITEM_CANCEL, 77, net.1, "", b""));
    let cut = unary(4, "/t.Echo/Unary", b"never");
    items.extend_from_slice(&cut[..cut.len() - 8]);
    submit(&items);
    let mut all = Vec::new();
    while all.len() < 3 {
        let more = net.poll();
        assert!(!more.is_empty(), "20 s without a record");
        all.extend(more);
    }
    all.sort_by_key(|r| r.1);
    let seen: Vec<_> = all.iter().map(|r| (r.0, r.1, r.2, &r.3[4][..])).collect();
    let end = TRILANE_RECORD_END;
    assert_eq!(seen, [(end, 1, 0, &b"one"[..]), (end, 2, 1, b""), (end, 3, 13, b"")]);

    // Who waits in the poll starts what comes meanwhile.
    std::thread::scope(|scope| {
        let polled = scope.spawn(|| net.poll());
        submit(&unary(5, "/t.Echo/Unary", b"five"));
        let records = polled.join().unwrap();
        assert_eq!((records.len(), records[0].1), (1, 5));
    });
}

// SAFETY: net and channel may be used from any thread, as the header says.
unsafe impl Sync for Net {}

#[test]
fn items_start_and_cancel_calls() {
    let io = Io::new(1).unwrap();
    let server = server(&io);
    let target = server.local_addr().to_string();
    items_end(&Net::open(Some(&target)));

    let (mut net, mut channel) = (null_mut(), null_mut());
    // SAFETY: the out-pointers are valid, the texts live.
    unsafe {
        assert_eq!(trilane_net_driven(Some(&mut net), None), TrilaneStatus::Ok);
        let opened = trilane_channel_open(net.as_ref(), text(target.as_bytes()), ABSENT, Some(&mut channel), None);
        assert_eq!(opened, TrilaneStatus::Ok);
    }
    let net = Net(net, channel);
    items_end(&net);
    let mut buffer = [0u8; 64];
    // SAFETY: the buffer has that capacity; the net lives.
    let none = unsafe { trilane_net_poll(net.0.as_ref(), buffer.as_mut_ptr(), buffer.len(), 1_000_000) };
    assert_eq!(none, 0, "nothing is left, and a poll of a driven net gives up in time");
    // An item frees a second channel; the running call of the first one is not touched.
    // SAFETY: as above; the channel is in no later item.
    unsafe {
        let mut second = null_mut();
        let opened = trilane_channel_open(net.0.as_ref(), text(target.as_bytes()), ABSENT, Some(&mut second), None);
        assert_eq!(opened, TrilaneStatus::Ok);
        let last = item(TRILANE_ITEM_UNARY, 6, second, "/t.Echo/Unary", b"six");
        trilane_net_submit(net.0.as_ref(), text(&[last, item(TRILANE_ITEM_FREE, 0, second, "", b"")].concat()));
    }
    let records = net.poll();
    assert_eq!((records[0].1, records[0].2), (6, 0), "a running call ends by itself");
}
