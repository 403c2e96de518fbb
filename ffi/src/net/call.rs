//! Calls.

use super::queue::{
    Fields, Queue, Record, TRILANE_RECORD_END, TRILANE_RECORD_HEADERS, TRILANE_RECORD_MESSAGE, TRILANE_RECORD_ROOM,
};
use super::served::Pairs;
use super::{Kind, TrilaneChannel};
use crate::boundary;
use crate::error::{TrilaneError, TrilaneStatus, refuse};
use crate::text::TrilaneStr;
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use trilane_engine::{Engine, transport};
use trilane_net::client::Cancel;
use trilane_net::{ClientCall, Outcome, Request, Status};

/// Wait for a connection instead of failing while there is none.
pub const TRILANE_CALL_WAIT_FOR_READY: u32 = 1;
/// The call may run twice: it is sent again when the peer was unavailable.
pub const TRILANE_CALL_IDEMPOTENT: u32 = 2;
/// Compress the request's messages with gzip.
pub const TRILANE_CALL_GZIP: u32 = 4;

/// What a call asks for.
#[repr(C)]
pub struct TrilaneRequest {
    /// `sizeof(trilane_request)`.
    pub struct_size: usize,
    /// Comes back in every record of the call.
    pub tag: u64,
    /// `/service/method`.
    pub path: TrilaneStr,
    /// Metadata: pairs, each: length of name, length of value (little-endian `uint32_t`), name, value. Values of `-bin`
    /// names are bytes.
    pub metadata: TrilaneStr,
    /// Nanoseconds until the call gives up; 0: never.
    pub timeout_ns: u64,
    /// `TRILANE_CALL_…`.
    pub flags: u32,
    /// The tag of the request that makes this call; absent: the baseline. Its carriers are written if they may go to
    /// the channel's target, and steer the call among the instances that the rules give the target. Carriers that are in
    /// the metadata stay, and steer.
    pub lane: TrilaneStr,
}

/// A call under way. Freed by `trilane_call_free`.
pub struct TrilaneCall {
    kind: Under,
}

enum Under {
    Unary(Option<Arc<Cancel>>),
    Stream(Arc<Stream>),
}

impl TrilaneRequest {
    /// # Safety
    /// The texts' pointers are NULL or valid.
    unsafe fn read(&self, authority: &str) -> Result<Request, String> {
        // SAFETY: the caller's promise.
        let (path, mut rest) = unsafe { (self.path.text(), self.metadata.bytes().unwrap_or_default()) };
        let path = path.filter(|p| p.starts_with('/')).ok_or("the path is not /service/method in UTF-8")?;
        let on = |flag| self.flags & flag != 0;
        let mut request = Request::new(Bytes::copy_from_slice(path.as_bytes()))
            .wait_for_ready(on(TRILANE_CALL_WAIT_FOR_READY))
            .idempotent(on(TRILANE_CALL_IDEMPOTENT))
            .compress(on(TRILANE_CALL_GZIP));
        if self.timeout_ns > 0 {
            request = request.timeout(Duration::from_nanos(self.timeout_ns));
        }
        while !rest.is_empty() {
            let (name, value) = pair(&mut rest).ok_or("the metadata is cut: lengths, name and value are expected")?;
            let name = str::from_utf8(name).map_err(|_| "a metadata name is not UTF-8")?;
            request = request.header(name, value)?;
        }
        // SAFETY: the caller's promise.
        let lane = unsafe { self.lane.bytes().unwrap_or_default() };
        if !lane.is_empty()
            && let Some(engine) = Engine::default()
        {
            transport::carry(&engine, authority, lane, request.headers_mut());
        }
        Ok(request)
    }
}

fn pair<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (lengths, tail) = rest.split_at_checked(8)?;
    let number = |at: usize| Some(u32::from_le_bytes(lengths[at..at + 4].try_into().ok()?) as usize);
    let (name, tail) = tail.split_at_checked(number(0)?)?;
    let (value, tail) = tail.split_at_checked(number(4)?)?;
    *rest = tail;
    Some((name, value))
}

/// All pairs, with their names in text; `None` if they are cut.
pub(crate) fn pairs(bytes: Option<&[u8]>) -> Option<Pairs> {
    let (mut rest, mut all) = (bytes.unwrap_or_default(), Vec::new());
    while !rest.is_empty() {
        let (name, value) = pair(&mut rest)?;
        all.push((str::from_utf8(name).ok()?.to_string(), value.to_vec()));
    }
    Some(all)
}

/// Why a request was refused: its status, and in words.
pub(super) type Refused = (TrilaneStatus, String);

/// # Safety
/// As for [`TrilaneRequest::read`].
pub(super) unsafe fn asked(
    channel: &TrilaneChannel,
    request: Option<&TrilaneRequest>,
) -> Result<(Request, u64), Refused> {
    let request = request.ok_or((TrilaneStatus::NullArgument, "request is NULL".to_string()))?;
    if request.struct_size < size_of::<TrilaneRequest>() {
        let why = format!("struct_size is {}, {} is expected", request.struct_size, size_of::<TrilaneRequest>());
        return Err((TrilaneStatus::BadStruct, why));
    }
    // SAFETY: the caller's promise.
    let read = unsafe { request.read(&channel.authority) };
    read.map(|r| (r, request.tag)).map_err(|why| (TrilaneStatus::Internal, why))
}

/// Starts a unary call with this message, which is copied. One record comes: END with the reply as data.
///
/// # Safety
/// `request`, its texts and `message` are NULL or valid; `call_out` and `error_out` are NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_call_unary(
    channel: Option<&TrilaneChannel>,
    request: Option<&TrilaneRequest>,
    message: TrilaneStr,
    call_out: Option<&mut *mut TrilaneCall>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let (Some(channel), Some(out)) = (channel, call_out) else { return TrilaneStatus::NullArgument };
        // SAFETY: the caller's promise.
        let (asked, message) = unsafe { (asked(channel, request), message.bytes().unwrap_or_default()) };
        let (request, tag) = match asked {
            Ok(asked) => asked,
            Err((status, why)) => return refuse(error_out, status, why),
        };
        let queue = channel.queue.clone();
        let cancel = match &channel.kind {
            Kind::Echo => {
                let end = Record { kind: TRILANE_RECORD_END, tag, data: message, ..Record::default() };
                queue.push(&end);
                None
            }
            Kind::Net(channel) => {
                let done = Box::new(move |outcome: Outcome| ended(&queue, tag, &outcome));
                Some(channel.unary_then(request, Bytes::copy_from_slice(message), done))
            }
        };
        *out = Box::into_raw(Box::new(TrilaneCall { kind: Under::Unary(cancel) }));
        TrilaneStatus::Ok
    })
}

pub(super) fn ended(queue: &Queue, tag: u64, outcome: &Outcome) {
    queue.push(&Record {
        kind: TRILANE_RECORD_END,
        tag,
        status: Some(&outcome.status),
        headers: Some(Fields::Came(&outcome.headers)),
        trailers: Some(Fields::Came(&outcome.trailers)),
        data: &outcome.message,
        ..Record::default()
    });
}

/// A stream and what its application waits for.
struct Stream {
    call: ClientCall,
    tag: u64,
    queue: Arc<Queue>,
    wants: Mutex<Wants>,
}

#[derive(Default)]
struct Wants {
    message: bool,
    headers: bool,
    room: bool,
    ended: bool,
}

impl Wake for Stream {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

impl Stream {
    /// Tells what has become true of what is wanted; registers for the rest.
    fn look(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        let cx = &mut Context::from_waker(&waker);
        let mut wants = self.wants.lock().unwrap_or_else(|e| e.into_inner());
        let record = |kind| Record { kind, tag: self.tag, ..Record::default() };
        if wants.headers
            && let Poll::Ready(headers) = self.call.poll_headers(cx)
        {
            wants.headers = false;
            let headers = headers.unwrap_or_default();
            self.queue.push(&Record { headers: Some(Fields::Ours(&headers)), ..record(TRILANE_RECORD_HEADERS) });
        }
        if wants.room && self.call.poll_room(cx).is_ready() {
            wants.room = false;
            self.queue.push(&record(TRILANE_RECORD_ROOM));
        }
        if !wants.message || wants.ended {
            return;
        }
        match self.call.poll_message(cx) {
            Poll::Pending => {}
            Poll::Ready(Some(message)) => {
                wants.message = false;
                self.queue.push(&Record { data: &message.data, ..record(TRILANE_RECORD_MESSAGE) });
            }
            Poll::Ready(None) => {
                let Poll::Ready((status, trailers)) = self.call.poll_end(cx) else { return };
                wants.ended = true;
                let (status, trailers): (&Status, _) = (&status, &trailers);
                self.queue.push(&Record {
                    status: Some(status),
                    trailers: Some(Fields::Ours(trailers)),
                    ..record(TRILANE_RECORD_END)
                });
            }
        }
    }

    fn want(self: &Arc<Self>, set: impl FnOnce(&mut Wants)) {
        set(&mut self.wants.lock().unwrap_or_else(|e| e.into_inner()));
        self.look();
    }
}

/// Starts a call whose messages come and go one by one.
///
/// # Safety
/// As for `trilane_call_unary`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_call_stream(
    channel: Option<&TrilaneChannel>,
    request: Option<&TrilaneRequest>,
    call_out: Option<&mut *mut TrilaneCall>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let (Some(channel), Some(out)) = (channel, call_out) else { return TrilaneStatus::NullArgument };
        let Kind::Net(net) = &channel.kind else {
            return refuse(error_out, TrilaneStatus::Internal, "an echo channel has unary calls only".into());
        };
        // SAFETY: the caller's promise.
        let (request, tag) = match unsafe { asked(channel, request) } {
            Ok(asked) => asked,
            Err((status, why)) => return refuse(error_out, status, why),
        };
        let (call, queue) = (net.stream(request), channel.queue.clone());
        let stream = Arc::new(Stream { call, tag, queue, wants: Mutex::default() });
        *out = Box::into_raw(Box::new(TrilaneCall { kind: Under::Stream(stream) }));
        TrilaneStatus::Ok
    })
}

fn on_stream(call: Option<&TrilaneCall>, act: impl FnOnce(&Arc<Stream>) -> TrilaneStatus) -> TrilaneStatus {
    match call.map(|c| &c.kind) {
        Some(Under::Stream(stream)) => act(stream),
        Some(Under::Unary(_)) => TrilaneStatus::Gone,
        None => TrilaneStatus::NullArgument,
    }
}

/// Sends a message, which is copied. `FULL`: it was not taken; a ROOM record comes when the stream takes messages
/// again. Once the call has ended, messages go nowhere.
///
/// # Safety
/// `message` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_call_send(call: Option<&TrilaneCall>, message: TrilaneStr) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        on_stream(call, |stream| {
            let cx = &mut Context::from_waker(Waker::noop());
            if stream.call.poll_room(cx).is_pending() {
                stream.want(|w| w.room = true);
                return TrilaneStatus::Full;
            }
            // SAFETY: the caller's promise.
            let message = unsafe { message.bytes().unwrap_or_default() };
            stream.call.send_now(Bytes::copy_from_slice(message));
            TrilaneStatus::Ok
        })
    })
}

/// No more messages will be sent.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_call_half_close(call: Option<&TrilaneCall>) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        on_stream(call, |stream| {
            stream.call.half_close();
            TrilaneStatus::Ok
        })
    })
}

/// Asks for one message: a MESSAGE record comes, or END. Until then asking again has no effect.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_call_receive(call: Option<&TrilaneCall>) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        on_stream(call, |stream| {
            stream.want(|w| w.message = true);
            TrilaneStatus::Ok
        })
    })
}

/// Asks for the response headers: a HEADERS record comes, empty if the call ends without.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_call_headers(call: Option<&TrilaneCall>) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        on_stream(call, |stream| {
            stream.want(|w| w.headers = true);
            TrilaneStatus::Ok
        })
    })
}

/// Ends a call with CANCELLED; its END record still comes (of a stream: when it is asked for).
#[unsafe(no_mangle)]
pub extern "C" fn trilane_call_cancel(call: Option<&TrilaneCall>) {
    boundary((), || match call.map(|c| &c.kind) {
        Some(Under::Stream(stream)) => stream.call.cancel(),
        Some(Under::Unary(Some(cancel))) => cancel.cancel(),
        _ => {}
    });
}

/// Frees a call. A stream that has not ended is cancelled; a unary call goes on, and its record comes. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_call_free(call: Option<Box<TrilaneCall>>) {
    boundary((), || {
        if let Some(TrilaneCall { kind: Under::Stream(stream) }) = call.as_deref() {
            *stream.wants.lock().unwrap_or_else(|e| e.into_inner()) = Wants { ended: true, ..Wants::default() };
            stream.call.cancel();
        }
    });
}
