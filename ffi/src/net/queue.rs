//! Records that wait for the application.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use trilane_net::{Head, Headers, Status};
use trilane_wire::metadata;

/// The call has ended: status, trailers; of a unary call also headers and the reply. The last record of a call.
pub const TRILANE_RECORD_END: u32 = 1;
/// A message of a stream, asked for by `trilane_call_receive`.
pub const TRILANE_RECORD_MESSAGE: u32 = 2;
/// The response headers of a stream, asked for by `trilane_call_headers`.
pub const TRILANE_RECORD_HEADERS: u32 = 3;
/// A stream takes messages again, after `trilane_call_send` said that it is full.
pub const TRILANE_RECORD_ROOM: u32 = 4;

/// A server's call begins: see `trilane_server_method`.
pub const TRILANE_RECORD_SERVED: u32 = 5;
/// A message of a server's call, asked for by `trilane_served_receive`.
pub const TRILANE_RECORD_SERVED_MESSAGE: u32 = 6;
/// The caller has sent its last message; the answer to `trilane_served_receive`.
pub const TRILANE_RECORD_SERVED_LAST: u32 = 7;
/// A server's call takes messages again, after `trilane_served_send` said that it is full.
pub const TRILANE_RECORD_SERVED_ROOM: u32 = 8;
/// A server's call ended before the application ended it: cancelled, too late, or its connection is gone. The status
/// says which. The last record of such a call; none comes of a call that the application ended.
pub const TRILANE_RECORD_SERVED_GONE: u32 = 9;

const FIXED: usize = 40;

/// What the headers and trailers of a usual answer need, about.
const ROOM: usize = 128;

/// A buffer that grew larger than this is given back.
const KEPT: usize = 1 << 20;

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    there: Condvar,
}

#[derive(Default)]
struct State {
    records: VecDeque<Vec<u8>>,
    waiting: usize,
    /// What was submitted and not begun.
    items: Vec<u8>,
    /// Who drives the I/O until there are records.
    driver: Option<Waker>,
    closed: bool,
}

/// Headers of ours, or as they came.
#[derive(Clone, Copy)]
pub(crate) enum Fields<'a> {
    Ours(&'a Headers),
    Came(&'a Head),
}

/// One record's parts; those that it does not have are empty.
#[derive(Default)]
pub(crate) struct Record<'a> {
    pub kind: u32,
    pub tag: u64,
    pub status: Option<&'a Status>,
    /// In the places of the status code, message and details, where there is no status.
    pub number: u32,
    pub texts: [&'a [u8]; 2],
    pub headers: Option<Fields<'a>>,
    pub trailers: Option<Fields<'a>>,
    pub data: &'a [u8],
}

impl Record<'_> {
    fn encode(&self) -> Vec<u8> {
        let (code, message, details) = match self.status {
            Some(s) => (s.code().number(), s.message().as_bytes(), &s.details()[..]),
            None => (self.number, self.texts[0], self.texts[1]),
        };
        let mut out = Vec::with_capacity(FIXED + ROOM + message.len() + details.len() + self.data.len());
        for n in [0, self.kind, self.tag as u32, (self.tag >> 32) as u32, code] {
            out.extend(n.to_le_bytes());
        }
        out.resize(FIXED, 0);
        let mut parts = 5;
        let mut part = |out: &mut Vec<u8>, write: &dyn Fn(&mut Vec<u8>)| {
            let start = out.len();
            write(out);
            let length = (out.len() - start) as u32;
            out[4 * parts..4 * parts + 4].copy_from_slice(&length.to_le_bytes());
            parts += 1;
        };
        part(&mut out, &|out| out.extend_from_slice(message));
        part(&mut out, &|out| out.extend_from_slice(details));
        for fields in [self.headers, self.trailers] {
            part(&mut out, &|out| fields.iter().for_each(|f| f.flat(out)));
        }
        part(&mut out, &|out| out.extend_from_slice(self.data));
        out.resize(out.len().next_multiple_of(8), 0);
        let length = out.len() as u32;
        out[..4].copy_from_slice(&length.to_le_bytes());
        out
    }
}

impl Fields<'_> {
    /// Names and values with their lengths; `-bin` values decoded.
    fn flat(self, out: &mut Vec<u8>) {
        match self {
            Fields::Ours(headers) => headers.iter().for_each(|(n, v)| flat(n, v, out)),
            Fields::Came(head) => head.iter().for_each(|(n, v)| flat(n, v, out)),
        }
    }
}

fn flat(name: &[u8], wire: &[u8], out: &mut Vec<u8>) {
    let Some(value) = metadata::value(name, wire) else { return };
    for length in [name.len(), value.len()] {
        out.extend((length as u32).to_le_bytes());
    }
    out.extend_from_slice(name);
    out.extend_from_slice(&value);
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub fn push(&self, record: &Record<'_>) {
        let encoded = record.encode();
        let mut state = self.lock();
        state.records.push_back(encoded);
        if state.waiting > 0 {
            self.there.notify_one();
        }
        let driver = state.driver.take();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.there.notify_all();
        let driver = state.driver.take();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// Gives items to who drives the I/O.
    pub fn submit(&self, items: &[u8]) {
        let mut state = self.lock();
        state.items.extend_from_slice(items);
        let driver = state.driver.take();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// Gives items to `start` until there are records, or none will come. Records that are there at once are told at
    /// the second look: between the two, whoever drives this does its other work, however fast records come.
    pub async fn filled(&self, start: impl Fn(&[u8])) {
        let mut looked = false;
        poll_fn(|cx| {
            let mut state = self.lock();
            while !state.items.is_empty() {
                let mut items = std::mem::take(&mut state.items);
                drop(state);
                start(&items);
                items.clear();
                state = self.lock();
                if state.items.is_empty() && items.capacity() <= KEPT {
                    state.items = items;
                }
            }
            let first = !std::mem::replace(&mut looked, true);
            match !state.records.is_empty() || state.closed {
                true if first => cx.waker().wake_by_ref(),
                true => return Poll::Ready(()),
                false => state.driver = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await;
    }

    /// Waits for records and gives as many whole ones as fit into `capacity` to `write`, with their offsets.
    pub fn take(&self, timeout: Option<Duration>, capacity: usize, mut write: impl FnMut(usize, &[u8])) -> usize {
        let until = timeout.and_then(|t| Instant::now().checked_add(t));
        let mut state = self.lock();
        while state.records.is_empty() && !state.closed {
            let left = until.map(|u| u.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return 0;
            }
            state.waiting += 1;
            state = match left {
                Some(left) => self.there.wait_timeout(state, left).unwrap_or_else(|e| e.into_inner()).0,
                None => self.there.wait(state).unwrap_or_else(|e| e.into_inner()),
            };
            state.waiting -= 1;
        }
        let mut used = 0;
        while state.records.front().is_some_and(|r| used + r.len() <= capacity) {
            let record = state.records.pop_front().unwrap_or_default();
            write(used, &record);
            used += record.len();
        }
        if used == 0 { state.records.front().map_or(0, Vec::len) } else { used }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_in_batches_that_fit() {
        let queue = Queue::default();
        for tag in 0..3 {
            queue.push(&Record { kind: TRILANE_RECORD_MESSAGE, tag, data: b"hello", ..Record::default() });
        }
        let mut tags = Vec::new();
        assert_eq!(queue.take(None, 100, |_, r| tags.push(r[8])), 96);
        assert_eq!(queue.take(None, 10, |_, _| panic!("it does not fit")), 48);
        assert_eq!(queue.take(None, 48, |_, r| tags.push(r[8])), 48);
        assert_eq!(tags, [0, 1, 2]);
        assert_eq!(queue.take(Some(Duration::ZERO), 48, |_, _| {}), 0);
        queue.close();
        assert_eq!(queue.take(None, 48, |_, _| {}), 0);
    }
}
