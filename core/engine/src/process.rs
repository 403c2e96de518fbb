//! What a guest owes the process: quiet threads, and silence after a fork.
#![allow(unsafe_code)]

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static DISABLED: AtomicBool = AtomicBool::new(false);

/// Whether this is a forked child: our threads did not come along, so nothing here would ever change again.
pub fn disabled() -> bool {
    DISABLED.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    DISABLED.store(true, Ordering::Relaxed);
}

/// Has the child of a later `fork` disable the library. Called at the first explicit start.
pub fn watch_fork() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a plain function of this never unloaded library (`-z nodelete`) and only stores a flag.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

/// Starts a thread that takes no signal of the host's, so that its handlers run on its own threads.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<std::thread::JoinHandle<()>> {
    let builder = std::thread::Builder::new().name(name.into()).stack_size(256 << 10);
    // SAFETY: the sets are initialised by sigfillset/pthread_sigmask before they are read; the thread inherits the
    // mask that holds during `spawn`, and the caller's own mask is put back whatever `spawn` answers.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
            libc::sigdelset(&mut all, fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let spawned = builder.spawn(body);
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        spawned
    }
}

/// An anonymous file of this process, closed on exec, for its own user only. By number: glibc has the call since 2.27.
pub fn anonymous_file(name: &std::ffi::CStr) -> std::io::Result<std::fs::File> {
    const NOEXEC_SEAL: libc::c_uint = 8; // kernels since 6.3; some are told to insist on it
    let make = |flags: libc::c_uint| {
        // SAFETY: `name` is zero-terminated; the call keeps nothing of it.
        unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), libc::MFD_CLOEXEC | flags) }
    };
    let fd = match make(NOEXEC_SEAL) {
        -1 => make(0),
        fd => fd,
    };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    let file = unsafe { <std::fs::File as std::os::fd::FromRawFd>::from_raw_fd(fd as libc::c_int) };
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}
