//! Making connections, and keeping them.

use super::pool::{Shared, backoff};
use crate::http2::{self, Requests};
use crate::keepalive::Keepalive;
use crate::socket::Socket;
use crate::tls::{self, is_h2};
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use trilane_wire::{Code, Status};

/// How long one attempt may take, TLS and all.
const PATIENCE: Duration = Duration::from_secs(20);

/// A number in 0..1.
pub(crate) fn random() -> f64 {
    (RandomState::new().hash_one(0u8) >> 11) as f64 / (1u64 << 53) as f64
}

/// Connects to a target until it works or nobody waits any longer; then drives the connection to its end.
pub(crate) async fn run(pool: Arc<Shared>, target: Arc<str>) {
    let mut failures = 0;
    loop {
        let attempt = attempt(&pool, &target);
        let tried = match tokio::time::timeout(PATIENCE, attempt).await {
            Ok(tried) => tried,
            Err(_) => Err(format!("no connection within {PATIENCE:?}; is the network cut, or a firewall between?")),
        };
        let why = match tried {
            Ok((requests, driving)) => {
                pool.observe(&target, true);
                let Some((id, active)) = pool.connected(&target, requests) else { return };
                driving(active).await;
                return pool.ended(&target, id);
            }
            Err(why) => why,
        };
        failures += 1;
        let observed = pool.observe(&target, false);
        if !pool.failed(&target, Status::new(Code::Unavailable, format!("{target}: {why}"))) {
            return;
        }
        tokio::time::sleep(backoff(failures, random())).await;
        if !pool.waited(&target, observed) {
            return;
        }
    }
}

type Driving = Box<dyn FnOnce(Arc<()>) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

async fn attempt(pool: &Arc<Shared>, target: &str) -> Result<(Requests, Driving), String> {
    let mut last = "the name has no address; check its DNS record".to_string();
    let found = tokio::net::lookup_host(target).await;
    let addresses =
        found.map_err(|e| format!("the name cannot be resolved: {e}; check the name, and this machine's DNS"))?;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return secure(pool, Socket::new(stream)).await,
            Err(e) => {
                last = format!("cannot connect to {address}: {e}; does the server listen there, is the port open?")
            }
        }
    }
    Err(last)
}

async fn secure(pool: &Arc<Shared>, socket: Socket) -> Result<(Requests, Driving), String> {
    let Some(tls) = &pool.tls else { return handshake(pool, socket).await };
    let shaken = tls.get().connect(tls.name.clone(), socket).await;
    let stream = shaken.map_err(|e| format!("TLS: {e}; {}", tls::advice(&e)))?;
    if !is_h2(stream.get_ref().1.alpn_protocol()) {
        return Err("TLS: the server does not offer HTTP/2 (ALPN h2): is this its port for gRPC?".into());
    }
    handshake(pool, stream).await
}

async fn handshake<T>(pool: &Arc<Shared>, io: T) -> Result<(Requests, Driving), String>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = pool.limits.clone();
    let made = http2::client(&limits).handshake::<T, http2::Piece>(io).await;
    let (requests, mut connection) = made.map_err(|e| format!("HTTP/2: {e}"))?;
    let driving: Driving = Box::new(move |active| {
        Box::pin(async move {
            let ping_pong = connection.ping_pong();
            let mut keepalive =
                ping_pong.map(|p| Keepalive::new(p, limits.keepalive_time, limits.keepalive_timeout, Some(active)));
            let mut connection = pin!(connection);
            poll_fn(|cx| {
                // A dead peer: the connection is dropped, its calls end.
                if keepalive.as_mut().is_some_and(|k| k.poll(cx).is_ready()) {
                    return Poll::Ready(());
                }
                connection.as_mut().poll(cx).map(drop)
            })
            .await;
        })
    });
    Ok((Requests::new(requests), driving))
}
