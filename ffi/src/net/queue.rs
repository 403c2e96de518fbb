//! Records that wait for the application.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use trilane_net::{Headers, Status};
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

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    there: Condvar,
}

#[derive(Default)]
struct State {
    records: VecDeque<Vec<u8>>,
    waiting: usize,
    closed: bool,
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
    pub headers: Option<&'a Headers>,
    pub trailers: Option<&'a Headers>,
    pub data: &'a [u8],
}

impl Record<'_> {
    fn encode(&self) -> Vec<u8> {
        let (code, message, details) = match self.status {
            Some(s) => (s.code().number(), s.message().as_bytes(), &s.details()[..]),
            None => (self.number, self.texts[0], self.texts[1]),
        };
        let headers = self.headers.map(flat).unwrap_or_default();
        let trailers = self.trailers.map(flat).unwrap_or_default();
        let parts = [message, details, &headers, &trailers, self.data];
        let bytes: usize = parts.iter().map(|p| p.len()).sum();
        let length = (FIXED + bytes).next_multiple_of(8);
        let mut out = Vec::with_capacity(length);
        for n in [length as u32, self.kind, self.tag as u32, (self.tag >> 32) as u32, code] {
            out.extend(n.to_le_bytes());
        }
        for part in parts {
            out.extend((part.len() as u32).to_le_bytes());
        }
        for part in parts {
            out.extend_from_slice(part);
        }
        out.resize(length, 0);
        out
    }
}

/// Names and values with their lengths; `-bin` values decoded.
fn flat(headers: &Headers) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, wire) in headers.iter() {
        let Some(value) = metadata::value(name, wire) else { continue };
        for length in [name.len(), value.len()] {
            out.extend((length as u32).to_le_bytes());
        }
        out.extend_from_slice(name);
        out.extend_from_slice(&value);
    }
    out
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
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.there.notify_all();
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
