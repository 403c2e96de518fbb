//! The C ABI of Trilane: `include/trilane.h` is generated from here.
//!
//! Conventions (design §7): ownership is in the signature (`&` borrows for the call, `Box` gives or takes); NULL is a
//! status, never a crash; errors come back by the same call; every export runs inside [`boundary`]; any thread may
//! call anything. Texts are pointer and length, UTF-8, not NUL-terminated. Functions that fill a caller's buffer
//! return the length they need, so a call with capacity 0 asks for it.

mod boundary;
mod carriers;
mod engine;
mod error;
mod list;
/// cbindgen:ignore
#[cfg(feature = "net")]
mod net;
mod route;
mod text;

pub use boundary::boundary;
pub use carriers::*;
pub use engine::*;
pub use error::*;
pub use list::*;
#[cfg(feature = "net")]
pub use net::*;
pub use route::*;
pub use text::*;

// Exports of the Java agent reach the library only if the crate is linked.
#[cfg(feature = "jvm")]
pub use trilane_agent;
#[cfg(feature = "java")]
pub use trilane_java_client;

/// Number of this ABI; a binding refuses any other. Before 1.0 it moves with every change of a signature.
pub const TRILANE_ABI_VERSION: u32 = 2;
