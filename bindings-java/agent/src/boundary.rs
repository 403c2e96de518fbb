//! The one door between the VM and Rust: no panic passes it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Runs one callback or native. A panic is counted and said once a minute, and `fallback` is what the VM gets.
///
/// Nothing here is shared with unfinished state: what a panicking callback was building is dropped.
#[inline]
pub(crate) fn boundary<T>(what: &'static str, fallback: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(_) => {
            crate::start::panicked(what);
            fallback
        }
    }
}

/// Keeps Rust's own panic message off the application's stderr for panics on threads that run our code.
///
/// Another Rust library in the process may have set a hook of its own: it stays and is called for its own panics.
pub(crate) fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = info.location().is_some_and(|at| at.file().contains("bindings-java"));
            if ours {
                eprintln!("trilane: error panic at={}", info.location().map_or(0, |at| at.line()));
            } else {
                before(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::boundary;

    #[test]
    fn a_panic_becomes_the_fallback_value() {
        assert_eq!(boundary("test", 7, || panic!("on purpose")), 7);
        assert_eq!(boundary("test", 7, || 8), 8);
    }
}
