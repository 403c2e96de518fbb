//! Requests come in, calls go out: carriers.

use crate::boundary;
use crate::engine::TrilaneEngine;
use crate::text::{TrilaneStr, array, fill};
use trilane_engine::Kind;
use trilane_engine::inbound::MOST_VALUES;

/// Added to a kind: an edge may believe this caller.
const TRUSTED: u32 = 256;

/// Writes the names whose values `trilane_inbound` wants for this kind (0 HTTP and gRPC, 1 Dubbo, 2 message),
/// lower-case, and returns how many there are, 64 at most. The texts live as long as the engine; `snapshot_out` gets
/// their number.
///
/// # Safety
/// `out` is NULL or has room for `capacity` texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_inbound_names(
    engine: Option<&TrilaneEngine>,
    kind: u32,
    out: *mut TrilaneStr,
    capacity: usize,
    snapshot_out: Option<&mut u32>,
) -> usize {
    boundary(0, || {
        let Some((e, kind)) = engine.zip(Kind::from_number(kind)) else { return 0 };
        let (snapshot, names) = e.engine.inbound_names(kind);
        if let Some(out) = snapshot_out {
            *out = snapshot;
        }
        let kept: Vec<TrilaneStr> = names.iter().map(|name| e.keep(name)).collect();
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(&kept, out, capacity) }
    })
}

/// Decides the tag of an incoming request. `values[i]` belongs to name `i` of `trilane_inbound_names`; `ptr` NULL =
/// absent. `kind` with 256 added: the caller is one that `trilane_edge` trusts; without it an edge believes no carrier.
///
/// Bits of the answer: 0..16 tag; 16..24 source (0 none, 1 carried, 2 entry rule, 3 trace table, 4 own tag); 24..32
/// flags (1 stale: read the names again and ask once more; 2 off; 4 carriers disagreed; 8 malformed carrier; 16
/// observe; 32 no tag at this tagged copy: tell `trilane_untagged` who sent it). For tag 65535 (unknown): 32..40
/// position in `values`, 40..56 offset, 56..64 length of its bytes.
///
/// # Safety
/// `values` has `len` texts, all valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_inbound(
    engine: Option<&TrilaneEngine>,
    kind: u32,
    snapshot: u32,
    values: *const TrilaneStr,
    len: usize,
) -> u64 {
    const OFF: u64 = 2 << 24;
    boundary(OFF, || {
        let trusted = kind & TRUSTED != 0;
        let Some((e, kind)) = engine.zip(Kind::from_number(kind & !TRUSTED)) else { return OFF };
        // SAFETY: the caller's promise about `values` and what they point to.
        let given = unsafe { array(values, len) };
        let mut read = [None; MOST_VALUES];
        for (slot, value) in read.iter_mut().zip(given) {
            // SAFETY: as above.
            *slot = unsafe { value.bytes() };
        }
        e.engine.inbound_from(trusted, kind, snapshot, &read[..given.len().min(MOST_VALUES)])
    })
}

/// Writes the lower-case names of what an edge (`trilane.edge=true`) removes from a request before the application or
/// `trilane_inbound` sees it, and returns how many there are; 0 where this is no edge. Of `baggage` only our member
/// goes: `trilane_baggage_set` without a tag. The names never change and live as long as the engine.
///
/// # Safety
/// `out` is NULL or has room for `capacity` texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_edge_names(
    engine: Option<&TrilaneEngine>,
    out: *mut TrilaneStr,
    capacity: usize,
) -> usize {
    boundary(0, || {
        let Some(e) = engine else { return 0 };
        let kept: Vec<TrilaneStr> = e.engine.edge_names().iter().map(|name| e.keep(name)).collect();
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(&kept, out, capacity) }
    })
}

/// What an edge does about the carriers of a request from this address (`10.0.0.1`, `10.0.0.1:80`, `[::1]:80`): 0
/// believe them (ask `trilane_inbound` with 256 added to the kind); 1 do not; 3 do not, and remove them.
///
/// # Safety
/// `peer` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_edge(engine: Option<&TrilaneEngine>, peer: TrilaneStr) -> u32 {
    boundary(0, || {
        // SAFETY: the caller's promise about `peer`.
        let peer = unsafe { peer.bytes() }.unwrap_or_default();
        engine.map_or(0, |e| e.engine.edge(peer))
    })
}

/// Counts a request from which an edge removed carriers.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_stripped(engine: Option<&TrilaneEngine>) {
    boundary((), || {
        if let Some(e) = engine {
            e.engine.stripped();
        }
    });
}

/// Notes who sent a request for which `trilane_inbound` answered with the flag 32.
///
/// # Safety
/// `peer` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_untagged(engine: Option<&TrilaneEngine>, peer: TrilaneStr) {
    boundary((), || {
        // SAFETY: the caller's promise about `peer`.
        let peer = unsafe { peer.bytes() }.unwrap_or_default();
        if let Some(e) = engine {
            e.engine.untagged(peer);
        }
    });
}

/// An outgoing call has no tag, and the binding found no reason why: `site` says where it was made. Counted and said
/// where requests with tags came in during the last two seconds. To be called once a second at most.
///
/// # Safety
/// `site` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_tag_lost(engine: Option<&TrilaneEngine>, site: TrilaneStr) {
    boundary((), || {
        // SAFETY: the caller's promise about `site`.
        let site = unsafe { site.bytes() }.unwrap_or_default();
        if let Some(e) = engine {
            e.engine.tag_lost(&String::from_utf8_lossy(site));
        }
    });
}

/// Writes the lower-case names of the headers that are passed through (`alicloud.service.header`), at most 32, and
/// returns how many there are. They never change and live as long as the engine.
///
/// # Safety
/// `out` is NULL or has room for `capacity` texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_pass_names(
    engine: Option<&TrilaneEngine>,
    out: *mut TrilaneStr,
    capacity: usize,
) -> usize {
    boundary(0, || {
        let Some(e) = engine else { return 0 };
        let kept: Vec<TrilaneStr> = e.engine.pass_names().iter().map(|name| e.keep(name)).collect();
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(&kept, out, capacity) }
    })
}

/// Writes the lower-case names of the headers that name a trace (`trilane.trace.headers`, and those that rules ask for)
/// and returns how many there are; 0 where the trace-id table is not used. `trilane_inbound` notes and finds tags by
/// itself; an outgoing call of which no tag is known asks `trilane_trace_find`. The texts live as long as the engine.
///
/// # Safety
/// `out` is NULL or has room for `capacity` texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_trace_names(
    engine: Option<&TrilaneEngine>,
    out: *mut TrilaneStr,
    capacity: usize,
) -> usize {
    boundary(0, || {
        let Some(e) = engine else { return 0 };
        let kept: Vec<TrilaneStr> = e.engine.trace_names().iter().map(|name| e.keep(name)).collect();
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(&kept, out, capacity) }
    })
}

/// The number of the tag that came with a trace, by the value of a header that names it; 0 for none.
///
/// # Safety
/// `value` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_trace_find(engine: Option<&TrilaneEngine>, value: TrilaneStr) -> u32 {
    boundary(0, || {
        // SAFETY: the caller's promise about `value`.
        let value = unsafe { value.bytes() }.unwrap_or_default();
        engine.map_or(0, |e| u32::from(e.engine.trace_find(value).0))
    })
}

/// Which of a request's values for `trilane_pass_names` ride on with it: bit `i` for value `i`. At most 8 values and
/// 1,024 bytes together, printable ASCII; what is left behind is counted. `ptr` NULL = absent.
///
/// # Safety
/// `values` has `len` texts, all valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_pass(engine: Option<&TrilaneEngine>, values: *const TrilaneStr, len: usize) -> u32 {
    boundary(0, || {
        let Some(e) = engine else { return 0 };
        // SAFETY: the caller's promise about `values` and what they point to.
        let given = unsafe { array(values, len) };
        let mut read = [None; MOST_VALUES];
        for (slot, value) in read.iter_mut().zip(given) {
            // SAFETY: as above.
            *slot = unsafe { value.bytes() };
        }
        e.engine.pass(&read[..given.len().min(MOST_VALUES)])
    })
}

/// May carriers be written towards this `host[:port]`?
///
/// # Safety
/// `authority` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_known(engine: Option<&TrilaneEngine>, authority: TrilaneStr) -> bool {
    boundary(false, || {
        // SAFETY: the caller's promise about `authority`.
        let authority = unsafe { authority.bytes() };
        engine.zip(authority).is_some_and(|(e, authority)| e.engine.known(authority))
    })
}

/// Writes the names of the carriers to write on an outgoing call of this kind, and returns how many there are. The
/// texts live as long as the engine. `baggage` is not among them: see `trilane_baggage_set`.
///
/// # Safety
/// `out` is NULL or has room for `capacity` texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_carriers_write(
    engine: Option<&TrilaneEngine>,
    kind: u32,
    out: *mut TrilaneStr,
    capacity: usize,
) -> usize {
    boundary(0, || {
        let Some((e, kind)) = engine.zip(Kind::from_number(kind)) else { return 0 };
        let kept: Vec<TrilaneStr> = e.engine.carriers_write(kind).iter().map(|name| e.keep(name)).collect();
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(&kept, out, capacity) }
    })
}

/// Writes an existing `baggage` header with our member set to `tag` (absent or no tag: without it) and returns its
/// length. Other members keep their bytes and their order.
///
/// # Safety
/// `old` and `tag` are valid for the call; `out` is NULL or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_baggage_set(
    engine: Option<&TrilaneEngine>,
    old: TrilaneStr,
    tag: TrilaneStr,
    out: *mut u8,
    capacity: usize,
) -> usize {
    boundary(0, || {
        // SAFETY: the caller's promise about `old` and `tag`.
        let (old, tag) = unsafe { (old.bytes().unwrap_or_default(), tag.bytes().unwrap_or_default()) };
        let Some(e) = engine else { return 0 };
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(&e.engine.baggage_set(old, tag), out, capacity) }
    })
}
