//! What the bench programs share: a counting allocator and the CPU clock of a thread.
#![allow(dead_code)] // each program uses a part

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// The system's allocator with a count.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        LIVE_BYTES.fetch_add(layout.size() as i64, Relaxed);
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size() as i64, Relaxed);
        // SAFETY: the pointer came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How many allocations there were.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Relaxed)
}

/// Bytes that are allocated now.
pub fn live_bytes() -> i64 {
    LIVE_BYTES.load(Relaxed)
}

/// CPU time of this thread in nanoseconds.
pub fn cpu_nanos() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    assert_eq!(status, 0, "Linux has a CPU clock per thread");
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// The values of `--name NUMBER` options, in the order of `names`; anything else ends the program.
pub fn options(words: &[String], names: &[(&str, u64)]) -> Vec<u64> {
    let mut values: Vec<u64> = names.iter().map(|(_, usual)| *usual).collect();
    for pair in words.chunks(2) {
        let at = names.iter().position(|(name, _)| pair[0].strip_prefix("--") == Some(name));
        match (at, pair.get(1).and_then(|value| value.parse().ok())) {
            (Some(at), Some(number)) => values[at] = number,
            _ => panic!("{pair:?} is no option; there are {names:?}"),
        }
    }
    values
}
