//! The one place where a panic ends.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs an export's body; a panic inside becomes `on_panic`. No panic ever reaches the caller's frames.
pub fn boundary<R>(on_panic: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(on_panic)
}
