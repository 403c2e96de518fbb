//! The server: what is hosted, and the listening.

mod call;
mod connection;
mod health;
mod reflection;
mod router;
mod stream;
mod unary;

pub use call::{Call, Peer};
pub use health::Health;
pub use reflection::Reflection;
pub use router::Handler;
pub use stream::{Message, ServerStream};

use crate::tls::{Acceptor, ServerTls};
use crate::{Io, Limits};
use bytes::Bytes;
use router::Router;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use trilane_wire::Status;

/// What runs before a handler: it may look at the call, add headers, or end it.
pub type Interceptor = dyn Fn(&mut Call) -> Result<(), Status> + Send + Sync;

/// Collects what a server hosts.
#[derive(Default)]
pub struct ServerBuilder {
    limits: Limits,
    router: Router,
    interceptors: Vec<Box<Interceptor>>,
    plain: Option<(u16, Bytes)>,
    tls: Option<ServerTls>,
}

impl ServerBuilder {
    /// With these limits instead of the default ones.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Hosts a unary method whose handler runs at once on the I/O thread: it must not wait for anything.
    pub fn unary<F>(self, path: &str, handler: F) -> Self
    where
        F: Fn(&mut Call, Bytes) -> Result<Bytes, Status> + Send + Sync + 'static,
    {
        self.handler(path, Handler::Unary(Box::new(handler)))
    }

    /// Hosts a method of any kind whose handler reads and writes messages as they come, on the I/O thread.
    pub fn stream<F>(self, path: &str, handler: F) -> Self
    where
        F: for<'a> Fn(&'a mut ServerStream) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>>,
        F: Send + Sync + 'static,
    {
        self.handler(path, Handler::Stream(Box::new(handler)))
    }

    /// Hosts a method under `/service/method`; the last one of a path counts.
    pub fn handler(mut self, path: &str, handler: Handler) -> Self {
        self.router.add(path, handler);
        self
    }

    /// Hosts a method for calls of one group and version of Dubbo (`tri-service-group`, `tri-service-version`); empty
    /// means none. Looked up as dubbo-java does; what [`ServerBuilder::handler`] hosts takes the calls that are left.
    pub fn handler_for(mut self, group: &str, version: &str, path: &str, handler: Handler) -> Self {
        self.router.add_for(group, version, path, handler);
        self
    }

    /// Answers calls of methods that are not hosted, instead of UNIMPLEMENTED.
    pub fn unknown(mut self, handler: Handler) -> Self {
        self.router.unknown = Some(Arc::new(handler));
        self
    }

    /// Runs before every handler, in the order of adding; the first error ends the call.
    pub fn interceptor<F: Fn(&mut Call) -> Result<(), Status> + Send + Sync + 'static>(mut self, f: F) -> Self {
        self.interceptors.push(Box::new(f));
        self
    }

    /// Answers a request that is not gRPC with that HTTP status and text, instead of 415.
    pub fn plain(mut self, status: u16, text: impl Into<Bytes>) -> Self {
        self.plain = Some((status, text.into()));
        self
    }

    /// Serves TLS; the files are read now, and again when they change.
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Listens and serves on the threads of `io`.
    pub fn listen(self, address: SocketAddr, io: &Arc<Io>) -> io::Result<Server> {
        let bad = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let tls = self.tls.map(Acceptor::new).transpose().map_err(bad)?;
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        let (stop, stopped) = watch::channel(Stop::Run);
        let hosted = Arc::new(Hosted {
            limits: self.limits,
            router: self.router,
            interceptors: self.interceptors,
            plain: self.plain.unwrap_or((415, Bytes::from_static(b"this server speaks gRPC (application/grpc)\n"))),
            tls,
            stats: Stats::default(),
        });
        let accepting = connection::accept(listener, hosted.clone(), io.handles().to_vec(), stopped);
        io.pick().spawn(accepting);
        Ok(Server { local, stop, hosted, _io: io.clone() })
    }
}

/// What connections share.
pub(crate) struct Hosted {
    limits: Limits,
    router: Router,
    interceptors: Vec<Box<Interceptor>>,
    plain: (u16, Bytes),
    tls: Option<Acceptor>,
    stats: Stats,
}

/// Counters of one server since its start.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections now.
    pub connections: AtomicUsize,
    /// Calls that were opened.
    pub calls: AtomicU64,
    /// Connections that broke the protocol, or broke.
    pub broken: AtomicU64,
    /// Connections closed because there were `max_connections`.
    pub refused: AtomicU64,
}

/// How connections are told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Run,
    /// No new streams; those that run end by themselves.
    Drain,
    /// At once.
    Abort,
}

/// A running server. Dropping it ends its connections at once; [`Server::drain`] ends them kindly.
pub struct Server {
    local: SocketAddr,
    stop: watch::Sender<Stop>,
    hosted: Arc<Hosted>,
    _io: Arc<Io>,
}

impl Server {
    /// Starts to collect.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Where it listens; the kernel's choice if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.hosted.limits
    }

    /// Its counters.
    pub fn stats(&self) -> &Stats {
        &self.hosted.stats
    }

    /// Takes no new connections and streams from now on; calls that run end by themselves, and with the last one of a
    /// connection the connection ([`Stats::connections`]).
    pub fn begin_drain(&self) {
        self.stop.send_replace(Stop::Drain);
    }

    /// Takes no new connections and streams, waits until all calls have ended, at most `patience`; then ends the
    /// rest. Blocks: not for an I/O thread. Returns whether all calls ended by themselves.
    pub fn drain(self, patience: Duration) -> bool {
        self.begin_drain();
        let until = std::time::Instant::now() + patience;
        while self.hosted.stats.connections.load(Ordering::Acquire) > 0 {
            if std::time::Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(Stop::Abort);
    }
}
