//! The transport's JNI natives: what `io.github.trilane.grpc.Native` calls.
//!
//! Java submits from any thread and returns at once; what happens to its calls comes out of `poll` as records, many at
//! a time, in one direct buffer (`queue`). Nothing calls up into the VM. A call is a number that Java knows; an operation
//! on a call that has ended does nothing, so no order of operations can touch freed memory. A call's last record takes
//! it out of the table: there is nothing to free.

mod client;
mod exports;
mod hub;
mod jni;
mod pairs;
mod queue;
mod server;

pub use exports::*;
