//! One call as a handler sees it.

use crate::http2::Head;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trilane_wire::{Code, Encoding, Headers, Status, metadata, timeout};

/// Who called.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The address of the other end of the connection.
    pub address: SocketAddr,
    /// The peer's certificate chain, DER, leaf first; empty without mTLS.
    pub certificates: Arc<[Vec<u8>]>,
}

/// One call: what came with it, and what goes back beside its messages.
pub struct Call {
    pub(crate) uri: http::Uri,
    head: Head,
    peer: Peer,
    deadline: Option<Instant>,
    pub(crate) headers: Headers,
    pub(crate) trailers: Headers,
    pub(crate) compress: bool,
    pub(crate) was_compressed: bool,
    scope: Bytes,
}

impl Call {
    pub(crate) fn new(uri: http::Uri, head: Head, peer: Peer) -> Self {
        let deadline = head.get("grpc-timeout").and_then(timeout::parse).and_then(|t| Instant::now().checked_add(t));
        Self {
            uri,
            head,
            peer,
            deadline,
            headers: Headers::new(),
            trailers: Headers::new(),
            compress: false,
            was_compressed: false,
            scope: Bytes::new(),
        }
    }

    /// `/service/method`.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Whom the caller asked for (`:authority`); empty if it did not say.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |a| a.as_str())
    }

    /// The request's headers, as they are on the wire.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Who called.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What an interceptor left for the handler; empty if none did. This crate does not look at it.
    pub fn scope(&self) -> &Bytes {
        &self.scope
    }

    /// Leaves something for the handler.
    pub fn set_scope(&mut self, scope: Bytes) {
        self.scope = scope;
    }

    /// How long the caller still waits; `None` means for ever.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|d| d.saturating_duration_since(Instant::now()))
    }

    /// Whether the (last) request message had the compressed flag.
    pub fn was_compressed(&self) -> bool {
        self.was_compressed
    }

    /// Whether the next messages are compressed; has an effect only if the caller accepts gzip.
    pub fn compress(&mut self, on: bool) {
        self.compress = on;
    }

    /// Adds a response header; bytes of a `-bin` key are given as they are. Too late once the first message is out.
    pub fn add_header(&mut self, key: &str, value: &[u8]) -> Result<(), Status> {
        metadata::push(&mut self.headers, key, value).map_err(|why| Status::new(Code::Internal, why))
    }

    /// Adds a trailer; bytes of a `-bin` key are given as they are.
    pub fn add_trailer(&mut self, key: &str, value: &[u8]) -> Result<(), Status> {
        metadata::push(&mut self.trailers, key, value).map_err(|why| Status::new(Code::Internal, why))
    }

    pub(crate) fn request_encoding(&self) -> Result<Encoding, Status> {
        Encoding::read(self.head.get("grpc-encoding"))
    }

    pub(crate) fn takes_gzip(&self) -> bool {
        Encoding::Gzip.accepted_by(self.head.get("grpc-accept-encoding"))
    }
}
