//! The Triple client and server for C: submit and poll (feature `net`).
//!
//! Calls are submitted from any thread and return at once. What happens to them comes out of
//! `trilane_net_poll` as records, many at a time, in a buffer of the caller's. Nothing calls back.

mod call;
mod connect;
mod queue;
mod served;
mod server;
mod submit;

pub use call::*;
pub use connect::*;
use queue::Queue;
pub use queue::{
    TRILANE_RECORD_END, TRILANE_RECORD_HEADERS, TRILANE_RECORD_MESSAGE, TRILANE_RECORD_ROOM, TRILANE_RECORD_SERVED,
    TRILANE_RECORD_SERVED_GONE, TRILANE_RECORD_SERVED_LAST, TRILANE_RECORD_SERVED_MESSAGE, TRILANE_RECORD_SERVED_ROOM,
};
use served::Desk;
pub use server::*;
use submit::Running;
pub use submit::*;

use crate::boundary;
use crate::error::{TrilaneError, TrilaneStatus, refuse};
use std::sync::Arc;
use std::time::Duration;
use trilane_net::{Channel, Driven, Io};

/// A queue of records and the I/O threads that fill it. Freed by `trilane_net_free`.
pub struct TrilaneNet {
    queue: Arc<Queue>,
    desk: Arc<Desk>,
    /// Where channels live.
    io: Arc<Io>,
    /// Where servers live.
    threads: Arc<Io>,
    /// Drives `io` while somebody polls.
    driven: Option<Driven>,
    running: Arc<Running>,
}

/// Calls of one service. Freed by `trilane_channel_free`.
pub struct TrilaneChannel {
    kind: Kind,
    queue: Arc<Queue>,
    /// What it was opened for: the rules may name it.
    authority: String,
}

pub(crate) enum Kind {
    Net(Channel),
    /// Every unary call is answered with its own message, without a network.
    Echo,
}

/// Starts `threads` I/O threads (0: as many as there are cores, at most four) and makes an empty queue.
///
/// # Safety
/// `net_out` is NULL or may be written; `error_out` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_net_new(
    threads: usize,
    net_out: Option<&mut *mut TrilaneNet>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let Some(out) = net_out else { return TrilaneStatus::NullArgument };
        let made = if threads == 0 { Io::shared() } else { Io::new(threads.min(64)) };
        match made {
            Ok(io) => {
                *out = TrilaneNet::new(io.clone(), io, None);
                TrilaneStatus::Ok
            }
            Err(e) => refuse(error_out, TrilaneStatus::Internal, format!("the I/O threads cannot be started: {e}")),
        }
    })
}

/// As `trilane_net_new`, but the work of the channels is done by who polls, within `trilane_net_poll`, and
/// stands still while nobody does: for who always has one thread there. An answer is read by the thread that it is
/// given to. Servers have the I/O threads that everybody shares.
///
/// # Safety
/// `net_out` is NULL or may be written; `error_out` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_net_driven(
    net_out: Option<&mut *mut TrilaneNet>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let Some(out) = net_out else { return TrilaneStatus::NullArgument };
        match Io::driven().and_then(|made| Ok((made, Io::shared()?))) {
            Ok(((io, driven), threads)) => {
                *out = TrilaneNet::new(io, threads, Some(driven));
                TrilaneStatus::Ok
            }
            Err(e) => refuse(error_out, TrilaneStatus::Internal, format!("the I/O cannot be started: {e}")),
        }
    })
}

impl TrilaneNet {
    fn new(io: Arc<Io>, threads: Arc<Io>, driven: Option<Driven>) -> *mut TrilaneNet {
        let queue: Arc<Queue> = Arc::default();
        let desk = Arc::new(Desk::new(queue.clone()));
        Box::into_raw(Box::new(TrilaneNet { queue, desk, io, threads, driven, running: Arc::default() }))
    }
}

/// Frees the queue; who waits in `trilane_net_poll` gets 0. Its channels, calls and servers must be freed before. NULL is
/// allowed.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_net_free(net: Option<Box<TrilaneNet>>) {
    boundary((), || drop(net));
}

/// Wakes who waits in `trilane_net_poll`: it returns 0, now and whenever the queue is empty.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_net_close(net: Option<&TrilaneNet>) {
    boundary((), || {
        if let Some(net) = net {
            net.queue.close();
        }
    });
}

/// Waits at most `timeout_ns` (negative: for ever) for records and moves as many whole ones as fit into `out`;
/// returns the bytes written, 0 if none came. If the first one is larger than `capacity`, nothing is moved and its
/// size is returned, which is larger than `capacity`.
///
/// A record is ten little-endian `uint32_t`, then bytes, then padding to 8: length of all with padding; kind; tag (low,
/// high); status code of gRPC; lengths of: status message, status details, headers, trailers, data. The bytes follow
/// in this order. Headers and trailers are pairs, each: length of name, length of value (`uint32_t`), name, value;
/// values of `-bin` names are decoded.
///
/// # Safety
/// `out` may be written for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_net_poll(
    net: Option<&TrilaneNet>,
    out: *mut u8,
    capacity: usize,
    timeout_ns: i64,
) -> usize {
    boundary(0, || {
        let Some(net) = net.filter(|_| !out.is_null()) else { return 0 };
        let mut timeout = u64::try_from(timeout_ns).ok().map(Duration::from_nanos);
        if let Some(driven) = &net.driven {
            // SAFETY: who submitted promised it.
            driven.within(timeout, net.queue.filled(|items| unsafe { submit::start(net, items) }));
            timeout = Some(Duration::ZERO);
        }
        let capacity = capacity.min(isize::MAX as usize);
        // SAFETY: the caller's promise; the bytes are only written, through the pointer.
        net.queue.take(timeout, capacity, |at, bytes| unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), out.add(at), bytes.len());
        })
    })
}

/// A channel that answers every unary call with its own message, without a network: for tests of the crossing.
///
/// # Safety
/// `channel_out` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_channel_echo(
    net: Option<&TrilaneNet>,
    channel_out: Option<&mut *mut TrilaneChannel>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let (Some(net), Some(out)) = (net, channel_out) else { return TrilaneStatus::NullArgument };
        *out = Box::into_raw(Box::new(TrilaneChannel {
            kind: Kind::Echo,
            queue: net.queue.clone(),
            authority: String::new(),
        }));
        TrilaneStatus::Ok
    })
}

/// Frees a channel; its running calls end by themselves. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_channel_free(channel: Option<Box<TrilaneChannel>>) {
    boundary((), || drop(channel));
}
