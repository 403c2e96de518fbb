//! Records that wait for Java's poller, one behind the other in one buffer.
//!
//! A record is ten little-endian `u32` (length of all with padding; kind; number of the call, low and high; code;
//! lengths of: text, details, headers, trailers, data), the bytes in this order, and padding to 8.

use parking_lot::Mutex;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// A client's call has ended: status, trailers; of a unary call also headers and the reply.
pub(crate) const END: u32 = 1;
/// A message that was asked for.
pub(crate) const MESSAGE: u32 = 2;
/// The response headers of a stream.
pub(crate) const HEADERS: u32 = 3;
/// A stream takes messages again.
pub(crate) const ROOM: u32 = 4;
/// A call for a server: code is the method's place, text the peer, details the path, trailers the authority, data the
/// nanoseconds that are left (negative: no deadline), the server's number and the tag that the call came with.
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
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Where the first record that was not taken starts.
    start: usize,
    /// Who waits for the first record.
    waiting: Option<Waker>,
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
        let waiting = {
            let mut state = self.state.lock();
            record.encode(&mut state.bytes);
            state.waiting.take()
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Ready when there are records. Those that are there at once are told at the second look: between the two, whoever
    /// drives this does its other work, however fast records come.
    pub async fn filled(&self) {
        let mut looked = false;
        poll_fn(|cx| {
            let mut state = self.state.lock();
            let first = !std::mem::replace(&mut looked, true);
            match state.bytes.len() > state.start {
                true if first => cx.waker().wake_by_ref(),
                true => return Poll::Ready(()),
                false => state.waiting = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await;
    }

    /// Gives as many whole records as fit into `capacity` to `copy`; the bytes given. If the first one does not fit, its
    /// size, which is larger than `capacity`.
    pub fn take(&self, capacity: usize, copy: impl FnOnce(&[u8])) -> usize {
        let mut state = self.state.lock();
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
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    /// Whether a look at a queue finds records, as a poller without other work would see it.
    fn filled(queue: &Queue, waker: &Waker) -> bool {
        let mut looking = pin!(queue.filled());
        let cx = &mut Context::from_waker(waker);
        (0..2).any(|_| looking.as_mut().poll(cx).is_ready())
    }

    #[test]
    fn records_come_in_batches_that_fit() {
        let queue = Queue::default();
        for id in 0..3 {
            queue.push(&Record { kind: MESSAGE, id, data: b"hello", ..Record::default() });
        }
        let mut ids = Vec::new();
        let mut see = |bytes: &[u8]| ids.extend(bytes.chunks(48).map(|r| r[8]));
        assert_eq!(queue.take(100, &mut see), 96);
        assert_eq!(queue.take(10, |_| panic!("it does not fit")), 48);
        assert_eq!(queue.take(48, &mut see), 48);
        assert_eq!(ids, [0, 1, 2]);
        assert_eq!(queue.take(48, |b| assert!(b.is_empty())), 0);
    }

    #[test]
    fn the_first_record_wakes_and_others_do_not() {
        #[derive(Default)]
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (queue, count) = (Queue::default(), Arc::new(Count::default()));
        assert!(!filled(&queue, &count.clone().into()));
        (0..3).for_each(|id| queue.push(&Record { id, ..Record::default() }));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(filled(&queue, Waker::noop()));
    }

    /// Who empties the queue drives connections as well: these have their turn although there is always a record.
    #[test]
    fn records_that_are_there_wait_for_one_turn() {
        let queue = Queue::default();
        queue.push(&Record::default());
        let mut looking = pin!(queue.filled());
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(looking.as_mut().poll(cx).is_pending());
        assert!(looking.as_mut().poll(cx).is_ready());
    }

    #[test]
    fn a_queue_that_is_never_empty_gives_back_what_was_read() {
        let queue = Queue::default();
        let data = vec![0; 10_000];
        let record = Record { kind: MESSAGE, data: &data, ..Record::default() };
        let length = queue.pushed(&record);
        (0..20 * KEPT / length).for_each(|_| {
            queue.push(&record);
            assert_eq!(queue.take(length, |_| {}), length);
        });
        let state = queue.state.lock();
        assert!(state.bytes.len() > state.start, "a record is there");
        assert!(state.bytes.capacity() <= 4 * KEPT, "{} bytes are kept", state.bytes.capacity());
    }

    #[test]
    fn a_queue_that_was_large_gives_its_room_back() {
        let queue = Queue::default();
        let data = vec![0; 2 * KEPT];
        let length = queue.pushed(&Record { data: &data, ..Record::default() });
        assert_eq!(queue.take(length, |_| {}), length);
        assert_eq!(queue.state.lock().bytes.capacity(), 0);
    }

    impl Queue {
        /// The length of a record that was pushed to an empty queue.
        fn pushed(&self, record: &Record<'_>) -> usize {
            self.push(record);
            self.state.lock().bytes.len()
        }
    }
}
