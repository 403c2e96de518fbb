//! Calls of every kind between our client and our server, their ends, their limits.

mod common;

use bytes::Bytes;
use common::{block, io, serve, services, started};
use futures_util::future::{FutureExt, join_all};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trilane_net::server::{Handler, Health};
use trilane_net::{Channel, Code, Io, Limits, Request, Server, Status};

#[test]
fn unary_calls_in_parallel_come_back_to_their_callers() {
    let (server, channel) = started(Limits::default());
    block(async {
        let calls = (0..500u32).map(|n| channel.unary(Request::new("/t.Echo/Unary"), n.to_string().into()));
        for (n, outcome) in join_all(calls).await.into_iter().enumerate() {
            assert_eq!(outcome.into_result().unwrap(), n.to_string());
        }
    });
    assert_eq!(server.stats().calls.load(Ordering::Relaxed), 500);
    assert_eq!(server.stats().connections.load(Ordering::Relaxed), 1);
}

#[test]
fn a_failure_brings_its_message_and_trailers() {
    let (_server, channel) = started(Limits::default());
    let outcome = block(channel.unary(Request::new("/t.Echo/Fail"), Bytes::from("no\nline ☺")));
    assert_eq!((outcome.status.code(), outcome.status.message()), (Code::NotFound, "no\nline ☺"));
    assert_eq!(outcome.trailers.get("x-why"), Some(&b"because"[..]));
}

#[test]
fn a_panic_is_a_status_and_the_connection_goes_on() {
    let (server, channel) = started(Limits::default());
    let status = block(channel.unary(Request::new("/t.Echo/Panic"), Bytes::new())).status;
    assert_eq!(status.code(), Code::Internal);
    assert!(block(channel.unary(Request::new("/t.Echo/Unary"), Bytes::new())).status.is_ok());
    assert_eq!(server.stats().connections.load(Ordering::Relaxed), 1);
}

#[test]
fn messages_over_the_limit_are_refused_on_either_side() {
    let small = Limits { max_message_size: 1000, ..Limits::default() };
    let (_server, channel) = started(small.clone());
    let outcome = block(channel.unary(Request::new("/t.Echo/Unary"), vec![0; 1001].into()));
    assert_eq!(outcome.status.code(), Code::ResourceExhausted, "{}", outcome.status);
    assert!(outcome.status.message().contains("max_message_size"), "{}", outcome.status);
    assert!(block(channel.unary(Request::new("/t.Echo/Unary"), vec![0; 1000].into())).status.is_ok());

    let io = io();
    let server = serve(services(), &io);
    let target = server.local_addr().to_string();
    let channel = Channel::builder(&target).limits(small).open(&io).unwrap();
    let status = block(channel.unary(Request::new("/t.Echo/Unary"), vec![0; 1001].into())).status;
    assert_eq!(status.code(), Code::ResourceExhausted);
    for part in ["/t.Echo/Unary", &target, "1001", "1000"] {
        assert!(status.message().contains(part), "{status}: {part} is missing");
    }
}

#[test]
fn a_zip_bomb_is_refused_and_costs_its_limit() {
    let (_server, channel) = started(Limits { max_message_size: 1 << 20, ..Limits::default() });
    let bomb = Bytes::from(vec![0; 20 << 20]);
    let status = block(channel.unary(Request::new("/t.Echo/Unary").compress(true), bomb)).status;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains("inflates"), "{status}");
}

#[test]
fn streams_echo_in_order_and_end() {
    let (_server, channel) = started(Limits::default());
    block(async {
        let call = channel.stream(Request::new("/t.Echo/Stream"));
        for n in 0..2000u32 {
            call.send(n.to_string().into()).await.unwrap();
            if n % 3 == 0 {
                assert!(call.message().await.is_some());
            }
        }
        call.half_close();
        let mut last = None;
        while let Some(message) = call.message().await {
            last = Some(message.data);
        }
        assert_eq!(last.unwrap(), "1999");
        assert!(call.end().await.0.is_ok());
    });
}

/// Trap 20: a reader that takes its time does not make the engine kill the connection for its many small frames.
#[test]
fn trap_20_many_small_messages_into_a_slow_reader() {
    let (server, channel) = started(Limits::default());
    block(async {
        let call = channel.stream(Request::new("/t.Echo/Many"));
        call.send_now(Bytes::from("120000"));
        call.half_close();
        call.headers().await.unwrap();
        // Until the windows are full: other calls go on meanwhile.
        for _ in 0..200 {
            assert!(channel.unary(Request::new("/t.Echo/Unary"), Bytes::new()).await.status.is_ok());
        }
        let mut count = 0;
        while call.message().await.is_some() {
            count += 1;
        }
        let (status, _) = call.end().await;
        assert!(status.is_ok(), "{status}");
        assert_eq!(count, 120_000);
    });
    assert_eq!(server.stats().broken.load(Ordering::Relaxed), 0);
}

#[test]
fn large_messages_pass_windows_both_ways() {
    let (_server, channel) = started(Limits { max_message_size: 32 << 20, ..Limits::default() });
    // The client's own limit is 8 MiB.
    let message = Bytes::from(vec![7; 7 << 20]);
    let reply = block(channel.unary(Request::new("/t.Echo/Unary"), message.clone())).into_result().unwrap();
    assert!(reply == message);
    block(async {
        let call = channel.stream(Request::new("/t.Echo/Stream"));
        call.send(message.clone()).await.unwrap();
        call.half_close();
        assert!(call.message().await.unwrap().data == message);
    });
}

#[test]
fn deadlines_end_calls_on_both_sides() {
    let seen = Arc::new(Mutex::new(None));
    let (io, told) = (io(), seen.clone());
    let server = serve(
        services().interceptor(move |call| {
            *told.lock().unwrap() = call.time_left();
            Ok(())
        }),
        &io,
    );
    let channel = Channel::builder(&server.local_addr().to_string()).open(&io).unwrap();
    let request = || Request::new("/t.Echo/Hang").timeout(Duration::from_millis(50));
    // The time may be over before the connection is there: then the server hears nothing, and the next call is made.
    let left = loop {
        let status = block(channel.unary(request(), Bytes::new())).status;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().contains("/t.Echo/Hang"), "{status}");
        if let Some(left) = *seen.lock().unwrap() {
            break left;
        }
    };
    assert!(left <= Duration::from_millis(50));
    let call = channel.stream(request());
    assert_eq!(block(call.end()).0.code(), Code::DeadlineExceeded);
}

/// Says when it is dropped.
struct Watched(Arc<AtomicUsize>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn cancelling_drops_the_handler_on_the_server() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (io, counted) = (io(), dropped.clone());
    let begun = Arc::new(AtomicUsize::new(0));
    let begins = begun.clone();
    let builder = Server::builder().stream("/t.Hang/Hang", move |_| {
        let watched = Watched(counted.clone());
        begins.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(watched);
            Ok(())
        })
    });
    let server = serve(builder, &io);
    let channel = Channel::builder(&server.local_addr().to_string()).open(&io).unwrap();
    let until = |what: &AtomicUsize, n| {
        while what.load(Ordering::SeqCst) < n {
            std::thread::yield_now();
        }
    };
    let call = channel.stream(Request::new("/t.Hang/Hang"));
    until(&begun, 1);
    call.cancel();
    assert_eq!(block(call.end()).0.code(), Code::Cancelled);
    until(&dropped, 1);
    // A unary call whose future is dropped.
    let mut unary = Box::pin(channel.unary(Request::new("/t.Hang/Hang"), Bytes::new()));
    assert!(unary.as_mut().now_or_never().is_none());
    until(&begun, 2);
    drop(unary);
    until(&dropped, 2);
}

/// A caller on the channel's own thread has its call in its own task.
#[test]
fn calls_from_the_channels_own_thread_end_as_others_do() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (begun, counted) = (Arc::new(AtomicUsize::new(0)), dropped.clone());
    let begins = begun.clone();
    let builder = services().stream("/t.Hang/Hang", move |_| {
        let watched = Watched(counted.clone());
        begins.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(watched);
            Ok(())
        })
    });
    let (others, (io, driven)) = (io(), Io::driven().unwrap());
    let server = serve(builder, &others);
    let channel = Channel::builder(&server.local_addr().to_string()).open(&io).unwrap();
    driven.until(async move {
        let calls = (0..500u32).map(|n| channel.unary(Request::new("/t.Echo/Unary"), n.to_string().into()));
        for (n, outcome) in join_all(calls).await.into_iter().enumerate() {
            assert_eq!(outcome.into_result().unwrap(), n.to_string());
        }
        let late = Request::new("/t.Echo/Hang").timeout(Duration::from_millis(50));
        let status = channel.unary(late, Bytes::new()).await.status;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        let until = async |what: &AtomicUsize| {
            while what.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        };
        let mut hanging = Box::pin(channel.unary(Request::new("/t.Hang/Hang"), Bytes::new()));
        assert!(hanging.as_mut().now_or_never().is_none());
        until(&begun).await;
        drop(hanging);
        until(&dropped).await;
        // The last one of a channel that nobody holds but it.
        let last = channel.unary(Request::new("/t.Echo/Unary"), Bytes::from("last"));
        drop(channel);
        assert_eq!(last.await.into_result().unwrap(), "last");
    });
}

#[test]
fn interceptors_may_end_a_call_and_change_metadata() {
    let io = io();
    let builder = services().interceptor(|call| match call.head().get("x-user") {
        Some(b"alice") => Ok(()),
        _ => Err(Status::new(Code::Unauthenticated, "who are you?")),
    });
    let server = serve(builder, &io);
    let target = server.local_addr().to_string();
    let plain = Channel::builder(&target).open(&io).unwrap();
    let status = block(plain.unary(Request::new("/t.Echo/Unary"), Bytes::new())).status;
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "who are you?"));
    let alice = Channel::builder(&target)
        .interceptor(|request| {
            request.headers_mut().set(b"x-user", b"alice");
            Ok(())
        })
        .open(&io)
        .unwrap();
    assert!(block(alice.unary(Request::new("/t.Echo/Unary"), Bytes::new())).status.is_ok());
    let call = alice.stream(Request::new("/t.Echo/Stream"));
    call.half_close();
    assert!(block(call.end()).0.is_ok());
}

#[test]
fn unknown_methods_say_what_is_missing_or_go_to_the_one_for_all() {
    let (_server, channel) = started(Limits::default());
    let status = block(channel.unary(Request::new("/t.Echo/Nothing"), Bytes::new())).status;
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("no method Nothing"), "{status}");
    // As dubbo-java names methods of a .proto.
    assert!(block(channel.unary(Request::new("/ctx/t.Echo/unary"), Bytes::new())).status.is_ok());
    let io = io();
    let server = serve(services().unknown(Handler::Unary(Box::new(|call, _| Ok(call.path().to_string().into())))), &io);
    let channel = Channel::builder(&server.local_addr().to_string()).open(&io).unwrap();
    let reply = block(channel.unary(Request::new("/x.Y/Z"), Bytes::new())).into_result().unwrap();
    assert_eq!(reply, "/x.Y/Z");
}

#[test]
fn health_is_checked_and_watched() {
    let (io, health) = (io(), Health::default());
    let server = serve(health.host(services()), &io);
    let channel = Channel::builder(&server.local_addr().to_string()).open(&io).unwrap();
    let check = |service: &[u8]| {
        let request = [&[0x0a, service.len() as u8], service].concat();
        block(channel.unary(Request::new("/grpc.health.v1.Health/Check"), request.into())).into_result()
    };
    assert_eq!(check(b"").unwrap(), &[8, 1][..]);
    assert_eq!(check(b"shop").unwrap_err().code(), Code::NotFound);
    let watch = channel.stream(Request::new("/grpc.health.v1.Health/Watch"));
    watch.send_now(Bytes::from_static(b"\x0a\x04shop"));
    let next = || block(watch.message()).unwrap().data;
    assert_eq!(next(), &[8, 3][..]);
    health.set("shop", true);
    assert_eq!(next(), &[8, 1][..]);
    health.set("shop", false);
    assert_eq!(next(), &[8, 2][..]);
    assert_eq!(check(b"shop").unwrap(), &[8, 2][..]);
}
