//! A call whose messages come and go one by one.

use super::Request;
use super::attempt::{self, Attempt, Ended, Place};
use super::channel::Inner;
use super::unary::{UNPROCESSED, is_late};
use crate::gzip;
use crate::http2::{Answer, Body, Broken, Piece, Sender};
use crate::server::Message;
use bytes::{Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use trilane_wire::frame::Reader;
use trilane_wire::{Encoding, Headers, Status};

/// Received messages that wait for the application, bytes; above it nothing more is read from the stream.
const INBOX: usize = 64 << 10;

/// What a queued message costs beside its bytes, about.
const MESSAGE: usize = 64;

/// What the application's side and the I/O thread's side of a call share.
pub(crate) struct Exchange {
    state: Mutex<State>,
    /// Wakes the I/O side.
    io: AtomicWaker,
    room: usize,
}

#[derive(Default)]
struct State {
    /// Messages, and whether each is to be compressed.
    out: VecDeque<(Bytes, bool)>,
    compress: bool,
    may_compress: bool,
    out_bytes: usize,
    /// What has left before the peer was heard of: should it say that it has not looked, another connection gets it.
    sent: Vec<(Bytes, bool)>,
    sent_bytes: usize,
    /// The peer was heard of, or more was sent than is kept: the call is not sent again.
    committed: bool,
    half_closed: bool,
    cancelled: bool,
    headers: Option<Headers>,
    inbox: VecDeque<Message>,
    in_bytes: usize,
    end: Option<(Status, Headers)>,
    /// Who waits on the application's side.
    waiting: Vec<Waker>,
}

impl Exchange {
    pub fn new(room: usize, compress: bool) -> Self {
        let state = State { compress, may_compress: compress, ..State::default() };
        Self { state: Mutex::new(state), io: AtomicWaker::new(), room }
    }

    /// Changes the state on the I/O side and wakes the application's.
    fn tell(&self, change: impl FnOnce(&mut State)) {
        let waiting = {
            let mut state = self.state.lock();
            change(&mut state);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn end(&self, status: Status, trailers: Headers) {
        self.tell(|state| {
            state.end.get_or_insert((status, trailers));
            state.out.clear();
            state.out_bytes = 0;
            state.commit();
        });
    }

    /// Takes the next message to send, and keeps it while the call may still be sent again.
    fn next(&self) -> Option<(Bytes, bool)> {
        let mut message = None;
        self.tell(|state| {
            message = state.out.pop_front();
            let Some(taken) = &message else { return };
            let bytes = taken.0.len() + MESSAGE;
            state.out_bytes = state.out_bytes.saturating_sub(bytes);
            state.sent_bytes += bytes;
            if state.sent_bytes > self.room {
                state.commit();
            } else if !state.committed {
                state.sent.push(taken.clone());
            }
        });
        message
    }

    /// Queues again what has left, if all of it is still there; whether it is.
    fn rewind(&self) -> bool {
        let mut state = self.state.lock();
        if !state.committed {
            for message in std::mem::take(&mut state.sent).into_iter().rev() {
                state.out.push_front(message);
            }
            state.out_bytes += std::mem::take(&mut state.sent_bytes);
        }
        !state.committed
    }
}

impl State {
    fn commit(&mut self) {
        self.committed = true;
        self.sent = Vec::new();
    }
}

/// The application's side of a call. Any thread may use it. Dropping it cancels the call if it has not ended.
pub struct ClientCall {
    exchange: Arc<Exchange>,
}

impl ClientCall {
    pub(crate) fn new(exchange: Arc<Exchange>) -> Self {
        Self { exchange }
    }

    fn poll<R>(&self, cx: &mut Context<'_>, look: impl FnOnce(&mut State) -> Poll<R>) -> Poll<R> {
        let mut state = self.exchange.state.lock();
        let looked = look(&mut state);
        if looked.is_pending() && !state.waiting.iter().any(|w| w.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        looked
    }

    /// Ready when another message may be queued; an error if the call has ended.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let room = self.exchange.room;
        self.poll(cx, |state| match &state.end {
            Some((status, _)) => Poll::Ready(Err(status.clone())),
            None if state.out_bytes < room => Poll::Ready(Ok(())),
            None => Poll::Pending,
        })
    }

    /// Queues a message without waiting for room. Once the call has ended it goes nowhere.
    pub fn send_now(&self, message: Bytes) {
        let mut state = self.exchange.state.lock();
        if state.end.is_none() && !state.half_closed {
            state.out_bytes += message.len() + MESSAGE;
            let compress = state.compress;
            state.out.push_back((message, compress));
            drop(state);
            self.exchange.io.wake();
        }
    }

    /// Sends a message once there is room; an error if the call has ended (its status is at [`ClientCall::end`]).
    pub async fn send(&self, message: Bytes) -> Result<(), Status> {
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.send_now(message);
        Ok(())
    }

    /// Whether the next messages are compressed; has an effect only on a call that was started with
    /// [`Request::compress`], because its headers name the encoding.
    pub fn compress(&self, on: bool) {
        let mut state = self.exchange.state.lock();
        state.compress = on && state.may_compress;
    }

    /// No more messages will be sent.
    pub fn half_close(&self) {
        self.exchange.state.lock().half_closed = true;
        self.exchange.io.wake();
    }

    /// Ends the call with CANCELLED; the peer is told.
    pub fn cancel(&self) {
        self.exchange.state.lock().cancelled = true;
        self.exchange.io.wake();
    }

    /// The response headers; `None` if the call ended without.
    pub async fn headers(&self) -> Option<Headers> {
        poll_fn(|cx| self.poll_headers(cx)).await
    }

    /// [`ClientCall::headers`] for who polls.
    pub fn poll_headers(&self, cx: &mut Context<'_>) -> Poll<Option<Headers>> {
        self.poll(cx, |state| match (&state.headers, &state.end) {
            (Some(headers), _) => Poll::Ready(Some(headers.clone())),
            (None, Some(_)) => Poll::Ready(None),
            (None, None) => Poll::Pending,
        })
    }

    /// The next message; `None` when the peer has sent its last, well or badly: see [`ClientCall::end`].
    pub async fn message(&self) -> Option<Message> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// [`ClientCall::message`] for who polls.
    pub fn poll_message(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let polled = self.poll(cx, |state| match (state.inbox.pop_front(), &state.end) {
            (Some(message), _) => {
                state.in_bytes -= message.data.len() + MESSAGE;
                Poll::Ready(Some(message))
            }
            (None, Some(_)) => Poll::Ready(None),
            (None, None) => Poll::Pending,
        });
        if polled.is_ready() {
            self.exchange.io.wake();
        }
        polled
    }

    /// The status and the trailers, once the call has ended.
    pub async fn end(&self) -> (Status, Headers) {
        poll_fn(|cx| self.poll_end(cx)).await
    }

    /// [`ClientCall::end`] for who polls.
    pub fn poll_end(&self, cx: &mut Context<'_>) -> Poll<(Status, Headers)> {
        self.poll(cx, |state| state.end.clone().map_or(Poll::Pending, Poll::Ready))
    }
}

impl Drop for ClientCall {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Ends a call that the I/O thread leaves behind: no wait of the application's is for ever.
pub(crate) struct Ends {
    exchange: Arc<Exchange>,
    path: Bytes,
}

impl Ends {
    pub fn new(exchange: Arc<Exchange>, request: &Request) -> Self {
        Self { exchange, path: request.path.clone() }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if self.exchange.state.lock().end.is_none() {
            self.exchange.end(attempt::thread_gone(&self.path), Headers::new());
        }
    }
}

/// The I/O thread's side: runs the call to its end.
pub(crate) async fn run(inner: Arc<Inner>, mut request: Request, ends: Ends) {
    let exchange = &ends.exchange;
    if let Err(status) = inner.intercept(&mut request) {
        return exchange.end(status, Headers::new());
    }
    let deadline = request.timeout.and_then(|t| Instant::now().checked_add(t));
    let mut timer = deadline.map(|d| Box::pin(tokio::time::sleep_until(d.into())));
    let place = Place::default();
    let mut exchanged = pin!(exchanged(&inner, &request, exchange, deadline, &place));
    let (status, trailers) = poll_fn(|cx| {
        exchange.io.register(cx.waker());
        if exchange.state.lock().cancelled {
            return Poll::Ready((place.left(&request), Headers::new()));
        }
        if let Poll::Ready(end) = exchanged.as_mut().poll(cx) {
            let late = is_late(&end.0, deadline);
            return Poll::Ready(if late { (place.too_late(&inner, &request), end.1) } else { end });
        }
        match timer.as_mut().map(|t| t.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready((place.too_late(&inner, &request), Headers::new())),
            _ => Poll::Pending,
        }
    })
    .await;
    exchange.end(status, trailers);
}

async fn exchanged(
    inner: &Inner,
    request: &Request,
    exchange: &Exchange,
    deadline: Option<Instant>,
    place: &Place,
) -> (Status, Headers) {
    let mut tries = 0;
    if let Err(status) = request.held_up().await {
        return (status, Headers::new());
    }
    loop {
        let ended = match attempt::open(inner, request, deadline, 0, place).await {
            Ok(attempt) => match both_ways(inner, &place.of(request), exchange, attempt).await {
                Ok(end) => return end,
                Err(ended) => ended,
            },
            Err(ended) => ended,
        };
        match ended {
            // A stream that was opened while the peer's GOAWAY was on its way.
            Ended::Unprocessed(_) if tries < UNPROCESSED && exchange.rewind() => {
                tries += 1;
                place.leave();
            }
            ended => return (ended.status(), Headers::new()),
        }
    }
}

async fn both_ways(
    inner: &Inner,
    place: &str,
    exchange: &Exchange,
    attempt: Attempt,
) -> Result<(Status, Headers), Ended> {
    let Attempt { mut sender, mut response, _active } = attempt;
    let mut sent_all = false;
    let mut receiving = pin!(receiving(inner, &mut response, exchange, place));
    poll_fn(|cx| {
        // A peer that has stopped reading says in its answer why: only the receiving side ends the call.
        while !sent_all {
            let (empty, half_closed) = {
                let state = exchange.state.lock();
                (state.out.is_empty(), state.half_closed)
            };
            if empty && half_closed {
                let _ = sender.data(Piece::bare(Bytes::new()), true);
                sent_all = true;
            }
            if empty {
                break;
            }
            match sender.poll_room(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => sent_all = true,
                Poll::Ready(Ok(())) => match send_next(exchange, &mut sender) {
                    Some(more) => sent_all = !more,
                    None => return Poll::Ready(Err(Ended::Status(attempt::too_long().at(place)))),
                },
            }
        }
        receiving.as_mut().poll(cx)
    })
    .await
}

/// Gives the engine the next message; whether the stream still takes more. `None`: the message is too long.
fn send_next(exchange: &Exchange, sender: &mut Sender) -> Option<bool> {
    let Some((message, compress)) = exchange.next() else { return Some(true) };
    let message = if compress { gzip::compress(&message) } else { message };
    Some(sender.data(Piece::message(compress, message)?, false).is_ok())
}

async fn receiving(
    inner: &Inner,
    response: &mut Answer,
    exchange: &Exchange,
    place: &str,
) -> Result<(Status, Headers), Ended> {
    let answered = poll_fn(|cx| response.poll(cx)).await;
    let (http_status, head, mut body, last) = answered.map_err(|b| Ended::broken(&b, place))?;
    exchange.state.lock().commit();
    let encoding = match attempt::judge(http_status, &head, last, || place.to_string()) {
        Ok(encoding) => encoding,
        Err(status) => return Ok((status, head.to_headers())),
    };
    exchange.tell(|state| state.headers = Some(head.to_headers()));
    let limit = inner.limits.max_message_size;
    let mut incoming = Incoming { reader: Reader::new(limit), backlog: BytesMut::new(), encoding, limit };
    poll_fn(|cx| incoming.poll(exchange, &mut body, cx)).await.map_err(|e| match e {
        Stopped::Broken(broken) => Ended::broken(&broken, place),
        Stopped::Status(status) => Ended::Status(status.at(place)),
    })?;
    let reader = incoming.reader;
    let trailers = attempt::trailers(&mut body).await.map_err(|b| Ended::broken(&b, place))?;
    Ok(match trailers {
        Some(trailers) => {
            let at = || place.to_string();
            let status = attempt::whole(attempt::ended(http_status, &trailers, at), reader.end().err(), at);
            (status, trailers.to_headers())
        }
        None => {
            let cut = reader.end().err().map(|e| e.status("response"));
            (cut.unwrap_or_else(|| attempt::no_status(http_status)).at(place), Headers::new())
        }
    })
}

/// Why nothing more is received.
enum Stopped {
    Broken(Broken),
    Status(Status),
}

/// What is between the stream and the inbox. Frames are taken off the engine in any case, because it counts unread
/// small ones against the peer; but the window of what the inbox has no room for is given back only later.
struct Incoming {
    reader: Reader,
    backlog: BytesMut,
    encoding: Encoding,
    limit: u32,
}

impl Incoming {
    /// Ready at the end of the data, when the inbox has had all of it.
    fn poll(&mut self, exchange: &Exchange, body: &mut Body, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        loop {
            // Also without a backlog: the reader may hold messages that the inbox had no room for.
            if self.fill(exchange).map_err(Stopped::Status)? && !self.backlog.is_empty() {
                let backlog = self.backlog.split().freeze();
                body.release(backlog.len());
                self.reader.push(backlog);
                continue;
            }
            match body.poll_data(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Err(broken))) => return Poll::Ready(Err(Stopped::Broken(broken))),
                Poll::Ready(Some(Ok(piece))) => {
                    if self.backlog.is_empty() && self.fill(exchange).map_err(Stopped::Status)? {
                        body.release(piece.len());
                        self.reader.push(piece);
                        self.fill(exchange).map_err(Stopped::Status)?;
                    } else {
                        self.backlog.extend_from_slice(&piece);
                    }
                }
                Poll::Ready(None) => {
                    let filled = self.fill(exchange).map_err(Stopped::Status)?;
                    return if filled && self.backlog.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending };
                }
            }
        }
    }

    /// Moves messages into the inbox; whether it has room for more.
    fn fill(&mut self, exchange: &Exchange) -> Result<bool, Status> {
        while exchange.state.lock().in_bytes <= INBOX {
            let Some(message) = self.reader.next().map_err(|e| e.status("response"))? else { return Ok(true) };
            let was_compressed = message.compressed;
            let data = attempt::inflated(message, self.encoding, self.limit)?;
            exchange.tell(|state| {
                state.in_bytes += data.len() + MESSAGE;
                state.inbox.push_back(Message { data, was_compressed });
            });
        }
        Ok(false)
    }
}
