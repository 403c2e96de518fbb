//! The seam to HTTP/2: a stream opened, a view of its headers, its body, its trailers, its reset. Today's engine under
//! it is the `h2` crate; nothing of that crate or of `http` is seen above this file.

use crate::limits::Limits;
use bytes::{Buf, Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use std::future::Future;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use trilane_wire::{Code, Headers, Status, frame};

/// Up to so many headers are looked through: that is less work than to check and hash the name.
const FEW: usize = 16;

/// Received headers or trailers, seen where they are.
#[derive(Default)]
pub struct Head {
    map: HeaderMap,
}

impl Head {
    /// The first value of that (lower-case) name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        if self.map.len() > FEW {
            return self.map.get(name).map(|v| v.as_bytes());
        }
        self.map.iter().find(|(n, _)| n.as_str() == name).map(|(_, v)| v.as_bytes())
    }

    /// Names and values; the values of one name in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.map.iter().map(|(n, v)| (n.as_str().as_bytes(), v.as_bytes()))
    }

    /// A copy in our own form.
    pub fn to_headers(&self) -> Headers {
        self.iter().collect()
    }

    pub(crate) fn new(map: HeaderMap) -> Self {
        Self { map }
    }
}

/// Adds headers of ours. What HTTP/2 cannot carry is left out: it was refused when it was set.
pub(crate) fn append(map: &mut HeaderMap, headers: &Headers) {
    for (name, value) in headers.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
}

/// A message with its prefix, or bare bytes, as the engine takes data: without a copy of the message.
pub(crate) struct Piece {
    prefix: [u8; frame::PREFIX],
    at: u8,
    data: Bytes,
}

impl Piece {
    /// A framed message; `None` if it is longer than 4 GiB.
    pub fn message(compressed: bool, data: Bytes) -> Option<Piece> {
        let length = u32::try_from(data.len()).ok()?;
        Some(Piece { prefix: frame::prefix(compressed, length), at: 0, data })
    }

    /// Takes the first `n` bytes off.
    fn split(&mut self, n: usize) -> Piece {
        let prefix = frame::PREFIX - self.at as usize;
        let first = Piece { prefix: self.prefix, at: self.at, data: self.data.split_to(n - prefix) };
        self.at = frame::PREFIX as u8;
        first
    }

    /// Bytes as they are.
    pub fn bare(data: Bytes) -> Piece {
        Piece { prefix: [0; frame::PREFIX], at: frame::PREFIX as u8, data }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        frame::PREFIX - self.at as usize + self.data.len()
    }

    fn chunk(&self) -> &[u8] {
        match &self.prefix[self.at as usize..] {
            [] => &self.data,
            prefix => prefix,
        }
    }

    fn chunks_vectored<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let parts = [&self.prefix[self.at as usize..], &self.data[..]];
        let mut used = 0;
        for (slot, part) in out.iter_mut().zip(parts.into_iter().filter(|p| !p.is_empty())) {
            *slot = IoSlice::new(part);
            used += 1;
        }
        used
    }

    fn advance(&mut self, n: usize) {
        let head = n.min(frame::PREFIX - self.at as usize);
        self.at += head as u8;
        self.data.advance(n - head);
    }
}

/// Why a stream ended early.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The peer reset this stream with that code.
    Reset(u32),
    /// The peer said that it has not looked at this stream: it may be sent again elsewhere.
    Unprocessed(String),
    /// The peer broke the protocol in this stream alone.
    Stream(String),
    /// The connection is gone, or one side broke the protocol.
    Connection(String),
}

impl Broken {
    pub(crate) fn from_h2(error: &h2::Error) -> Broken {
        match error.reason() {
            Some(Reason::REFUSED_STREAM) if error.is_remote() => {
                Broken::Unprocessed("the peer refused the stream: it is at its limit or ending; try later".into())
            }
            Some(Reason::NO_ERROR) if error.is_go_away() && error.is_remote() => {
                Broken::Unprocessed("the peer is going away (GOAWAY); try again".into())
            }
            Some(reason) if error.is_reset() && error.is_remote() => Broken::Reset(reason.into()),
            Some(_) if error.is_reset() => Broken::Stream(error.to_string()),
            Some(_) if error.is_library() => Broken::Connection(format!(
                "{error}; look at the peer: does it speak HTTP/2 here, both with TLS or both without?"
            )),
            Some(_) if error.is_go_away() => {
                Broken::Connection(format!("{error} (GOAWAY of the peer); look at the peer's log"))
            }
            _ => Broken::Connection(broken_io(&error.to_string())),
        }
    }

    /// The status that a call ends with, by gRPC's table of RST_STREAM codes.
    pub fn status(&self) -> Status {
        match self {
            Broken::Reset(code) => {
                let (status, advice) = match *code {
                    8 => (Code::Cancelled, "it gave the call up, or its deadline passed there; look at its log"),
                    11 => (Code::ResourceExhausted, "send it fewer calls at a time"),
                    12 => (Code::PermissionDenied, "it wants TLS, or a stronger one"),
                    7 => (Code::Unavailable, "it is at its limit or ending; try later"),
                    13 => (Code::Internal, "it wants HTTP/1.1 here; is this its port for gRPC?"),
                    _ => (Code::Internal, "look at its log, and at proxies between"),
                };
                let reason = Reason::from(*code);
                let why = reason.description();
                Status::new(status, format!("the peer reset the stream (HTTP/2 code {code}: {why}): {advice}"))
            }
            Broken::Unprocessed(why) => Status::new(Code::Unavailable, why.clone()),
            Broken::Stream(why) => {
                let advice = "look at the peer; are its headers or trailers longer than max_header_list_size?";
                Status::new(Code::Internal, format!("the peer broke HTTP/2 in this stream: {why}; {advice}"))
            }
            Broken::Connection(why) => Status::new(Code::Unavailable, format!("the connection broke: {why}")),
        }
    }
}

/// What to do after a connection that ended below HTTP/2.
fn broken_io(why: &str) -> String {
    // What a server of TLS 1.3 says after the handshake of a client whose certificate it does not take.
    let advice = match why.contains("fatal alert") {
        true => "does the server want a certificate of the client, from an authority that it trusts?",
        false => "the call may have run there: repeat it only if it may run twice",
    };
    format!("{why}; {advice}")
}

/// The receiving half of a stream.
pub(crate) struct Body {
    stream: RecvStream,
}

impl Body {
    pub fn new(stream: RecvStream) -> Self {
        Self { stream }
    }

    /// The next piece; `None` at the end. The peer may send as much again only after [`Body::release`].
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        self.stream.poll_data(cx).map_err(|e| Broken::from_h2(&e))
    }

    /// Gives the window of `n` bytes back.
    pub fn release(&mut self, n: usize) {
        let _ = self.stream.flow_control().release_capacity(n);
    }

    /// The trailers, once the data has ended.
    pub fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Head>, Broken>> {
        let trailers = ready!(self.stream.poll_trailers(cx));
        Poll::Ready(trailers.map(|t| t.map(Head::new)).map_err(|e| Broken::from_h2(&e)))
    }
}

/// Short messages are gathered up to one DATA frame of the usual size (RFC 9113 section 4.2).
const GATHERED: usize = 16_384;
/// A longer message is sent as it is, without a copy.
const SHORT: usize = 4_096;

/// The sending half of a stream, once its headers are out.
pub(crate) struct Sender {
    stream: SendStream<Piece>,
    /// Framed messages that go out as one piece: the engine writes each piece by a system call of its own. Only a
    /// server's streams have any; boxed, since a client's call is to stay small.
    gathered: Option<Box<BytesMut>>,
}

impl Sender {
    fn new(stream: SendStream<Piece>) -> Self {
        Self { stream, gathered: None }
    }

    /// Takes a message; a short one waits for others until [`Sender::flush`]. False if it is longer than 4 GiB.
    pub fn message(&mut self, compressed: bool, data: Bytes) -> Result<bool, Broken> {
        if data.len() > SHORT {
            self.flush()?;
            return match Piece::message(compressed, data) {
                Some(piece) => self.data(piece, false).map(|()| true),
                None => Ok(false),
            };
        }
        let gathered = self.gathered.get_or_insert_default();
        gathered.extend_from_slice(&frame::prefix(compressed, data.len() as u32));
        gathered.extend_from_slice(&data);
        if gathered.len() >= GATHERED { self.flush().map(|()| true) } else { Ok(true) }
    }

    /// Gives what was gathered to the engine. To be called when the handler has nothing more to say for now.
    pub fn flush(&mut self) -> Result<(), Broken> {
        match &mut self.gathered {
            Some(gathered) if !gathered.is_empty() => {
                let all = gathered.split().freeze();
                self.data(Piece::bare(all), false)
            }
            _ => Ok(()),
        }
    }

    fn waiting(&self) -> usize {
        self.gathered.as_ref().map_or(0, |gathered| gathered.len())
    }

    /// Ready when the stream may take another message: its queue is not over the limit and the peer's window is
    /// not empty.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        // What is gathered takes room too; where there is none for more, it goes out.
        self.stream.reserve_capacity(1 + self.waiting());
        loop {
            if self.stream.capacity() > self.waiting() {
                return Poll::Ready(Ok(()));
            }
            if self.waiting() > 0 {
                self.flush()?;
                self.stream.reserve_capacity(1);
                continue;
            }
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(e)) => return Poll::Ready(Err(Broken::from_h2(&e))),
                None => return Poll::Ready(Err(Broken::Connection("the stream was closed".into()))),
            }
        }
    }

    /// Queues data; what the window does not allow yet waits in the queue. No frame is longer than the usual size,
    /// whatever the peer announces: dubbo-java's clients ask for 8 MiB and break on what fills their window at once.
    pub fn data(&mut self, mut piece: Piece, end: bool) -> Result<(), Broken> {
        while piece.remaining() > GATHERED {
            self.stream.send_data(piece.split(GATHERED), false).map_err(|e| Broken::from_h2(&e))?;
        }
        self.stream.send_data(piece, end).map_err(|e| Broken::from_h2(&e))
    }

    /// Queues trailers, which end this half.
    pub fn trailers(&mut self, map: HeaderMap) -> Result<(), Broken> {
        self.flush()?;
        self.stream.send_trailers(map).map_err(|e| Broken::from_h2(&e))
    }

    /// Ready when the peer has reset the stream, or the connection is gone.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        match ready!(self.stream.poll_reset(cx)) {
            Ok(reason) => Poll::Ready(Broken::Reset(reason.into())),
            Err(e) => Poll::Ready(Broken::from_h2(&e)),
        }
    }
}

/// A request that a peer opened.
pub(crate) struct Opened {
    pub method: http::Method,
    pub uri: http::Uri,
    pub head: Head,
    pub body: Body,
    pub reply: Reply,
}

impl Opened {
    pub fn new(request: Request<RecvStream>, respond: h2::server::SendResponse<Piece>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            uri: parts.uri,
            head: Head::new(parts.headers),
            body: Body::new(body),
            reply: Reply::New(respond),
        }
    }
}

/// The answering half of an opened stream: headers first, then data, then trailers.
pub(crate) enum Reply {
    New(h2::server::SendResponse<Piece>),
    Open(Sender),
    Ended,
}

impl Reply {
    /// Sends gRPC's response headers with the given ones.
    pub fn headers(&mut self, more: &Headers, encoding: Option<&'static str>) -> Result<&mut Sender, Broken> {
        if let Reply::New(respond) = self {
            let mut response = Response::new(());
            let map = response.headers_mut();
            map.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            if let Some(encoding) = encoding {
                map.insert(HeaderName::from_static("grpc-encoding"), HeaderValue::from_static(encoding));
            }
            append(map, more);
            let sent = respond.send_response(response, false).map_err(|e| Broken::from_h2(&e));
            *self = sent.map(|stream| Reply::Open(Sender::new(stream)))?;
        }
        match self {
            Reply::Open(sender) => Ok(sender),
            _ => Err(Broken::Connection("the call has ended".into())),
        }
    }

    /// Ends the call: trailers, or headers and trailers in one frame where nothing was sent before.
    pub fn end(&mut self, status: &Status, headers: &Headers, trailers: &Headers) -> Result<(), Broken> {
        let mut map = HeaderMap::new();
        if let Reply::New(_) = self {
            map.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            append(&mut map, headers);
        }
        if status.is_ok() && status.message().is_empty() {
            map.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
        } else {
            let mut written = Headers::new();
            status.write(&mut written);
            append(&mut map, &written);
        }
        append(&mut map, trailers);
        match std::mem::replace(self, Reply::Ended) {
            Reply::New(mut respond) => {
                let mut response = Response::new(());
                *response.headers_mut() = map;
                respond.send_response(response, true).map(drop).map_err(|e| Broken::from_h2(&e))
            }
            Reply::Open(mut sender) => sender.trailers(map),
            Reply::Ended => Ok(()),
        }
    }

    /// Ends the call by a reset that says CANCEL; what was queued goes nowhere.
    pub fn cancel(&mut self) {
        match std::mem::replace(self, Reply::Ended) {
            Reply::New(mut respond) => respond.send_reset(Reason::CANCEL),
            Reply::Open(mut sender) => sender.stream.send_reset(Reason::CANCEL),
            Reply::Ended => {}
        }
    }

    /// Answers something that is not gRPC with a text.
    pub fn plain(&mut self, status: u16, body: Bytes) {
        let Reply::New(mut respond) = std::mem::replace(self, Reply::Ended) else { return };
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Ok(mut stream) = respond.send_response(response, false) {
            let _ = stream.send_data(Piece::bare(body), true);
        }
    }

    /// Sends what was gathered so far.
    pub fn flush(&mut self) {
        if let Reply::Open(sender) = self {
            let _ = sender.flush(); // a broken stream tells its handler at the next message
        }
    }

    /// Ready when the peer has reset the stream, or the connection is gone.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        match self {
            Reply::New(respond) => match ready!(respond.poll_reset(cx)) {
                Ok(reason) => Poll::Ready(Broken::Reset(reason.into())),
                Err(e) => Poll::Ready(Broken::from_h2(&e)),
            },
            Reply::Open(sender) => sender.poll_reset(cx),
            Reply::Ended => Poll::Pending,
        }
    }
}

/// The engine's server side with these limits.
pub(crate) fn server(limits: &Limits) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_header_list_size(limits.max_header_list_size)
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_send_buffer_size(limits.send_buffer)
        .max_pending_accept_reset_streams(limits.max_pending_resets)
        .max_local_error_reset_streams(Some(limits.max_error_resets))
        .data_frame_budget(limits.small_frame_budget);
    builder
}

/// The engine's client side with these limits.
pub(crate) fn client(limits: &Limits) -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_header_list_size(limits.max_header_list_size)
        .max_send_buffer_size(limits.send_buffer)
        .max_local_error_reset_streams(Some(limits.max_error_resets))
        .data_frame_budget(limits.small_frame_budget)
        .enable_push(false);
    builder
}

/// Opens streams on one client connection.
#[derive(Clone)]
pub(crate) struct Requests {
    handle: h2::client::SendRequest<Piece>,
}

impl Requests {
    pub fn new(handle: h2::client::SendRequest<Piece>) -> Self {
        Self { handle }
    }

    /// Whether the connection takes new streams: no GOAWAY came and nothing broke.
    pub fn alive(&mut self, cx: &mut Context<'_>) -> bool {
        !matches!(self.handle.poll_ready(cx), Poll::Ready(Err(_)))
    }

    /// How many streams the peer allows.
    pub fn most(&self) -> usize {
        self.handle.current_max_send_streams()
    }

    /// Opens a stream. Above the peer's limit it waits its turn inside the engine.
    pub fn open(&mut self, head: Request<()>) -> Result<(Answer, Sender), Broken> {
        let (future, stream) = self.handle.send_request(head, false).map_err(|e| Broken::from_h2(&e))?;
        Ok((Answer { future }, Sender::new(stream)))
    }
}

/// The answer to an opened stream.
pub(crate) struct Answer {
    future: h2::client::ResponseFuture,
}

impl Answer {
    /// HTTP status, headers, body, and whether the headers are all there is.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(u16, Head, Body, bool), Broken>> {
        let response = ready!(Pin::new(&mut self.future).poll(cx)).map_err(|e| Broken::from_h2(&e))?;
        let (parts, body) = response.into_parts();
        let last = body.is_end_stream();
        Poll::Ready(Ok((parts.status.as_u16(), Head::new(parts.headers), Body::new(body), last)))
    }
}
