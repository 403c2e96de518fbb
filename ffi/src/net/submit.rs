//! Many calls started in one crossing.

use super::call::{TrilaneRequest, asked, ended};
use super::queue::{Queue, Record, TRILANE_RECORD_END};
use super::{Kind, TrilaneChannel, TrilaneNet};
use crate::boundary;
use crate::text::TrilaneStr;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use trilane_net::client::Cancel;
use trilane_net::{Code, Outcome, Status};

/// Starts a unary call; its only record is END.
pub const TRILANE_ITEM_UNARY: u32 = 1;
/// Ends the unary call of that tag with CANCELLED, if it was started by an item and has not ended.
pub const TRILANE_ITEM_CANCEL: u32 = 2;
/// Frees the channel, as `trilane_channel_free`.
pub const TRILANE_ITEM_FREE: u32 = 3;

const FIXED: usize = 48;

/// The unary calls that were started by items and have not ended.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<u64, Arc<Cancel>>>);

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Cancel>>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

struct Item<'a> {
    kind: u32,
    tag: u64,
    channel: u64,
    timeout_ns: u64,
    flags: u32,
    /// Path, metadata, message.
    parts: [&'a [u8]; 3],
}

/// Takes the first item off; `None` if there is none, or if it is cut.
fn first<'a>(rest: &mut &'a [u8]) -> Option<Item<'a>> {
    let number = |at: usize| Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from(number(at)?) | u64::from(number(at + 4)?) << 32);
    let (whole, tail) = rest.split_at_checked(number(0)? as usize)?;
    let mut bytes = whole.get(FIXED..)?;
    let mut parts = [&[][..]; 3];
    for (n, part) in parts.iter_mut().enumerate() {
        (*part, bytes) = bytes.split_at_checked(number(36 + 4 * n)? as usize)?;
    }
    let (tag, channel, timeout_ns) = (long(8)?, long(16)?, long(24)?);
    let item = Item { kind: number(4)?, tag, channel, timeout_ns, flags: number(32)?, parts };
    *rest = tail;
    Some(item)
}

/// # Safety
/// The items' channels live, and who frees one uses it in no later item.
pub(super) unsafe fn start(net: &TrilaneNet, mut items: &[u8]) {
    while let Some(item) = first(&mut items) {
        let channel = item.channel as usize as *mut TrilaneChannel;
        match item.kind {
            // SAFETY: the caller's promise.
            TRILANE_ITEM_UNARY => unsafe { channel.as_ref() }.into_iter().for_each(|c| unary(net, c, &item)),
            TRILANE_ITEM_CANCEL => {
                let call = net.running.lock().get(&item.tag).cloned();
                call.into_iter().for_each(|call| call.cancel());
            }
            // SAFETY: the caller's promise: it came from `trilane_channel_open` and this is its last use.
            TRILANE_ITEM_FREE if !channel.is_null() => drop(unsafe { Box::from_raw(channel) }),
            _ => {}
        }
    }
}

fn unary(net: &TrilaneNet, channel: &TrilaneChannel, item: &Item<'_>) {
    let text = |bytes: &[u8]| TrilaneStr { ptr: bytes.as_ptr(), len: bytes.len() };
    let [path, metadata, message] = item.parts;
    let request = TrilaneRequest {
        struct_size: size_of::<TrilaneRequest>(),
        tag: item.tag,
        path: text(path),
        metadata: text(metadata),
        timeout_ns: item.timeout_ns,
        flags: item.flags,
        lane: TrilaneStr { ptr: std::ptr::null(), len: 0 },
    };
    let end = |status: Option<&Status>, data: &[u8]| {
        net.queue.push(&Record { kind: TRILANE_RECORD_END, tag: item.tag, status, data, ..Record::default() });
    };
    // SAFETY: its texts are parts of the item.
    let request = match unsafe { asked(channel, Some(&request)) } {
        Ok((request, _)) => request,
        Err((_, why)) => return end(Some(&Status::new(Code::Internal, why)), &[]),
    };
    let Kind::Net(to) = &channel.kind else { return end(None, message) };
    let (queue, running, tag): (Arc<Queue>, _, _) = (net.queue.clone(), net.running.clone(), item.tag);
    let done = Box::new(move |outcome: Outcome| {
        running.lock().remove(&tag);
        ended(&queue, tag, &outcome);
    });
    // Held until it is entered: its end, on another thread, takes it out again.
    let mut running = net.running.lock();
    running.insert(tag, to.unary_then(request, Bytes::copy_from_slice(message), done));
}

/// Does what the items ask for, in their order. One thread at a time. On a net of `trilane_net_driven` they are copied,
/// and done by who polls: at its next poll, or at once if it waits there; the calls of one poll leave together.
///
/// An item is: length of all with padding (`uint32_t`), kind (`uint32_t`), tag (`uint64_t`), the channel's pointer
/// (`uint64_t`; it belongs to this net), nanoseconds until the call gives up (`uint64_t`, 0: never), `TRILANE_CALL_…`
/// (`uint32_t`), lengths of path, metadata and message (`uint32_t` each), all little-endian; then these bytes, and
/// padding to 8. Metadata is as in `trilane_request`. A call that cannot be started ends with INTERNAL. What follows a
/// cut item is left out.
///
/// # Safety
/// `items` is NULL or valid. The items' channels live until an item frees them, and are in no later item.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_net_submit(net: Option<&TrilaneNet>, items: TrilaneStr) {
    boundary((), || {
        let Some(net) = net else { return };
        // SAFETY: the caller's promise.
        let items = unsafe { items.bytes().unwrap_or_default() };
        if net.driven.is_some() {
            net.queue.submit(items);
        } else {
            // SAFETY: the caller's promise.
            unsafe { start(net, items) };
        }
    });
}
