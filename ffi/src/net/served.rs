//! Calls that a server of the application's was asked for, from the record that begins one to its end.

use super::queue::{
    Fields, Queue, Record, TRILANE_RECORD_SERVED, TRILANE_RECORD_SERVED_GONE, TRILANE_RECORD_SERVED_LAST,
    TRILANE_RECORD_SERVED_MESSAGE, TRILANE_RECORD_SERVED_ROOM,
};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;
use trilane_engine::Engine;
use trilane_engine::transport::Inbound;
use trilane_net::{Code, ServerStream, Status};

/// Queued messages of one call, bytes; above it a message is not taken.
const ROOM: usize = 256 << 10;

/// What a queued message costs beside its bytes, about.
const MESSAGE: usize = 64;

const SHARDS: usize = 16;

/// Names and values of metadata.
pub(crate) type Pairs = Vec<(String, Vec<u8>)>;

/// The calls that are under way, by their number. A number is never used again.
pub(crate) struct Desk {
    queue: Arc<Queue>,
    inbound: Inbound,
    next: AtomicU64,
    calls: [Mutex<HashMap<u64, Arc<Served>>>; SHARDS],
}

impl Desk {
    pub fn new(queue: Arc<Queue>) -> Desk {
        Desk { queue, inbound: Inbound::default(), next: AtomicU64::new(1), calls: Default::default() }
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, HashMap<u64, Arc<Served>>> {
        lock(&self.calls[id as usize % SHARDS])
    }

    pub fn find(&self, id: u64) -> Option<Arc<Served>> {
        self.shard(id).get(&id).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// What the application wants of a call.
#[derive(Default)]
pub(crate) struct Served {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The I/O side's.
    waker: Option<Waker>,
    want_message: bool,
    want_room: bool,
    /// Response headers that are to be set; and whether they go before the first message.
    headers: Pairs,
    send_headers: bool,
    out: VecDeque<Bytes>,
    out_bytes: usize,
    end: Option<(Status, Pairs)>,
    over: bool,
}

impl Served {
    /// Changes what is wanted and wakes the I/O side; `None` if the application has ended the call.
    pub fn change<R>(&self, change: impl FnOnce(&mut Wishes<'_>) -> R) -> Option<R> {
        let mut state = lock(&self.state);
        if state.over {
            return None;
        }
        let changed = change(&mut Wishes(&mut state));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Some(changed)
    }
}

/// What may be changed.
pub(crate) struct Wishes<'s>(&'s mut State);

impl Wishes<'_> {
    pub fn receive(&mut self) {
        self.0.want_message = true;
    }

    pub fn headers(&mut self, headers: Pairs, now: bool) {
        self.0.headers.extend(headers);
        self.0.send_headers |= now;
    }

    /// Whether the message was taken.
    pub fn send(&mut self, message: &[u8]) -> bool {
        if self.0.out_bytes >= ROOM {
            self.0.want_room = true;
            return false;
        }
        self.queue(message);
        true
    }

    /// Takes a message without asking for room.
    pub fn queue(&mut self, message: &[u8]) {
        self.0.out_bytes += message.len() + MESSAGE;
        self.0.out.push_back(Bytes::copy_from_slice(message));
    }

    pub fn end(&mut self, status: Status, trailers: Pairs) {
        self.0.end = Some((status, trailers));
        self.0.over = true;
    }
}

/// Tells the application of a call and does what it wants until it ends the call.
pub(crate) async fn run(stream: &mut ServerStream, desk: Arc<Desk>, number: u32, unary: bool) -> Result<(), Status> {
    let mut message = Bytes::new();
    if unary {
        let missing = || Status::new(Code::Unimplemented, "a unary request has no message");
        message = stream.message().await?.ok_or_else(missing)?.data;
        if stream.message().await?.is_some() {
            return Err(Status::new(Code::Unimplemented, "a unary request has a second message"));
        }
    }
    let mut open = begin(stream, desk, number, &message);
    drop(message);
    let ended = poll_fn(|cx| open.served.poll(&open, stream, cx)).await;
    if let Err(status) = &ended
        && !lock(&open.served.state).over
    {
        open.why = Some(status.clone());
    }
    ended
}

/// A call in the desk while its future lives.
struct Open {
    desk: Arc<Desk>,
    id: u64,
    deadline: Option<Instant>,
    served: Arc<Served>,
    why: Option<Status>,
}

fn begin(stream: &mut ServerStream, desk: Arc<Desk>, number: u32, message: &Bytes) -> Open {
    let call = stream.call();
    let id = desk.next.fetch_add(1, Ordering::Relaxed);
    let deadline = call.deadline();
    let open = Open { id, deadline, served: Arc::default(), why: None, desk };
    open.desk.shard(id).insert(id, open.served.clone());
    let headers = call.head().to_headers();
    let peer = call.peer().address.to_string();
    let left = call.time_left().map_or(0, |t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX).max(1));
    let engine = Engine::default();
    let tag = engine.map(|e| open.desk.inbound.tag(&e, |name| call.head().get(name), &peer)).unwrap_or_default();
    let details = [&left.to_le_bytes()[..], &tag].concat();
    open.desk.queue.push(&Record {
        kind: TRILANE_RECORD_SERVED,
        tag: id,
        number,
        texts: [peer.as_bytes(), &details],
        headers: Some(Fields::Ours(&headers)),
        data: message,
        ..Record::default()
    });
    open
}

impl Drop for Open {
    fn drop(&mut self) {
        self.desk.shard(self.id).remove(&self.id);
        let over = std::mem::replace(&mut lock(&self.served.state).over, true);
        if over {
            return;
        }
        let late = self.deadline.is_some_and(|d| Instant::now() >= d);
        let gone = match late {
            true => Status::new(Code::DeadlineExceeded, "the caller's deadline passed on the server"),
            false => Status::new(Code::Cancelled, "the caller cancelled the call, or its connection is gone"),
        };
        let status = self.why.take().unwrap_or(gone);
        let record = Record { kind: TRILANE_RECORD_SERVED_GONE, tag: self.id, ..Record::default() };
        self.desk.queue.push(&Record { status: Some(&status), ..record });
    }
}

impl Served {
    fn poll(&self, open: &Open, stream: &mut ServerStream, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let state = &mut *lock(&self.state);
        if state.waker.as_ref().is_none_or(|w| !w.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        for (name, value) in state.headers.drain(..) {
            stream.call().add_header(&name, &value)?;
        }
        if std::mem::take(&mut state.send_headers) {
            stream.send_headers()?;
        }
        while let Some(message) = state.out.pop_front() {
            match stream.poll_room(cx) {
                Poll::Ready(room) => room?,
                Poll::Pending => {
                    state.out.push_front(message);
                    break;
                }
            }
            state.out_bytes -= message.len() + MESSAGE;
            stream.send_now(message)?;
        }
        let record = |kind| Record { kind, tag: open.id, ..Record::default() };
        if state.want_room && state.out_bytes < ROOM {
            state.want_room = false;
            open.desk.queue.push(&record(TRILANE_RECORD_SERVED_ROOM));
        }
        if state.out.is_empty()
            && let Some((status, trailers)) = state.end.take()
        {
            for (name, value) in trailers {
                stream.call().add_trailer(&name, &value)?;
            }
            return Poll::Ready(if status.is_ok() { Ok(()) } else { Err(status) });
        }
        if state.want_message && !state.over {
            let message = ready!(stream.poll_message(cx))?;
            state.want_message = false;
            open.desk.queue.push(&match &message {
                Some(message) => Record { data: &message.data, ..record(TRILANE_RECORD_SERVED_MESSAGE) },
                None => record(TRILANE_RECORD_SERVED_LAST),
            });
        }
        Poll::Pending
    }
}
