//! Connections come and go; calls do not notice, or say clearly what happened.

mod common;

use bytes::Bytes;
use common::{block, io, serve, services, started};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpSocket;
use trilane_net::client::Retry;
use trilane_net::{Channel, Code, Limits, Request, Server, Status};

fn unary() -> Request {
    Request::new("/t.Echo/Unary")
}

#[test]
fn goaway_costs_no_call() {
    let limits = Limits { max_connection_age: Duration::from_millis(20), ..Limits::default() };
    let (server, channel) = started(limits);
    block(async {
        for round in 0..300u32 {
            let calls: Vec<_> = (0..10).map(|_| channel.unary(unary(), Bytes::from("x"))).collect();
            for call in calls {
                let status = call.await.status;
                assert!(status.is_ok(), "round {round}: {status}");
            }
        }
    });
    drop(server);
}

#[test]
fn draining_waits_for_calls_and_refuses_new_connections() {
    let (server, channel) = started(Limits::default());
    let target = server.local_addr().to_string();
    let call = channel.stream(Request::new("/t.Echo/Stream"));
    call.send_now(Bytes::from("one"));
    assert!(block(call.message()).is_some());
    let drained = std::thread::spawn(move || server.drain(Duration::from_secs(30)));
    // The stream goes on while the server drains.
    for _ in 0..50 {
        call.send_now(Bytes::from("more"));
        assert!(block(call.message()).is_some());
    }
    call.half_close();
    assert!(block(call.end()).0.is_ok());
    drop(channel);
    assert!(drained.join().unwrap(), "every call ended by itself");
    let status = block(Channel::builder(&target).open(&io()).unwrap().unary(unary(), Bytes::new())).status;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains(&target) && status.message().contains("connect"), "{status}");
}

/// A port where nobody listens, and that nobody else is given while this lives; one of ours may listen there.
fn nobody() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

#[test]
fn who_waits_for_ready_is_served_by_a_server_that_starts_later() {
    let held = nobody();
    let target = held.local_addr().unwrap().to_string();
    let io = io();
    let channel = Channel::builder(&target).open(&io).unwrap();
    let patient = channel.unary(unary().wait_for_ready(true), Bytes::from("late"));
    let status = block(channel.unary(unary(), Bytes::new())).status;
    assert_eq!(status.code(), Code::Unavailable, "who does not wait fails: {status}");
    let _server = services().listen(target.parse().unwrap(), &io).unwrap();
    assert_eq!(block(patient).into_result().unwrap(), "late");
}

fn failing(times: usize) -> (Server, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    let builder = Server::builder().unary("/t.Echo/Unary", move |_, message| {
        let busy = seen.fetch_add(1, Ordering::SeqCst) < times;
        if busy { Err(Status::new(Code::Unavailable, "busy")) } else { Ok(message) }
    });
    (serve(builder, &io()), count)
}

#[test]
fn only_what_is_declared_idempotent_is_sent_again() {
    let (server, count) = failing(2);
    let retry = Retry { initial_backoff: Duration::from_millis(1), ..Retry::default() };
    let channel = Channel::builder(&server.local_addr().to_string()).retry(retry).open(&io()).unwrap();
    assert_eq!(block(channel.unary(unary(), Bytes::new())).status.code(), Code::Unavailable);
    assert_eq!(count.load(Ordering::SeqCst), 1, "sent once");
    assert!(block(channel.unary(unary().idempotent(true), Bytes::new())).status.is_ok());
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn the_budget_ends_retries_of_a_channel() {
    let (server, count) = failing(usize::MAX);
    let retry = Retry { initial_backoff: Duration::ZERO, budget: 10, ..Retry::default() };
    let channel = Channel::builder(&server.local_addr().to_string()).retry(retry).open(&io()).unwrap();
    for _ in 0..50 {
        assert_eq!(block(channel.unary(unary().idempotent(true), Bytes::new())).status.code(), Code::Unavailable);
    }
    // Without a budget: 150.
    assert!(count.load(Ordering::SeqCst) < 60, "{}", count.load(Ordering::SeqCst));
}

fn named(name: &'static str) -> Server {
    serve(Server::builder().unary("/t.Echo/Name", move |_, _| Ok(Bytes::from(name))), &io())
}

#[test]
fn a_picker_chooses_and_targets_change() {
    let (a, b) = (named("a"), named("b"));
    let targets = [a.local_addr().to_string(), b.local_addr().to_string()];
    let io = io();
    let picked = Channel::to_all(targets.clone())
        .picker(Arc::new(|input| match input.headers.get(b"x-lane") {
            Some(b"gray") => Ok(1),
            Some(b"none") => Err(Status::new(Code::Unavailable, "no instance in this lane")),
            _ => Ok(0),
        }))
        .open(&io)
        .unwrap();
    let ask = |channel: &Channel, lane: &str| {
        let request = Request::new("/t.Echo/Name").header("x-lane", lane.as_bytes()).unwrap();
        block(channel.unary(request, Bytes::new())).into_result()
    };
    for _ in 0..3 {
        assert_eq!(ask(&picked, "gray").unwrap(), "b");
        assert_eq!(ask(&picked, "base").unwrap(), "a");
    }
    assert!(ask(&picked, "none").unwrap_err().message().contains("no instance in this lane"));
    let turns = Channel::to_all(targets.clone()).open(&io).unwrap();
    let all: Vec<_> = (0..10).map(|_| ask(&turns, "").unwrap()).collect();
    assert!(all.iter().any(|n| n == "a") && all.iter().any(|n| n == "b"), "{all:?}");
    turns.set_targets(vec![targets[1].clone()]);
    assert!((0..5).all(|_| ask(&turns, "").unwrap() == "b"));
}

#[test]
fn a_dead_target_among_living_ones_fails_nobody_twice() {
    let living = named("a");
    let held = nobody();
    let dead = held.local_addr().unwrap().to_string();
    let io = io();
    let channel = Channel::to_all([dead, living.local_addr().to_string()]).open(&io).unwrap();
    let calls = (0..20).map(|_| block(channel.unary(Request::new("/t.Echo/Name"), Bytes::new())).status);
    let failed: Vec<_> = calls.filter(|s| !s.is_ok()).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn more_connections_are_made_when_the_peer_allows_no_more_streams() {
    let (server, channel) = started(Limits { max_concurrent_streams: 2, ..Limits::default() });
    block(async {
        // The first call brings the peer's settings.
        assert!(channel.unary(unary(), Bytes::new()).await.status.is_ok());
        let calls: Vec<_> = (0..6).map(|_| channel.stream(Request::new("/t.Echo/Stream"))).collect();
        for call in &calls {
            call.send_now(Bytes::from("x"));
            assert!(call.message().await.is_some());
        }
        assert!(server.stats().connections.load(Ordering::Relaxed) >= 3);
    });
}
