//! One connection: a future that owns every stream of it.

use super::router::Handler;
use super::unary::Unary;
use super::{Hosted, Peer, Stop, stream};
use crate::http2::{self, Opened, Piece};
use crate::keepalive::Keepalive;
use crate::socket::Socket;
use crate::tls::is_h2;
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::Reason;
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Sleep;
use trilane_wire::content_type::{Kind, kind};
use trilane_wire::{Code, Status};

/// How long a drained connection waits for the peer to close it.
const LINGER: Duration = Duration::from_secs(1);

/// What the calls of one connection share.
pub(crate) struct Shared {
    pub hosted: Arc<Hosted>,
    pub peer: Peer,
    gathered: AtomicUsize,
}

impl Shared {
    /// Replaces what one call holds; says what all hold now.
    pub fn gathered(&self, before: usize, now: usize) -> usize {
        if now >= before {
            self.gathered.fetch_add(now - before, Ordering::Relaxed) + (now - before)
        } else {
            self.gathered.fetch_sub(before - now, Ordering::Relaxed) - (before - now)
        }
    }

    /// Whether all that calls hold is within the limit.
    pub fn within(&self, all: usize) -> Result<(), Status> {
        let limit = self.hosted.limits.max_gathered;
        if all <= limit {
            return Ok(());
        }
        let why = format!("unfinished messages of this connection hold {all} bytes, more than {limit} (max_gathered)");
        Err(Status::new(Code::ResourceExhausted, why))
    }
}

/// Accepts until the server stops, and gives each connection to the next thread.
pub(crate) async fn accept(
    listener: TcpListener,
    hosted: Arc<Hosted>,
    threads: Vec<Handle>,
    mut stop: watch::Receiver<Stop>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    for thread in threads.iter().cycle() {
        let Some(accepted) = next(&listener, &mut stop).await else { return };
        let Ok((socket, address)) = accepted else {
            // Out of descriptors, mostly: give others time to close some.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let connections = &hosted.stats.connections;
        if connections.fetch_add(1, Ordering::AcqRel) >= hosted.limits.max_connections {
            connections.fetch_sub(1, Ordering::AcqRel);
            hosted.stats.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let open = Open(hosted.clone());
        let stop = stop.clone();
        match socket.into_std() {
            Ok(socket) => drop(thread.spawn(start(socket, address, open, stop))),
            Err(_) => drop(open),
        }
    }
}

/// The next connection; `None` when the server stops.
async fn next(
    listener: &tokio::net::TcpListener,
    stop: &mut watch::Receiver<Stop>,
) -> Option<std::io::Result<(TcpStream, SocketAddr)>> {
    let stopped = pin!(stop.wait_for(|s| *s != Stop::Run));
    match select(pin!(listener.accept()), stopped).await {
        Either::Left((accepted, _)) => Some(accepted),
        Either::Right(_) => None,
    }
}

/// Counts one connection while it lives.
struct Open(Arc<Hosted>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.stats.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn start(socket: std::net::TcpStream, address: SocketAddr, open: Open, stop: watch::Receiver<Stop>) {
    let Ok(socket) = TcpStream::from_std(socket) else { return };
    let hosted = open.0.clone();
    let drained = Arc::new(AtomicBool::new(false));
    let socket = Socket::lingering(socket, drained.clone(), LINGER);
    let Some(tls) = &hosted.tls else {
        let peer = Peer { address, certificates: Arc::new([]) };
        return serve(socket, hosted.clone(), peer, stop, drained).await;
    };
    let shaken = Box::pin(tokio::time::timeout(hosted.limits.handshake_timeout, tls.get().accept(socket))).await;
    match shaken {
        Ok(Ok(stream)) if is_h2(stream.get_ref().1.alpn_protocol()) => {
            let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let peer = Peer { address, certificates: shown.iter().map(|c| c.to_vec()).collect() };
            Box::pin(serve(stream, hosted.clone(), peer, stop, drained)).await;
        }
        _ => drop(hosted.stats.broken.fetch_add(1, Ordering::Relaxed)),
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve<T>(
    io: T,
    hosted: Arc<Hosted>,
    peer: Peer,
    mut stop: watch::Receiver<Stop>,
    drained: Arc<AtomicBool>,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    // In a box, and made elsewhere: what is moved about inside a future takes room in it for good.
    let Some(mut connection) = Box::pin(shake(io, hosted, peer, drained)).await else { return };
    let mut stopping = Box::pin(async move {
        let drain = stop.wait_for(|s| *s != Stop::Run).await.map_or(Stop::Abort, |s| *s);
        (drain, stop)
    });
    let mut aborting = None;
    poll_fn(|cx| {
        if connection.told == Stop::Run
            && let Poll::Ready((how, mut stop)) = stopping.as_mut().poll(cx)
        {
            connection.stop(how);
            aborting = Some(Box::pin(async move { drop(stop.wait_for(|s| *s == Stop::Abort).await.map(|s| *s)) }));
        }
        if connection.told == Stop::Drain
            && let Some(Poll::Ready(())) = aborting.as_mut().map(|a| a.as_mut().poll(cx))
        {
            connection.stop(Stop::Abort);
        }
        connection.poll(cx)
    })
    .await;
}

/// The handshake, and what belongs to a connection.
async fn shake<T>(io: T, hosted: Arc<Hosted>, peer: Peer, drained: Arc<AtomicBool>) -> Option<Box<Connection<T>>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &hosted.limits;
    let handshake = http2::server(limits).handshake::<T, Piece>(io);
    let Ok(Ok(mut h2)) = tokio::time::timeout(limits.handshake_timeout, handshake).await else {
        hosted.stats.broken.fetch_add(1, Ordering::Relaxed);
        return None;
    };
    let keepalive = h2.ping_pong().map(|p| Keepalive::new(p, limits.keepalive_time, limits.keepalive_timeout, None));
    let age = (!limits.max_connection_age.is_zero()).then(|| Box::pin(tokio::time::sleep(limits.max_connection_age)));
    let shared = Arc::new(Shared { hosted, peer, gathered: AtomicUsize::new(0) });
    let (calls, opened) = (FuturesUnordered::new(), Vec::new());
    Some(Box::new(Connection { h2, calls, opened, shared, keepalive, age, told: Stop::Run, drained }))
}

/// A call that did not end at its first look.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one, and most end before they are stored")]
enum Running {
    Unary(Unary),
    Stream(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Future for Running {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            Running::Unary(unary) => Pin::new(unary).poll(cx),
            Running::Stream(stream) => stream.as_mut().poll(cx),
        }
    }
}

struct Connection<T> {
    h2: h2::server::Connection<T, Piece>,
    calls: FuturesUnordered<Running>,
    /// Streams that one turn brought; empty between turns.
    opened: Vec<Opened>,
    shared: Arc<Shared>,
    keepalive: Option<Keepalive>,
    age: Option<Pin<Box<Sleep>>>,
    told: Stop,
    /// Whether the socket waits for the peer's close.
    drained: Arc<AtomicBool>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    fn stop(&mut self, how: Stop) {
        self.told = how;
        self.drained.store(how == Stop::Drain, Ordering::Relaxed);
        match how {
            Stop::Run => {}
            Stop::Drain => self.h2.graceful_shutdown(),
            Stop::Abort => self.h2.abrupt_shutdown(Reason::NO_ERROR),
        }
    }

    /// One turn: read and collect, answer what can be answered, and look at the connection again, which writes all
    /// answers of the turn at once. (Answering between two looks would write each by itself.) What that second look
    /// brings waits until the other connections have had their turn: a quick peer must not keep the thread.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timers(cx);
        let mut closed = self.collect(cx);
        while !closed {
            let mut progress = !self.opened.is_empty();
            for opened in std::mem::take(&mut self.opened) {
                self.begin(opened, cx);
            }
            while let Poll::Ready(Some(())) = self.calls.poll_next_unpin(cx) {
                progress = true;
            }
            if !progress {
                return Poll::Pending;
            }
            closed = self.collect(cx);
            if !self.opened.is_empty() {
                // Woken only after the runtime has looked at the other sockets.
                let _ = pin!(tokio::task::yield_now()).poll(cx);
                return Poll::Pending;
            }
        }
        self.finish(cx)
    }

    /// The connection has ended: what came last is still run, its answers go nowhere.
    fn finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for opened in std::mem::take(&mut self.opened) {
            self.begin(opened, cx);
        }
        while let Poll::Ready(Some(())) = self.calls.poll_next_unpin(cx) {}
        Poll::Ready(())
    }

    /// Whether the connection has ended.
    fn collect(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            match self.h2.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.opened.push(Opened::new(request, respond)),
                Poll::Ready(Some(Err(_))) => {
                    self.shared.hosted.stats.broken.fetch_add(1, Ordering::Relaxed);
                    return true;
                }
                Poll::Ready(None) => return true,
                Poll::Pending => return false,
            }
        }
    }

    fn begin(&mut self, opened: Opened, cx: &mut Context<'_>) {
        let hosted = &self.shared.hosted;
        hosted.stats.calls.fetch_add(1, Ordering::Relaxed);
        if opened.method != http::Method::POST || kind(opened.head.get("content-type")) != Kind::Grpc {
            let plain = stream::plain(opened, hosted.plain.0, hosted.plain.1.clone());
            return self.calls.push(Running::Stream(Box::pin(plain)));
        }
        let found = hosted.router.find(opened.uri.path(), &opened.head);
        let handler = match found.and_then(|h| readable(&opened).map(|()| h)) {
            Ok(handler) => handler,
            Err(status) => return stream::refuse(opened, &status),
        };
        let mut running = match *handler {
            Handler::Unary(_) => Running::Unary(Unary::new(opened, handler, self.shared.clone())),
            Handler::Stream(_) => Running::Stream(Box::pin(stream::run(opened, handler, self.shared.clone()))),
        };
        // Most unary calls end here. The others are looked at again with a waker of their own.
        if Pin::new(&mut running).poll(cx).is_pending() {
            self.calls.push(running);
        }
    }

    fn timers(&mut self, cx: &mut Context<'_>) {
        if self.age.as_mut().is_some_and(|age| age.as_mut().poll(cx).is_ready()) {
            self.age = None;
            self.stop(Stop::Drain);
        }
        if self.keepalive.as_mut().is_some_and(|k| k.poll(cx).is_ready()) {
            self.keepalive = None;
            self.h2.abrupt_shutdown(Reason::NO_ERROR);
        }
    }
}

/// Whether we can read what the caller's headers announce.
fn readable(opened: &Opened) -> Result<(), Status> {
    trilane_wire::Encoding::read(opened.head.get("grpc-encoding")).map(drop)?;
    if opened.head.get("grpc-timeout").is_some_and(|t| t.len() > 64) {
        return Err(Status::new(
            Code::Internal,
            "grpc-timeout is longer than 64 bytes; eight digits and a unit are expected",
        ));
    }
    Ok(())
}
