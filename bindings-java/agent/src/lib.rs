//! The Java agent: how the library gets into a JVM and what it inserts there.
//!
//! Read in the order of a class's way: `exports` (what the VM calls), `start` (once per process), `jvmti` (the VM's table),
//! `vm` (is it one that was tested), `settings` (what the VM was told), `table` (which class gets which call),
//! `transform` (one class load), `unsupported` (libraries without rows), `bridge` (the Java classes the calls go to),
//! `natives` (what those ask back), `hooks` (one file of rows per library).

#![cfg_attr(not(feature = "jvm"), allow(dead_code))]

mod boundary;
mod bridge;
#[cfg(feature = "jvm")]
mod exports;
mod hooks;
mod jni;
mod jvmti;
mod natives;
mod pages;
mod settings;
mod start;
mod table;
mod transform;
mod unsupported;
mod vm;
