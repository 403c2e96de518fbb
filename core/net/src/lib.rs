//! Triple and gRPC over HTTP/2: a server and a client.
//!
//! A connection belongs to one `trilane-io` thread ([`Io`]), which reads, runs native unary handlers inline and
//! writes. No task is made for a stream. `http2` is the seam to the engine under it (now the `h2` crate): above it
//! there are opened streams, a view of headers, bodies, trailers and resets, and nothing of that crate.
//!
//! This crate knows nothing of tags and rules: what chooses an instance is a closure that the caller gives.

#![deny(unsafe_code)]

pub mod client;
mod gzip;
mod http2;
mod io;
mod keepalive;
mod limits;
pub mod server;
mod socket;
mod tls;

pub use client::{Channel, ClientCall, Outcome, Request, Retry};
pub use http2::Head;
pub use io::{Driven, Io};
pub use limits::Limits;
pub use server::{Call, Handler, Message, Peer, Server, ServerBuilder, ServerStream};
pub use tls::{ClientTls, Identity, ServerTls};
pub use trilane_wire::{Code, Headers, Status, path};
