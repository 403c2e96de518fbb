//! Bytes of Triple and gRPC, without I/O, threads or a clock.
//!
//! A call on the wire is: headers ([`Headers`]), messages ([`frame`]), trailers with a [`Status`]. What rides in
//! headers has a module each: [`metadata`], [`timeout`], [`encoding`], [`content_type`], [`triple`]; [`path`] finds
//! the service and method. [`proto`] reads and writes the few protobuf messages that are part of the protocol.

#![forbid(unsafe_code)]

pub mod content_type;
pub mod encoding;
pub mod frame;
mod headers;
pub mod metadata;
pub mod path;
pub mod percent;
pub mod proto;
mod status;
pub mod timeout;
pub mod triple;

pub use encoding::Encoding;
pub use headers::Headers;
pub use status::{Code, Status};
