//! A channel: the targets of one service, their connections, the calls on them. All of it lives on one I/O thread.

use super::attempt;
use super::call::{self, ClientCall, Ends, Exchange};
use super::pool::{AddressPicker, Choice, Observer, Picker, Pool};
use super::retry::{Budget, Retry};
use super::unary::{Cancel, Done, Here};
use super::{Outcome, Request, unary};
use crate::tls::{ClientTls, Connector};
use crate::{Io, Limits};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::AtomicWaker;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, TE, USER_AGENT};
use http::uri::{Authority, Scheme};
use parking_lot::Mutex;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;
use trilane_wire::{Code, Status};

/// Jobs whose room is kept.
const MOST_ROOM: usize = 256;

/// What runs before a call leaves: it may change the metadata, or end the call.
pub type Interceptor = dyn Fn(&mut Request) -> Result<(), Status> + Send + Sync;

/// Collects what a channel is to be.
pub struct ChannelBuilder {
    targets: Vec<String>,
    authority: Option<String>,
    agent: Option<String>,
    limits: Limits,
    retry: Retry,
    connections: usize,
    choice: Choice,
    interceptors: Vec<Box<Interceptor>>,
    tls: Option<ClientTls>,
}

impl ChannelBuilder {
    /// What `:authority` says instead of the first target.
    pub fn authority(mut self, authority: &str) -> Self {
        self.authority = Some(authority.to_string());
        self
    }

    /// With these limits instead of the default ones.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The longest message that is received, bytes; the other limits stay.
    pub fn max_message_size(mut self, bytes: u32) -> Self {
        self.limits.max_message_size = bytes;
        self
    }

    /// What `user-agent` says before our own name.
    pub fn user_agent(mut self, agent: &str) -> Self {
        self.agent = Some(agent.to_string());
        self
    }

    /// How idempotent calls are sent again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How many connections to one target at most; another is opened when the peer allows no more streams.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Chooses a target for each call; without it, targets take turns.
    pub fn picker(mut self, picker: Arc<Picker>) -> Self {
        self.choice.picker = Some(picker);
        self
    }

    /// Chooses the address of each call, before a [`ChannelBuilder::picker`] and the targets' turns.
    pub fn addresses(mut self, picker: Arc<AddressPicker>) -> Self {
        self.choice.addresses = Some(picker);
        self
    }

    /// Is told of every attempt to connect whether it worked. While it says so, addresses that could not be reached are
    /// tried again also when no call asks for them.
    pub fn observer(mut self, observer: Arc<Observer>) -> Self {
        self.choice.observer = Some(observer);
        self
    }

    /// Runs before every call, in the order of adding.
    pub fn interceptor<F: Fn(&mut Request) -> Result<(), Status> + Send + Sync + 'static>(mut self, f: F) -> Self {
        self.interceptors.push(Box::new(f));
        self
    }

    /// Speaks TLS; the files are read now, and again when they change.
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Makes the channel on one thread of `io`. Connects when the first call comes.
    pub fn open(self, io: &Arc<Io>) -> io::Result<Channel> {
        let bad = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
        let first = self.targets.first().ok_or_else(|| bad("a channel needs at least one target".into()))?;
        let authority = self.authority.as_ref().unwrap_or(first).clone();
        let authority = Authority::from_maybe_shared(Bytes::from(authority.clone()))
            .map_err(|e| bad(format!("{authority} is no authority (host:port): {e}")))?;
        let connector = self.tls.map(|tls| Connector::new(tls, authority.host())).transpose().map_err(bad)?;
        let scheme = if connector.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let runtime = io.pick().clone();
        let inner = Arc::new(Inner {
            pool: Pool::new(
                self.targets,
                self.limits.clone(),
                self.connections,
                self.choice,
                connector,
                runtime.clone(),
            ),
            authority,
            scheme,
            base: base_headers(self.agent.as_deref()),
            budget: Budget::new(&self.retry),
            retry: self.retry,
            limits: self.limits,
            interceptors: self.interceptors,
            jobs: Mutex::default(),
            waker: AtomicWaker::new(),
            closed: AtomicBool::new(false),
        });
        runtime.spawn(run(inner.clone()));
        Ok(Channel { owner: Arc::new(Owner { inner, runtime: runtime.id(), _io: io.clone() }) })
    }
}

fn base_headers(agent: Option<&str>) -> HeaderMap {
    let mut base = HeaderMap::with_capacity(8);
    base.insert(TE, HeaderValue::from_static("trailers"));
    base.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let ours = HeaderValue::from_static(concat!("trilane/", env!("CARGO_PKG_VERSION")));
    let both = |agent| HeaderValue::try_from(format!("{agent} {}", ours.to_str().unwrap_or_default())).ok();
    base.insert(USER_AGENT, agent.and_then(both).unwrap_or(ours.clone()));
    base.insert(HeaderName::from_static("grpc-accept-encoding"), HeaderValue::from_static("gzip"));
    base
}

/// Calls of one service. Cheap to clone; any thread may use it, with or without a runtime. When the last clone is
/// dropped, running calls end by themselves and the connections close.
#[derive(Clone)]
pub struct Channel {
    owner: Arc<Owner>,
}

struct Owner {
    inner: Arc<Inner>,
    /// Where the channel's connections live.
    runtime: Id,
    _io: Arc<Io>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.inner.closed.store(true, Ordering::Release);
        self.inner.waker.wake();
    }
}

impl Channel {
    /// A channel to `host:port`.
    pub fn builder(target: &str) -> ChannelBuilder {
        Self::to_all([target])
    }

    /// A channel to several `host:port` of the same service.
    pub fn to_all<T: Into<String>>(targets: impl IntoIterator<Item = T>) -> ChannelBuilder {
        ChannelBuilder {
            targets: targets.into_iter().map(Into::into).collect(),
            authority: None,
            agent: None,
            // grpc-go's servers end connections with more PINGs than one in five minutes.
            limits: Limits { keepalive_time: Duration::from_secs(330), ..Limits::default() },
            retry: Retry::default(),
            connections: 4,
            choice: Choice::default(),
            interceptors: Vec::new(),
            tls: None,
        }
    }

    /// Replaces the targets; connections to those that stay are kept, running calls go on.
    pub fn set_targets(&self, targets: Vec<String>) {
        self.owner.inner.pool.set_targets(targets);
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.owner.inner.limits
    }

    /// One message there, one back. The call starts when the future is first polled; dropping it cancels the call.
    pub fn unary(&self, request: Request, message: Bytes) -> impl Future<Output = Outcome> + Send + use<> {
        let channel = self.clone();
        async move {
            let inner = channel.owner.inner.clone();
            if channel.is_here() {
                return unary::run(inner, request, message, Here).await;
            }
            let (done, outcome) = oneshot::channel();
            let path = request.path.clone();
            inner.submit(Job::Unary(request, message, Done::Future(done)));
            // The channel may end now: the call was taken before.
            drop((channel, inner));
            outcome.await.unwrap_or_else(|_| Outcome::failed(attempt::thread_gone(&path)))
        }
    }

    /// Whether the task that asks runs on the channel's thread: then nothing has to be handed over.
    fn is_here(&self) -> bool {
        Handle::try_current().is_ok_and(|here| here.id() == self.owner.runtime)
    }

    /// [`Channel::unary`] for who has no futures: `done` runs on the I/O thread when the call has ended, and must not
    /// wait there.
    pub fn unary_then(&self, request: Request, message: Bytes, done: Box<dyn FnOnce(Outcome) + Send>) -> Arc<Cancel> {
        let cancel = Arc::new(Cancel::default());
        self.owner.inner.submit(Job::Unary(request, message, Done::Function(done, cancel.clone())));
        cancel
    }

    /// Starts a call whose messages come and go one by one.
    pub fn stream(&self, request: Request) -> ClientCall {
        let exchange = Arc::new(Exchange::new(self.owner.inner.limits.send_buffer, request.compress));
        let ends = Ends::new(exchange.clone(), &request);
        self.owner.inner.submit(Job::Stream(request, ends));
        ClientCall::new(exchange)
    }
}

enum Job {
    Unary(Request, Bytes, Done),
    Stream(Request, Ends),
}

/// What the calls of one channel share.
pub(crate) struct Inner {
    pub pool: Pool,
    pub authority: Authority,
    pub scheme: Scheme,
    pub base: HeaderMap,
    pub retry: Retry,
    pub budget: Budget,
    pub limits: Limits,
    interceptors: Vec<Box<Interceptor>>,
    jobs: Mutex<Vec<Job>>,
    waker: AtomicWaker,
    closed: AtomicBool,
}

impl Inner {
    fn submit(&self, job: Job) {
        let first = {
            let mut jobs = self.jobs.lock();
            jobs.push(job);
            jobs.len() == 1
        };
        // Who found the list empty wakes; the thread takes all that is there.
        if first {
            self.waker.wake();
        }
    }

    pub fn intercept(&self, request: &mut Request) -> Result<(), Status> {
        let run = std::panic::AssertUnwindSafe(|| self.interceptors.iter().try_for_each(|i| i(request)));
        std::panic::catch_unwind(run).unwrap_or_else(|_| {
            let why = "a client interceptor panicked; its message is on stderr";
            Err(Status::new(Code::Internal, why).at(request.path()))
        })
    }
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The channel's task: takes jobs and polls every call of the channel, until the channel is dropped and they ended.
async fn run(inner: Arc<Inner>) {
    let mut calls: FuturesUnordered<Running> = FuturesUnordered::new();
    let mut jobs = Vec::new();
    poll_fn(|cx| turn(&inner, &mut calls, &mut jobs, cx)).await;
    inner.pool.close();
}

/// `room` is empty before and after: the two lists of jobs change places, so that their room is used again.
fn turn(
    inner: &Arc<Inner>,
    calls: &mut FuturesUnordered<Running>,
    room: &mut Vec<Job>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    inner.waker.register(cx.waker());
    loop {
        std::mem::swap(room, &mut *inner.jobs.lock());
        let none = room.is_empty();
        room.shrink_to(MOST_ROOM.max(room.len()));
        for job in room.drain(..) {
            calls.push(match job {
                Job::Unary(request, message, done) => Box::pin(unary::run(inner.clone(), request, message, done)),
                Job::Stream(request, ends) => Box::pin(call::run(inner.clone(), request, ends)),
            });
        }
        let mut ended = false;
        while let Poll::Ready(Some(())) = calls.poll_next_unpin(cx) {
            ended = true;
        }
        if inner.closed.load(Ordering::Acquire) && calls.is_empty() && inner.jobs.lock().is_empty() {
            return Poll::Ready(());
        }
        if none && !ended {
            return Poll::Pending;
        }
    }
}
