//! Peers that are killed, go away or are cut off in the middle of calls: no reply is lost, none is invented, and no
//! call runs twice unless it was declared idempotent.

mod common;
#[path = "common/raw.rs"]
mod raw;

use bytes::Bytes;
use common::{block, io, serve};
use futures_util::future::join_all;
use raw::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, Peer, SETTINGS, frame};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use trilane_net::client::Outcome;
use trilane_net::{Channel, Code, Io, Limits, Request, Server};

/// Where a test of this program says to itself, in another process, what it is to be.
const ROLE: &str = "TRILANE_FAULTS_ROLE";

/// Says where it listens, and every call's message once it runs; until it is killed.
fn server_for_ever(address: &str) {
    // One write a line: what a call says before the kill is in the pipe.
    let say = |line: String| std::io::stdout().write_all(line.as_bytes()).unwrap();
    let server = Server::builder().unary("/t.Echo/Unary", move |_, message| {
        say(format!("\nran {}\n", String::from_utf8_lossy(&message)));
        Ok(message)
    });
    let server = server.listen(address.parse().unwrap(), &io()).unwrap();
    say(format!("\nlistening on {}\n", server.local_addr()));
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}

/// A server in a process of its own, and what it has said.
struct Other {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    address: String,
}

impl Other {
    /// `wrap`: what the process is started through; the test `name` is what runs in it.
    fn start(wrap: &[&str], name: &str, address: &str) -> Other {
        let own = std::env::current_exe().unwrap();
        let words = [wrap, &[own.to_str().unwrap(), "--exact", name, "--nocapture"]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env(ROLE, address).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Other { child, out, address: String::new() }.listening()
    }

    fn listening(mut self) -> Other {
        let mut line = String::new();
        while self.out.read_line(&mut line).unwrap() > 0 {
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                self.address = address.into();
                return self;
            }
            line.clear();
        }
        panic!("the other process ended");
    }

    /// The next call that ran.
    fn ran(&mut self) -> String {
        let mut line = String::new();
        while self.out.read_line(&mut line).unwrap() > 0 {
            if let Some(id) = line.trim().strip_prefix("ran ") {
                return id.into();
            }
            line.clear();
        }
        panic!("the other process ended");
    }

    /// Ends it without a word to anybody; how often each call ran.
    fn kill(mut self) -> HashMap<String, u32> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let mut times = HashMap::new();
        rest.lines().filter_map(|l| l.strip_prefix("ran ")).for_each(|id| *times.entry(id.into()).or_default() += 1);
        times
    }
}

fn call(channel: &Channel, id: &str, change: fn(Request) -> Request) -> impl Future<Output = Outcome> + use<> {
    let request = Request::new("/t.Echo/Unary").timeout(Duration::from_secs(30));
    channel.unary(change(request), Bytes::from(id.to_string()))
}

/// `count` callers, each with one call after the other until one fails; what each was answered to, with the failure.
/// Until the fault is `done` a failure is the machine's, whose stall looks like a dead peer: the next call is made.
async fn callers(channel: &Channel, count: usize, done: &AtomicBool) -> Vec<(Vec<String>, String, Outcome)> {
    let caller = async |n: usize| {
        let mut answered = Vec::new();
        for round in 0.. {
            let id = format!("{n}-{round}");
            let outcome = call(channel, &id, |r| r).await;
            if !outcome.status.is_ok() {
                if !done.load(Ordering::SeqCst) {
                    continue;
                }
                return (answered, id, outcome);
            }
            assert_eq!(outcome.message, id, "an answer to another call");
            answered.push(id);
        }
        unreachable!()
    };
    join_all((0..count).map(caller)).await
}

/// Every answer belongs to a call that ran, every call ran at most once.
fn judge(callers: &[(Vec<String>, String, Outcome)], times: &HashMap<String, u32>, seen: &[String]) {
    for (answered, failed, outcome) in callers {
        for id in answered {
            let ran = times.get(id).copied().unwrap_or(0) + seen.iter().filter(|s| *s == id).count() as u32;
            assert_eq!(ran, 1, "{id} was answered and ran {ran} times");
        }
        assert_eq!(outcome.status.code(), Code::Unavailable, "{failed}: {}", outcome.status);
        assert!(times.get(failed).copied().unwrap_or(0) <= 1, "{failed} was not answered and ran twice");
    }
}

#[test]
fn a_peer_that_is_killed_costs_its_calls_and_no_more() {
    if let Ok(address) = std::env::var(ROLE) {
        return server_for_ever(&address);
    }
    let name = "a_peer_that_is_killed_costs_its_calls_and_no_more";
    let mut other = Other::start(&[], name, "127.0.0.1:0");
    let channel = Channel::builder(&other.address).open(&io()).unwrap();
    let address = other.address.clone();
    let calling = {
        let channel = channel.clone();
        thread::spawn(move || block(callers(&channel, 20, &AtomicBool::new(true))))
    };
    let seen: Vec<_> = (0..2000).map(|_| other.ran()).collect();
    let times = other.kill();
    let ended = calling.join().unwrap();
    judge(&ended, &times, &seen);
    assert!(ended.iter().map(|(answered, ..)| answered.len()).sum::<usize>() > 1000);
    // Who waits for ready, or may run twice, is served by the one that comes after it.
    let patient = call(&channel, "patient", |r| r.wait_for_ready(true));
    let again = Other::start(&[], name, &address);
    assert_eq!(block(patient).into_result().unwrap(), "patient");
    assert_eq!(again.kill().get("patient"), Some(&1));
}

/// Counts how often each call ran.
fn counting(limits: Limits) -> (Server, Arc<Mutex<HashMap<Bytes, u32>>>) {
    let times = Arc::new(Mutex::new(HashMap::new()));
    let counted = times.clone();
    let server = Server::builder().limits(limits).unary("/t.Echo/Unary", move |_, message| {
        *counted.lock().unwrap().entry(message.clone()).or_default() += 1;
        Ok(message)
    });
    (serve(server, &io()), times)
}

/// Connections are drained all the time under twenty callers: every call is answered, and ran once.
#[test]
fn going_away_in_the_middle_loses_and_doubles_nothing() {
    let (server, times) = counting(Limits { max_connection_age: Duration::from_millis(5), ..Limits::default() });
    let channel = Channel::builder(&server.local_addr().to_string()).open(&io()).unwrap();
    let caller = async |n: usize| {
        for round in 0..200 {
            let id = format!("{n}-{round}");
            let outcome = call(&channel, &id, |r| r.wait_for_ready(true)).await;
            assert_eq!(outcome.into_result().unwrap(), id);
        }
    };
    block(join_all((0..20).map(caller)));
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 4000);
    assert!(times.values().all(|n| *n == 1), "a call ran twice");
}

/// The next connection, with the handshake done.
fn shake(listener: &TcpListener) -> Peer {
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; PREFACE.len()]).unwrap();
    let mut peer = Peer { stream };
    peer.send(&frame(SETTINGS, 0, 0, &[]));
    peer
}

/// Headers and a message.
fn begin(peer: &mut Peer, stream: u32, data: &[u8]) {
    let head = raw::block(&[(":status", b"200"), ("content-type", b"application/grpc")]);
    peer.send(&frame(HEADERS, END_HEADERS, stream, &head));
    peer.send(&frame(DATA, 0, stream, data));
}

/// By hand: a stream with two messages was opened while the peer's GOAWAY was on its way. It leaves again, with both
/// messages and the third; once the peer was heard of, it does not.
#[test]
fn a_stream_that_a_goaway_leaves_out_is_sent_again_with_its_messages() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = Channel::builder(&listener.local_addr().unwrap().to_string()).open(&io()).unwrap();
    let messages = |peer: &mut Peer, count: usize| {
        let mut came = Vec::new();
        while came.len() < count * 6 {
            let (kind, _, _, data) = peer.read().expect("messages");
            came.extend(if kind == DATA { data } else { Vec::new() });
        }
        came
    };
    let serving = thread::spawn(move || {
        let mut old = shake(&listener);
        let first = messages(&mut old, 2);
        old.send(&frame(GOAWAY, 0, 0, &[0; 8]));
        let mut new = shake(&listener);
        let again = messages(&mut new, 2);
        begin(&mut new, 1, b"\0\0\0\0\x01x");
        let more = messages(&mut new, 1);
        // Refused, though it was answered: that is not for a second run.
        new.send(&frame(raw::RST, 0, 1, &7u32.to_be_bytes()));
        let mut opened = 0;
        while let Some((kind, ..)) = new.read() {
            opened += usize::from(kind == HEADERS);
        }
        drop(old);
        (first, again, more, opened)
    });
    let call = channel.stream(Request::new("/t.Echo/Stream").timeout(Duration::from_secs(30)));
    call.send_now(Bytes::from("a"));
    call.send_now(Bytes::from("b"));
    assert_eq!(block(call.message()).expect("the second connection answers").data, "x");
    call.send_now(Bytes::from("c"));
    let (status, _) = block(call.end());
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    drop((call, channel));
    let (first, again, more, opened) = serving.join().unwrap();
    assert_eq!(again, b"\0\0\0\0\x01a\0\0\0\0\x01b");
    assert_eq!((first, more), (again, b"\0\0\0\0\x01c".to_vec()));
    assert_eq!(opened, 0, "the call ran twice");
}

/// By hand: three calls are open when the peer says that it has looked at the first only. That one is answered on the
/// old connection, the others leave again, once, on a new one.
#[test]
fn what_a_goaway_leaves_out_is_sent_again_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = Channel::builder(&listener.local_addr().unwrap().to_string()).open(&io()).unwrap();
    let shake = move || shake(&listener);
    // The stream and the message of the next request.
    let request = |peer: &mut Peer| loop {
        match peer.read().expect("a request") {
            (DATA, flags, stream, data) if flags & END_STREAM != 0 => break (stream, data),
            _ => {}
        }
    };
    let answer = |peer: &mut Peer, stream: u32, data: &[u8]| {
        begin(peer, stream, data);
        peer.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &raw::block(&[("grpc-status", b"0")])));
    };
    let serving = thread::spawn(move || {
        let mut old = shake();
        let mut opened: Vec<_> = (0..3).map(|_| request(&mut old)).collect();
        opened.sort_by_key(|(stream, _)| *stream);
        old.send(&frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]));
        let mut new = shake();
        let again: Vec<_> = (0..2).map(|_| request(&mut new)).collect();
        answer(&mut old, opened[0].0, &opened[0].1);
        again.iter().for_each(|(stream, data)| answer(&mut new, *stream, data));
        // Which of the three was the first on the wire is not said.
        let sent = again.into_iter().map(|(_, data)| data).collect::<HashSet<_>>();
        (sent, opened.into_iter().skip(1).map(|(_, data)| data).collect::<HashSet<_>>(), old, new)
    });
    let outcomes = block(join_all(["a", "b", "c"].map(|id| call(&channel, id, |r| r))));
    for (outcome, id) in outcomes.into_iter().zip(["a", "b", "c"]) {
        assert_eq!(outcome.into_result().unwrap(), id);
    }
    let (sent, left_out, ..) = serving.join().unwrap();
    assert_eq!(sent, left_out, "once each");
}

fn run(words: &[&str]) {
    let done = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// In a namespace of this test's own: a server in another namespace behind a virtual cable, which is pulled and put back.
#[test]
fn a_cut_network_ends_calls_in_time_and_none_runs_twice() {
    let name = "a_cut_network_ends_calls_in_time_and_none_runs_twice";
    match std::env::var(ROLE).as_deref() {
        Ok("cut") => return cut(name),
        Ok(address) => return server_for_ever(address),
        Err(_) => {}
    }
    let tried = Command::new("unshare").args(["-rn", "ip", "link", "add", "type", "veth"]).output();
    if !tried.as_ref().is_ok_and(|t| t.status.success()) {
        println!("skipped: no network namespace with veth here: {tried:?}");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let inner = ["-rn", own.to_str().unwrap(), "--exact", name, "--nocapture"];
    let done = Command::new("unshare").args(inner).env(ROLE, "cut").output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("cut and mended"), "{said}");
}

fn cut(name: &str) {
    // The server binds to every address before the cable is there.
    let mut other = Other::start(&["unshare", "-n"], name, "0.0.0.0:0");
    let pid = other.child.id().to_string();
    let there = |words: &[&str]| run(&[&["nsenter", "-t", pid.as_str(), "-n", "ip"], words].concat());
    run(&["ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", &pid]);
    run(&["ip", "address", "add", "192.0.2.1/24", "dev", "near"]);
    there(&["address", "add", "192.0.2.2/24", "dev", "far"]);
    there(&["link", "set", "far", "up"]);
    run(&["ip", "link", "set", "near", "up"]);
    let target = other.address.replace("0.0.0.0", "192.0.2.2");
    let second = Duration::from_secs(1);
    let limits = Limits { keepalive_time: second, keepalive_timeout: 3 * second, ..Limits::default() };
    let channel = Channel::builder(&target).limits(limits).open(&Io::new(1).unwrap()).unwrap();
    let pulled = Arc::new(AtomicBool::new(false));
    let calling = {
        let (channel, pulled) = (channel.clone(), pulled.clone());
        thread::spawn(move || block(callers(&channel, 10, &pulled)))
    };
    let seen: Vec<_> = (0..500).map(|_| other.ran()).collect();
    pulled.store(true, Ordering::SeqCst);
    run(&["ip", "link", "set", "near", "down"]);
    // Long before their own thirty seconds: a PING was not answered.
    let ended = calling.join().unwrap();
    let patient = call(&channel, "patient", |r| r.wait_for_ready(true));
    run(&["ip", "link", "set", "near", "up"]);
    assert_eq!(block(patient).into_result().unwrap(), "patient");
    let times = other.kill();
    judge(&ended, &times, &seen);
    assert_eq!(times.get("patient"), Some(&1));
    println!("cut and mended");
}
