//! Calls that Java serves.

use crate::hub::{Hub, Under};
use crate::pairs;
use crate::queue::{CALL, CANCELLED, COMPLETE, HALF_CLOSE, MESSAGE, ROOM, Record};
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use trilane_engine::{Engine, transport};
use trilane_net::server::Message;
use trilane_net::{Call, Handler, Identity, Io, Limits, Server, ServerStream, ServerTls, Status};
use trilane_wire::Code;

/// The method's place in a record of a call that no method of the server's has.
pub(crate) const UNKNOWN: u32 = u32::MAX;
/// Replies that wait to be sent, bytes; above it a stream has no room.
const ROOM_BYTES: usize = 64 << 10;

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>>;

/// Starts a server from options: `address`, `method` (several: `/service/method`), `fallback`, `certificates`, `key`,
/// `clients`, `message`, `stream-window`, `idle`.
pub(crate) fn start(hub: &'static Hub, number: i32, options: &[u8], io: &Arc<Io>) -> Result<Server, String> {
    let all = |name: &'static str| pairs::each(options).filter(move |(n, _)| *n == name.as_bytes()).map(|(_, v)| v);
    let text = |v: &[u8]| String::from_utf8_lossy(v).into_owned();
    let one = |name| all(name).next().map(text);
    let address = one("address").unwrap_or_default();
    let address: SocketAddr =
        address.parse().map_err(|_| format!("{address:?} is no address to listen on (ip:port)"))?;
    let mut limits = Limits::default();
    if let Some(most) = one("message").and_then(|v| v.parse().ok()) {
        limits.max_message_size = most;
    }
    let mut builder = Server::builder().limits(limits);
    if let Some(engine) = Engine::default() {
        builder = transport::scoped(engine, builder);
    }
    for (place, path) in all("method").map(text).enumerate() {
        builder = builder.stream(&path, move |stream| Box::pin(serve(hub, (number, place as u32), stream)));
    }
    if one("fallback").is_some() {
        let unknown =
            Handler::Stream(Box::new(move |stream| -> Running<'_> { Box::pin(serve(hub, (number, UNKNOWN), stream)) }));
        builder = builder.unknown(unknown);
    }
    if let (Some(certificates), Some(key)) = (one("certificates"), one("key")) {
        let identity = Identity { certificates: certificates.into(), key: key.into() };
        builder = builder.tls(ServerTls { identity, clients: one("clients").map(Into::into) });
    }
    builder.listen(address, io).map_err(|e| format!("{address} cannot be listened on: {e}"))
}

/// What Java's side and the I/O thread's side of a served call share.
pub(crate) struct Exchange {
    state: Mutex<State>,
    /// Wakes the I/O side.
    io: AtomicWaker,
}

#[derive(Default)]
struct State {
    out: VecDeque<Out>,
    out_bytes: usize,
    messages: u32,
    room: bool,
}

enum Out {
    Headers(Vec<u8>),
    Message(Bytes, bool),
    Close(Status, Vec<u8>),
}

impl Exchange {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.lock());
        self.io.wake();
        changed
    }

    pub fn headers(&self, flat: Vec<u8>) {
        self.change(|s| s.out.push_back(Out::Headers(flat)));
    }

    /// Queues a message; whether the stream still has room.
    pub fn send(&self, message: Bytes, compress: bool) -> bool {
        self.change(|s| {
            s.out_bytes += message.len();
            s.out.push_back(Out::Message(message, compress));
            s.room = s.out_bytes >= ROOM_BYTES;
            !s.room
        })
    }

    pub fn close(&self, status: Status, trailers: Vec<u8>) {
        self.change(|s| s.out.push_back(Out::Close(status, trailers)));
    }

    pub fn request(&self, messages: u32) {
        self.change(|s| s.messages = s.messages.saturating_add(messages));
    }
}

/// A served call while its future lives: says at the end how it ended.
struct Serving {
    hub: &'static Hub,
    id: u64,
    exchange: Arc<Exchange>,
    /// A message that nobody has asked for yet: it tells the end of the request from one that has more.
    next: Option<Message>,
    got_all: bool,
    answered: bool,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.hub.leave(self.id);
        self.tell(if self.answered { COMPLETE } else { CANCELLED }, &[]);
    }
}

/// What a call is for: the server's number, the method's place.
type Place = (i32, u32);

async fn serve(hub: &'static Hub, place: Place, stream: &mut ServerStream) -> Result<(), Status> {
    let exchange = Arc::new(Exchange { state: Mutex::default(), io: AtomicWaker::new() });
    let id = hub.number();
    hub.enter(id, || Under::Serving(exchange.clone()));
    let mut serving = Serving { hub, id, exchange, next: None, got_all: false, answered: false };
    serving.announce(place, stream);
    let result = poll_fn(|cx| serving.turn(stream, cx)).await;
    // A status of our own (a message that is too long, say) is none that Java gave: its call was cancelled.
    let (status, ours) = result;
    serving.answered = !ours;
    if status.is_ok() { Ok(()) } else { Err(status) }
}

impl Serving {
    fn tell(&self, kind: u32, data: &[u8]) {
        self.hub.queue.push(&Record { kind, id: self.id, data, ..Record::default() });
    }

    fn announce(&self, (number, method): Place, stream: &mut ServerStream) {
        let call = stream.call();
        let mut headers = Vec::new();
        pairs::flatten(&mut headers, call.head().iter());
        let left = call.time_left().map_or(-1, |t| i64::try_from(t.as_nanos()).unwrap_or(i64::MAX));
        let mut data = left.to_le_bytes().to_vec();
        data.extend(number.to_le_bytes());
        data.extend_from_slice(call.scope());
        let peer = call.peer().address.to_string();
        self.hub.queue.push(&Record {
            kind: CALL,
            id: self.id,
            code: method,
            text: peer.as_bytes(),
            details: call.path().as_bytes(),
            headers: &headers,
            trailers: call.authority().as_bytes(),
            data: &data,
        });
    }

    /// Sends what Java queued, receives what it asked for. Ready with the status, and whether it is one of our own.
    fn turn(&mut self, stream: &mut ServerStream, cx: &mut Context<'_>) -> Poll<(Status, bool)> {
        self.exchange.io.register(cx.waker());
        match self.outgoing(stream, cx) {
            Err(status) => return Poll::Ready((status, true)),
            Ok(Some(status)) => return Poll::Ready((status, false)),
            Ok(None) => {}
        }
        match self.incoming(stream, cx) {
            Err(status) => Poll::Ready((status, true)),
            Ok(()) => Poll::Pending,
        }
    }

    fn outgoing(&mut self, stream: &mut ServerStream, cx: &mut Context<'_>) -> Result<Option<Status>, Status> {
        loop {
            let message_next = matches!(self.exchange.state.lock().out.front(), Some(Out::Message(..)));
            if message_next {
                match stream.poll_room(cx) {
                    Poll::Pending => return Ok(None),
                    Poll::Ready(room) => room?,
                }
            }
            let Some(out) = self.exchange.state.lock().out.pop_front() else { return Ok(None) };
            match out {
                Out::Headers(flat) => {
                    add(stream.call(), &flat, Call::add_header);
                    stream.send_headers()?;
                }
                Out::Message(message, compress) => {
                    let length = message.len();
                    stream.call().compress(compress);
                    stream.send_now(message)?;
                    let mut state = self.exchange.state.lock();
                    state.out_bytes -= length;
                    if state.room && state.out_bytes < ROOM_BYTES {
                        state.room = false;
                        drop(state);
                        self.tell(ROOM, &[]);
                    }
                }
                Out::Close(status, trailers) => {
                    add(stream.call(), &trailers, Call::add_trailer);
                    return Ok(Some(pairs::with_details(status, &trailers)));
                }
            }
        }
    }

    fn incoming(&mut self, stream: &mut ServerStream, cx: &mut Context<'_>) -> Result<(), Status> {
        while !self.got_all {
            if self.next.is_none() {
                match stream.poll_message(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok(Some(message))) => self.next = Some(message),
                    Poll::Ready(Ok(None)) => {
                        self.got_all = true;
                        self.tell(HALF_CLOSE, &[]);
                        return Ok(());
                    }
                    Poll::Ready(Err(status)) => return Err(status),
                }
            }
            {
                let mut state = self.exchange.state.lock();
                if state.messages == 0 {
                    return Ok(());
                }
                state.messages -= 1;
            }
            if let Some(message) = self.next.take() {
                self.tell(MESSAGE, &message.data);
            }
        }
        Ok(())
    }
}

/// Adds an application's headers or trailers to a call.
fn add(call: &mut Call, flat: &[u8], put: fn(&mut Call, &str, &[u8]) -> Result<(), Status>) {
    let mut left_out = Vec::new();
    let to = |key: &str, value: &[u8]| put(call, key, value).map_err(|status| status.message().to_string());
    pairs::take(flat, to, |key, why| left_out.push((key.to_string(), why.to_string())));
    left_out.iter().for_each(|(key, why)| pairs::tell_left_out(call.path(), key, why));
}

/// A status from Java.
pub(crate) fn status(code: i32, text: Vec<u8>) -> Status {
    let code = u32::try_from(code).ok().and_then(Code::from_number).unwrap_or(Code::Unknown);
    Status::new(code, String::from_utf8_lossy(&text))
}
