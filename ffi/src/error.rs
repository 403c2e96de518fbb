//! Statuses and errors.

use crate::boundary;
use crate::text::fill;
use std::sync::atomic::{AtomicI64, Ordering};

/// How a call ended. Numbers are never given to another meaning.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrilaneStatus {
    /// Done.
    Ok = 0,
    /// A pointer that must not be NULL is NULL.
    NullArgument = 1,
    /// A text is not UTF-8.
    NotUtf8 = 2,
    /// The handle's object is gone.
    Gone = 3,
    /// An error inside the library; nothing was changed.
    Internal = 4,
    /// There is no room for another one.
    Full = 5,
    /// `struct_size` is none that this library knows.
    BadStruct = 6,
}

/// What went wrong, in words. Freed by `trilane_error_free`.
pub struct TrilaneError {
    message: String,
}

static LIVE_ERRORS: AtomicI64 = AtomicI64::new(0);

pub(crate) fn live_errors() -> i64 {
    LIVE_ERRORS.load(Ordering::Relaxed)
}

/// Hands an error out by the call's `error_out`, if the caller wants it, and returns its status.
pub(crate) fn refuse(
    error_out: Option<&mut *mut TrilaneError>,
    status: TrilaneStatus,
    message: String,
) -> TrilaneStatus {
    if let Some(out) = error_out {
        LIVE_ERRORS.fetch_add(1, Ordering::Relaxed);
        *out = Box::into_raw(Box::new(TrilaneError { message }));
    }
    status
}

/// Writes the error's message, UTF-8, and returns its length in bytes.
///
/// # Safety
/// `error` is NULL or came from this library and is not freed; `out` is NULL or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_error_message(error: Option<&TrilaneError>, out: *mut u8, capacity: usize) -> usize {
    boundary(0, || {
        let message = error.map_or("", |e| &e.message);
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(message.as_bytes(), out, capacity) }
    })
}

/// Frees an error. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_error_free(error: Option<Box<TrilaneError>>) {
    boundary((), || {
        if error.is_some() {
            LIVE_ERRORS.fetch_sub(1, Ordering::Relaxed);
        }
    });
}
