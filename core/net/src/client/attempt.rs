//! One attempt of a call: a stream on one connection.

use super::Request;
use super::channel::Inner;
use super::pool::Lease;
use crate::Head;
use crate::http2::{self, Answer, Body, Broken, Sender};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use std::future::poll_fn;
use std::time::Instant;
use trilane_wire::content_type::{Kind, kind};
use trilane_wire::{Code, Encoding, Status, encoding, frame, timeout};

/// An open stream.
pub(crate) struct Attempt {
    pub sender: Sender,
    pub response: Answer,
    pub lease: Lease,
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
) -> Result<Attempt, Ended> {
    let lease = poll_fn(|cx| inner.pool.poll_lease(cx, request));
    let mut lease = lease.await.map_err(|status| Ended::Status(status.at(request.path())))?;
    let head = head(inner, request, deadline, attempts).map_err(Ended::Status)?;
    let opened = lease.requests.open(head);
    match opened {
        Ok((response, sender)) => Ok(Attempt { sender, response, lease }),
        // Nothing has left: the connection went away meanwhile.
        Err(broken) => Err(Ended::Unprocessed(broken.status().at(&place(request, &lease)))),
    }
}

/// What every message about a call starts with: the method and the peer.
pub(crate) fn place(request: &Request, lease: &Lease) -> String {
    format!("{} at {}", request.path(), lease.target)
}

fn head(
    inner: &Inner,
    request: &Request,
    deadline: Option<Instant>,
    attempts: u32,
) -> Result<http::Request<()>, Status> {
    let path = PathAndQuery::from_maybe_shared(request.path.clone()).map_err(|e| {
        Status::new(Code::Internal, format!("{:?} is no path of a call (/service/method): {e}", request.path()))
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
pub(crate) fn judge(status: u16, head: &Head, last: bool) -> Result<Encoding, Status> {
    if kind(head.get("content-type")) != Kind::Grpc && head.get("grpc-status").is_none() {
        return Err(Status::not_grpc(status, head.get("content-type")));
    }
    if last {
        return Err(ended(status, head));
    }
    // A status other than 200 with gRPC's content type comes from dubbo-java; its trailers tell what happened.
    // gRPC wants INTERNAL of a client; UNIMPLEMENTED is a server's word (grpc/doc/compression.md).
    Encoding::read(head.get("grpc-encoding")).map_err(|s| Status::new(Code::Internal, s.message()))
}

/// The status in trailers.
pub(crate) fn ended(http_status: u16, trailers: &Head) -> Status {
    if trailers.get("grpc-status") == Some(b"0") && trailers.get("grpc-message").is_none_or(<[u8]>::is_empty) {
        return Status::ok();
    }
    Status::read(&trailers.to_headers()).unwrap_or_else(|| no_status(http_status))
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
    Status::new(code, format!("the answer (HTTP status {http_status}) ended without grpc-status in its trailers"))
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
