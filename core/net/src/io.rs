//! The `trilane-io` threads.

use parking_lot::Mutex;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// How many tasks run at most before sockets and timers are looked at again: all that are ready have their turn first.
/// With tokio's 61 that look came in the midst of the second round of 50 connections; who became ready just after it was
/// overtaken by most others (1.7 rounds of the queue, since then 1.0: `make bench BENCH="--only triple"`).
const LOOK: u32 = 1024;

/// A few threads, each with a runtime of its own on which connections live. Dropping the last reference ends them
/// and with them whatever still runs there.
pub struct Io {
    threads: Vec<Handle>,
    next: AtomicUsize,
    ends: Mutex<Vec<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Io {
    /// Starts `threads` threads (at least one) named `trilane-io`, with all signals masked.
    pub fn new(threads: usize) -> io::Result<Arc<Io>> {
        let mut handles = Vec::new();
        let mut ends = Vec::new();
        for _ in 0..threads.max(1) {
            let runtime = Builder::new_current_thread().event_interval(LOOK).enable_io().enable_time().build()?;
            handles.push(runtime.handle().clone());
            let (end, ended) = oneshot::channel::<()>();
            let named = std::thread::Builder::new().name("trilane-io".into());
            let thread = masked(|| {
                named.spawn(move || {
                    let _ = runtime.block_on(ended);
                    runtime.shutdown_background();
                })
            })?;
            ends.push((end, thread));
        }
        Ok(Arc::new(Io { threads: handles, next: AtomicUsize::new(0), ends: Mutex::new(ends) }))
    }

    /// The threads that everyone shares: as many as there are cores, at most four; started by the first call.
    pub fn shared() -> io::Result<Arc<Io>> {
        static SHARED: OnceLock<Arc<Io>> = OnceLock::new();
        if let Some(io) = SHARED.get() {
            return Ok(io.clone());
        }
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let made = Io::new(cores.min(4))?;
        Ok(SHARED.get_or_init(|| made).clone())
    }

    /// One runtime that the caller's thread drives. What is opened on it stands still while nobody does.
    pub fn driven() -> io::Result<(Arc<Io>, Driven)> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let threads = vec![runtime.handle().clone()];
        let io = Io { threads, next: AtomicUsize::new(0), ends: Mutex::default() };
        Ok((Arc::new(io), Driven { runtime }))
    }

    /// One thread's runtime, the next at each call.
    pub(crate) fn pick(&self) -> &Handle {
        &self.threads[self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len()]
    }

    /// Every thread's runtime.
    pub(crate) fn handles(&self) -> &[Handle] {
        &self.threads
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        for (end, thread) in self.ends.lock().drain(..) {
            drop(end);
            // The last reference may go on one of the threads: that one ends by itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

/// A runtime of an [`Io`] that has no thread of its own: it works while somebody is in [`Driven::until`]. For who waits
/// for answers in a thread of its own anyway: the thread that reads an answer hands it over without waking another.
pub struct Driven {
    runtime: Runtime,
}

impl Driven {
    /// Works until the future is ready. One thread at a time.
    pub fn until<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// [`Driven::until`], for at most that long; `None` if the future is not ready then.
    pub fn within<T>(&self, time: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
        match time {
            None => Some(self.until(future)),
            Some(time) => self.until(async { tokio::time::timeout(time, future).await.ok() }),
        }
    }
}

/// Runs `start` with every signal blocked, so that the thread it makes never runs the application's handlers.
#[allow(unsafe_code)]
fn masked<R>(start: impl FnOnce() -> R) -> R {
    // SAFETY: both sets are plain memory that sigfillset and pthread_sigmask fill before they are read; the thread
    // that is started inherits the mask, and this thread gets its own back.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let made = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        made
    }
}
