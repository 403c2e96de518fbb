//! Records that wait for Java's poller, one behind the other in one buffer.
//!
//! A record is ten little-endian `u32` (length of all with padding; kind; number of the call, low and high; code;
//! lengths of: text, details, headers, trailers, data), the bytes in this order, and padding to 8.

use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// A client's call has ended: status, trailers; of a unary call also headers and the reply.
pub(crate) const END: u32 = 1;
/// A message that was asked for.
pub(crate) const MESSAGE: u32 = 2;
/// The response headers of a stream.
pub(crate) const HEADERS: u32 = 3;
/// A stream takes messages again.
pub(crate) const ROOM: u32 = 4;
/// A call for a server: code is the method's place, text the peer, details the path, trailers the authority, data the
/// nanoseconds that are left (negative: no deadline) and the server's number.
pub(crate) const CALL: u32 = 5;
/// The caller has sent its last message.
pub(crate) const HALF_CLOSE: u32 = 6;
/// A server's call was answered.
pub(crate) const COMPLETE: u32 = 7;
/// A server's call has ended without our answer: the caller went away, or its time is over.
pub(crate) const CANCELLED: u32 = 8;

const FIXED: usize = 40;
/// A buffer that grew larger than this is given back.
const KEPT: usize = 1 << 20;

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    there: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Where the first record that was not taken starts.
    start: usize,
    waiting: bool,
}

/// One record's parts; those that it does not have are empty.
#[derive(Default)]
pub(crate) struct Record<'a> {
    pub kind: u32,
    pub id: u64,
    pub code: u32,
    pub text: &'a [u8],
    pub details: &'a [u8],
    pub headers: &'a [u8],
    pub trailers: &'a [u8],
    pub data: &'a [u8],
}

impl Record<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let parts = [self.text, self.details, self.headers, self.trailers, self.data];
        let bytes: usize = parts.iter().map(|p| p.len()).sum();
        let start = out.len();
        let length = (FIXED + bytes).next_multiple_of(8);
        out.reserve(length);
        for n in [length as u32, self.kind, self.id as u32, (self.id >> 32) as u32, self.code] {
            out.extend(n.to_le_bytes());
        }
        for part in parts {
            out.extend((part.len() as u32).to_le_bytes());
        }
        for part in parts {
            out.extend_from_slice(part);
        }
        out.resize(start + length, 0);
    }
}

impl State {
    /// How many bytes of whole records fit; if none does, the first one's size as an error.
    fn fitting(&self, capacity: usize) -> Result<usize, usize> {
        let there = &self.bytes[self.start..];
        if there.len() <= capacity {
            return Ok(there.len());
        }
        let mut used = 0;
        loop {
            let length: [u8; 4] = there[used..used + 4].try_into().unwrap_or_default();
            let next = used + u32::from_le_bytes(length) as usize;
            match next > capacity {
                true if used == 0 => return Err(next),
                true => return Ok(used),
                false => used = next,
            }
        }
    }
}

impl Queue {
    pub fn push(&self, record: &Record<'_>) {
        let mut state = self.state.lock();
        record.encode(&mut state.bytes);
        if std::mem::take(&mut state.waiting) {
            self.there.notify_one();
        }
    }

    /// Waits at most `timeout` for records and gives as many whole ones as fit into `capacity` to `copy`; the bytes
    /// given. If the first one does not fit, its size, which is larger than `capacity`.
    pub fn take(&self, timeout: Option<Duration>, capacity: usize, copy: impl FnOnce(&[u8])) -> usize {
        let mut state = self.state.lock();
        while state.bytes.len() == state.start {
            state.waiting = true;
            match timeout {
                None => self.there.wait(&mut state),
                Some(timeout) if self.there.wait_for(&mut state, timeout).timed_out() => {
                    state.waiting = false;
                    break;
                }
                Some(_) => {}
            }
        }
        let used = match state.fitting(capacity) {
            Ok(used) => used,
            Err(needed) => return needed,
        };
        copy(&state.bytes[state.start..state.start + used]);
        state.start += used;
        if state.start == state.bytes.len() {
            state.start = 0;
            if state.bytes.capacity() > KEPT { state.bytes = Vec::new() } else { state.bytes.clear() }
        } else if state.start > KEPT && state.start > state.bytes.len() / 2 {
            // A queue that is never empty gives back what was read, too.
            let read = std::mem::take(&mut state.start);
            state.bytes.drain(..read);
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_in_batches_that_fit() {
        let queue = Queue::default();
        for id in 0..3 {
            queue.push(&Record { kind: MESSAGE, id, data: b"hello", ..Record::default() });
        }
        let mut ids = Vec::new();
        let mut see = |bytes: &[u8]| ids.extend(bytes.chunks(48).map(|r| r[8]));
        assert_eq!(queue.take(None, 100, &mut see), 96);
        assert_eq!(queue.take(None, 10, |_| panic!("it does not fit")), 48);
        assert_eq!(queue.take(None, 48, &mut see), 48);
        assert_eq!(ids, [0, 1, 2]);
        assert_eq!(queue.take(Some(Duration::ZERO), 48, |b| assert!(b.is_empty())), 0);
    }
}
