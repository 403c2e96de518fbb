//! One attempt of a call: a stream on one connection.

use super::Request;
use super::channel::Inner;
use crate::Head;
use crate::http2::{self, Answer, Body, Broken, Sender};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use parking_lot::Mutex;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Instant;
use trilane_wire::content_type::{Kind, kind};
use trilane_wire::{Code, Encoding, Status, encoding, frame, timeout};

/// An open stream.
pub(crate) struct Attempt {
    pub sender: Sender,
    pub response: Answer,
    /// Held so that the pool and the PINGs know of a call under way.
    pub _active: Arc<()>,
}

/// Where a call is, for what is said about its end: at a peer, or without a connection yet.
#[derive(Default)]
pub(crate) struct Place(Mutex<Option<Arc<str>>>);

impl Place {
    /// The method and, if there is one, the peer.
    pub fn of(&self, request: &Request) -> String {
        match &*self.0.lock() {
            Some(peer) => format!("{} at {peer}", request.path()),
            None => request.path().to_string(),
        }
    }

    /// The call ends because its time is over.
    pub fn too_late(&self, inner: &Inner, request: &Request) -> Status {
        let after = request.timeout.unwrap_or_default();
        let why = match &*self.0.lock() {
            Some(_) => "is the peer slow, or the deadline too short?".to_string(),
            None => format!("{}; is the peer up, and the deadline long enough to connect?", inner.pool.why()),
        };
        Status::new(Code::DeadlineExceeded, format!("no answer within {after:?}; {why}")).at(&self.of(request))
    }

    /// The call ends because its caller wants it to.
    pub fn left(&self, request: &Request) -> Status {
        Status::new(Code::Cancelled, "the caller cancelled the call").at(&self.of(request))
    }

    /// The peer has not looked at the call: it is at none again.
    pub fn leave(&self) {
        *self.0.lock() = None;
    }
}

/// Why an attempt ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The peer has not looked at it: another attempt is no second run.
    Unprocessed(Status),
    /// It failed with this status.
    Status(Status),
}

impl Ended {
    pub fn broken(broken: &Broken, place: &str) -> Ended {
        let status = broken.status().at(place);
        if matches!(broken, Broken::Unprocessed(_)) { Ended::Unprocessed(status) } else { Ended::Status(status) }
    }

    pub fn status(self) -> Status {
        match self {
            Ended::Unprocessed(status) | Ended::Status(status) => status,
        }
    }
}

/// Opens a stream: waits for a connection, sends the headers.
pub(crate) async fn open(
    inner: &Inner,
    request: &Request,
    deadline: Option<Instant>,
    attempts: u32,
    at: &Place,
) -> Result<Attempt, Ended> {
    let opening = poll_fn(|cx| {
        inner.pool.poll_lease(cx, request, |lease| {
            *at.0.lock() = Some(lease.target.clone());
            let opened = head(inner, request, deadline, attempts).map(|head| lease.requests.open(head));
            (opened, lease.active.clone())
        })
    });
    let (opened, active) = opening.await.map_err(|status| Ended::Status(status.at(request.path())))?;
    match opened.map_err(|status| Ended::Status(status.at(&at.of(request))))? {
        Ok((response, sender)) => Ok(Attempt { sender, response, _active: active }),
        // Nothing has left: the connection went away meanwhile.
        Err(broken) => Err(Ended::Unprocessed(broken.status().at(&at.of(request)))),
    }
}

fn head(
    inner: &Inner,
    request: &Request,
    deadline: Option<Instant>,
    attempts: u32,
) -> Result<http::Request<()>, Status> {
    let path = PathAndQuery::from_maybe_shared(request.path.clone()).map_err(|e| {
        Status::new(Code::Internal, format!("this is no path of a call; /service/method is expected: {e}"))
    })?;
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(inner.scheme.clone());
    parts.authority = Some(inner.authority.clone());
    parts.path_and_query = Some(path);
    let mut head = http::Request::new(());
    *head.method_mut() = http::Method::POST;
    *head.version_mut() = http::Version::HTTP_2;
    *head.uri_mut() = Uri::from_parts(parts).map_err(|e| Status::new(Code::Internal, e.to_string()))?;
    let map = head.headers_mut();
    *map = inner.base.clone();
    if let Some(deadline) = deadline {
        let left = timeout::print(deadline.saturating_duration_since(Instant::now()));
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(left)) {
            map.insert(HeaderName::from_static("grpc-timeout"), value);
        }
    }
    if request.compress {
        map.insert(HeaderName::from_static("grpc-encoding"), HeaderValue::from_static("gzip"));
    }
    if attempts > 0 {
        map.insert(HeaderName::from_static("grpc-previous-rpc-attempts"), HeaderValue::from(attempts));
    }
    http2::append(map, &request.headers);
    Ok(head)
}

/// What the response headers say: the encoding of what follows; or that nothing follows, with the status.
pub(crate) fn judge(status: u16, head: &Head, last: bool, place: impl Fn() -> String) -> Result<Encoding, Status> {
    if kind(head.get("content-type")) != Kind::Grpc && head.get("grpc-status").is_none() {
        return Err(Status::not_grpc(status, head.get("content-type")).at(&place()));
    }
    if last {
        return Err(ended(status, head, place));
    }
    // A status other than 200 with gRPC's content type comes from dubbo-java; its trailers tell what happened.
    // gRPC wants INTERNAL of a client; UNIMPLEMENTED is a server's word (grpc/doc/compression.md).
    Encoding::read(head.get("grpc-encoding")).map_err(|s| Status::new(Code::Internal, s.message()).at(&place()))
}

/// The status in trailers. What a peer's application says is left as it is; only what we find is said with its place.
pub(crate) fn ended(http_status: u16, trailers: &Head, place: impl Fn() -> String) -> Status {
    if trailers.get("grpc-status") == Some(b"0") && trailers.get("grpc-message").is_none_or(<[u8]>::is_empty) {
        return Status::ok();
    }
    match (Status::read(&trailers.to_headers()), trailers.get("grpc-status").and_then(Code::read)) {
        (Some(said), Some(_)) => said,
        (Some(odd), None) => odd.at(&place()),
        (None, _) => no_status(http_status).at(&place()),
    }
}

/// What the trailers say; but an OK does not make a message whole that was cut.
pub(crate) fn whole(status: Status, cut: Option<frame::FrameError>, place: impl FnOnce() -> String) -> Status {
    match cut {
        Some(cut) if status.is_ok() => cut.status("response").at(&place()),
        _ => status,
    }
}

/// The status of an answer without `grpc-status`.
pub(crate) fn no_status(http_status: u16) -> Status {
    let code = if http_status == 200 { Code::Unknown } else { Code::from_http(http_status) };
    let what = "ended without grpc-status in its trailers; look at the peer's log, or for a proxy that cuts answers";
    Status::new(code, format!("the answer (HTTP status {http_status}) {what}"))
}

/// The status of a call whose thread ended before it.
pub(crate) fn thread_gone(path: &[u8]) -> Status {
    let why = "the transport's thread ended before the call: the last channel, or its Io, was dropped meanwhile";
    Status::new(Code::Unavailable, why).at(&String::from_utf8_lossy(path))
}

/// The status of a message that cannot be framed.
pub(crate) fn too_long() -> Status {
    Status::new(Code::ResourceExhausted, "the request's message is larger than 4 GiB, gRPC's limit; send it in parts")
}

/// What an answer ends with that is OK, but has no message.
pub(crate) fn no_message() -> Status {
    Status::new(Code::Unimplemented, "the answer is OK but has no message; is the method of another kind there?")
}

/// The application's bytes of a message.
pub(crate) fn inflated(message: frame::Message, encoding: Encoding, limit: u32) -> Result<Bytes, Status> {
    match (message.compressed, encoding) {
        (false, _) => Ok(message.data),
        (true, Encoding::Gzip) => crate::gzip::inflate(&message.data, limit),
        (true, Encoding::Identity) => Err(encoding::flag_without_encoding()),
    }
}

/// The trailers of a body that has ended.
pub(crate) async fn trailers(body: &mut Body) -> Result<Option<Head>, Broken> {
    poll_fn(|cx| body.poll_trailers(cx)).await
}
