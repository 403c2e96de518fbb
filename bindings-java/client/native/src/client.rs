//! Calls of a client.

use crate::hub::{Hub, Under};
use crate::pairs;
use crate::queue::{END, HEADERS, MESSAGE, ROOM, Record};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use trilane_engine::{Engine, transport};
use trilane_net::client::ChannelBuilder;
use trilane_net::server::Message;
use trilane_net::{Channel, ClientCall, ClientTls, Code, Headers, Identity, Io, Outcome, Request, Status};
use trilane_wire::metadata;

/// Wait for a connection instead of failing while there is none.
const WAIT_FOR_READY: i32 = 1;
/// Compress messages with gzip.
const GZIP: i32 = 4;

/// What a call asks for, as it crossed.
pub(crate) struct Asked {
    pub path: Bytes,
    pub metadata: Vec<u8>,
    /// 0: never gives up.
    pub timeout: u64,
    pub flags: i32,
    /// The tag of the request that makes the call; empty for the baseline.
    pub lane: Vec<u8>,
}

impl Asked {
    fn request(self, authority: &str) -> Request {
        let on = |flag| self.flags & flag != 0;
        let mut request = Request::new(self.path).wait_for_ready(on(WAIT_FOR_READY)).compress(on(GZIP));
        if self.timeout > 0 {
            request = request.timeout(Duration::from_nanos(self.timeout));
        }
        let mut headers = std::mem::take(request.headers_mut());
        let to = |name: &str, value: &[u8]| metadata::push(&mut headers, name, value);
        pairs::take(&self.metadata, to, |name, why| pairs::tell_left_out(request.path(), name, why));
        *request.headers_mut() = headers;
        if !self.lane.is_empty()
            && let Some(engine) = Engine::default()
        {
            transport::carry(&engine, authority, &self.lane, request.headers_mut());
        }
        request
    }
}

/// A channel, and what rules call what it goes to: its target, or the first of several.
#[derive(Clone)]
pub(crate) struct Opened {
    channel: Channel,
    authority: Arc<str>,
}

/// A channel from options: `target` (several), `authority`, `plaintext`, `roots`, `certificates`, `key`, `message`.
///
/// Where rules name a single target as an authority, its calls go to the instances that they give it.
pub(crate) fn open(options: &[u8], io: &Arc<Io>) -> Result<Opened, String> {
    let all = |name: &'static str| pairs::each(options).filter(move |(n, _)| *n == name.as_bytes()).map(|(_, v)| v);
    let text = |v: &[u8]| String::from_utf8_lossy(v).into_owned();
    let one = |name| all(name).next();
    let targets: Vec<String> = all("target").map(text).collect();
    let target: Arc<str> = targets.first().map_or("", String::as_str).into();
    let single = targets.len() == 1;
    let mut builder: ChannelBuilder = Channel::to_all(targets);
    if single {
        builder = transport::routed(Engine::default, &target, builder);
    }
    if let Some(authority) = one("authority") {
        builder = builder.authority(&text(authority));
    }
    if let Some(agent) = one("agent") {
        builder = builder.user_agent(&text(agent));
    }
    if let Some(most) = one("message").and_then(|v| text(v).parse().ok()) {
        builder = builder.max_message_size(most);
    }
    if one("plaintext").is_none() {
        let path = |name| one(name).map(|v| text(v).into());
        let identity = match (path("certificates"), path("key")) {
            (Some(certificates), Some(key)) => Some(Identity { certificates, key }),
            _ => None,
        };
        builder = builder.tls(ClientTls { roots: path("roots"), identity, ..ClientTls::default() });
    }
    let channel = builder.open(io).map_err(|e| e.to_string())?;
    Ok(Opened { channel, authority: target })
}

/// Starts a unary call: one record will come.
pub(crate) fn unary(hub: &'static Hub, opened: &Opened, id: u64, asked: Asked, message: Bytes) {
    let done = Box::new(move |outcome: Outcome| {
        hub.leave(id);
        ended(hub, id, &outcome);
    });
    let request = asked.request(&opened.authority);
    hub.enter(id, || Under::Unary(opened.channel.unary_then(request, message, done)));
}

fn ended(hub: &Hub, id: u64, outcome: &Outcome) {
    let (mut flat, status) = (Vec::with_capacity(256), &outcome.status);
    pairs::flatten(&mut flat, outcome.headers.iter());
    let headers = flat.len();
    pairs::flatten(&mut flat, outcome.trailers.iter());
    let (headers, trailers) = flat.split_at(headers);
    hub.queue.push(&Record { headers, trailers, data: &outcome.message, ..end(id, status) });
}

fn end(id: u64, status: &Status) -> Record<'_> {
    Record { kind: END, id, code: status.code().number(), text: status.message().as_bytes(), ..Record::default() }
}

/// A stream and what its application waits for.
pub(crate) struct Stream {
    call: ClientCall,
    id: u64,
    hub: &'static Hub,
    deadline: Option<Instant>,
    wants: Mutex<Wants>,
}

#[derive(Default)]
struct Wants {
    messages: u32,
    /// A message that nobody has asked for yet: it tells an ended call from one that has more.
    next: Option<Message>,
    headers_told: bool,
    room: bool,
    cancelled: bool,
    ended: bool,
}

/// Starts a call whose messages come and go one by one.
pub(crate) fn stream(hub: &'static Hub, opened: &Opened, id: u64, asked: Asked) {
    let after = (asked.timeout > 0).then(|| Duration::from_nanos(asked.timeout));
    let deadline = after.and_then(|t| Instant::now().checked_add(t));
    let call = opened.channel.stream(asked.request(&opened.authority));
    let stream = Arc::new(Stream { call, id, hub, deadline, wants: Mutex::default() });
    hub.enter(id, || Under::Stream(stream.clone()));
    stream.look();
}

impl Wake for Stream {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

impl Stream {
    /// Queues a message; whether the stream still has room.
    pub fn send(self: &Arc<Self>, message: Bytes, compress: bool) -> bool {
        self.call.compress(compress);
        self.call.send_now(message);
        if self.call.poll_room(&mut Context::from_waker(Waker::noop())).is_ready() {
            return true;
        }
        self.wants.lock().room = true;
        self.look();
        false
    }

    pub fn half_close(&self) {
        self.call.half_close();
    }

    pub fn request(self: &Arc<Self>, messages: u32) {
        {
            let mut wants = self.wants.lock();
            wants.messages = wants.messages.saturating_add(messages);
        }
        self.look();
    }

    pub fn cancel(self: &Arc<Self>) {
        self.wants.lock().cancelled = true;
        self.call.cancel();
    }

    /// Tells what has become true of what is wanted; registers for the rest.
    fn look(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        let cx = &mut Context::from_waker(&waker);
        let mut wants = self.wants.lock();
        if wants.ended {
            return;
        }
        let record = |kind| Record { kind, id: self.id, ..Record::default() };
        if !wants.headers_told
            && let Poll::Ready(headers) = self.call.poll_headers(cx)
        {
            wants.headers_told = true;
            if let Some(headers) = headers {
                let mut flat = Vec::new();
                pairs::flatten(&mut flat, headers.iter());
                self.hub.queue.push(&Record { headers: &flat, ..record(HEADERS) });
            }
        }
        if wants.room && self.call.poll_room(cx).is_ready() {
            wants.room = false;
            self.hub.queue.push(&record(ROOM));
        }
        loop {
            if wants.next.is_none() {
                match self.call.poll_message(cx) {
                    Poll::Pending => return,
                    Poll::Ready(None) => break,
                    Poll::Ready(message) => wants.next = message,
                }
            }
            if wants.messages == 0 {
                break;
            }
            if let Some(message) = wants.next.take() {
                wants.messages -= 1;
                self.hub.queue.push(&Record { data: &message.data, ..record(MESSAGE) });
            }
        }
        if let Poll::Ready((status, trailers)) = self.call.poll_end(cx)
            && (wants.next.is_none() || self.ended_here(&wants, &status))
        {
            wants.ended = true;
            wants.next = None;
            drop(wants);
            self.finish(&status, &trailers);
        }
    }

    /// Whether the call ended on this side: then messages that wait for a request are not waited for.
    fn ended_here(&self, wants: &Wants, status: &Status) -> bool {
        match status.code() {
            Code::Cancelled => wants.cancelled,
            Code::DeadlineExceeded => self.deadline.is_some_and(|d| Instant::now() >= d),
            _ => false,
        }
    }

    fn finish(&self, status: &Status, trailers: &Headers) {
        self.hub.leave(self.id);
        let mut flat = Vec::new();
        pairs::flatten(&mut flat, trailers.iter());
        self.hub.queue.push(&Record { trailers: &flat, ..end(self.id, status) });
    }
}
