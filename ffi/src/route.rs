//! Decisions.

use crate::boundary;
use crate::engine::TrilaneEngine;
use crate::error::TrilaneStatus;
use crate::text::{TrilaneStr, array, fill};
use trilane_engine::{TagId, outbound};

/// So many values of one call are read; what a rule file asks for beyond counts as absent.
const MOST_VALUES: usize = 256;
/// Most rules read no more than so many: fewer bytes to clear for each call.
const FEW_VALUES: usize = 16;
/// `trilane_route_names`: rules of another dialect decide.
const BY_CALL: u32 = 1;
/// `trilane_route_names`: destinations may have a delay, an abort or a timeout.
const POLICY: u32 = 2;

/// What is to be done with one call besides choosing its instance. Set `struct_size` to `sizeof(trilane_policy)`; 0 is
/// nothing.
#[repr(C)]
pub struct TrilanePolicy {
    /// `sizeof(trilane_policy)`.
    pub struct_size: usize,
    /// Milliseconds to wait before the call is sent.
    pub delay_ms: u32,
    /// HTTP status to answer in place of sending it.
    pub abort_http: u32,
    /// gRPC status to answer in place of sending it.
    pub abort_grpc: u32,
    /// Milliseconds for the whole call.
    pub timeout_ms: u32,
}

/// Decides and picks, in one call. `tag` is a number of this engine (0 none, 65535 unknown); `key` is kept for weighted
/// destinations, pass 0; `entropy` picks; `stamp` is the one under which the caller read its subsets.
///
/// Bits of the answer: 0..32 index (0xFFFFFFFF none); 32..48 subset (0xFFFF none, 0xFFFE every instance); 48..56 case
/// (0 own lane, 1 fallback noinstances, 2 fallback noavailabled, 3 nothing may serve, 4 baseline missing: all);
/// 56..64 flags (1 stale: read the subsets again, ask once more, else leave it to the framework; 2 off and 4 observe:
/// leave it to the framework; 8 the request does not meet its own lane).
#[unsafe(no_mangle)]
pub extern "C" fn trilane_route(
    engine: Option<&TrilaneEngine>,
    list: u64,
    tag: u32,
    key: u64,
    entropy: u64,
    stamp: u32,
) -> u64 {
    let left_alone = outbound::OFF | u64::from(outbound::NO_SUBSET) << 32 | u64::from(outbound::NO_INDEX);
    boundary(left_alone, || {
        let tag = TagId(u16::try_from(tag).unwrap_or(TagId::UNKNOWN.0));
        engine.map_or(left_alone, |e| e.engine.route(list, tag, key, entropy, stamp))
    })
}

/// Writes the names of the values of a call that deciding about this list reads, and returns how many there are: a
/// header or attachment by its name, lower-case, else with a colon: `:path` (with its query; of an RPC
/// `/service/method`), `:method` (GET), `:authority`, `:scheme`, `:service`, `:rpc-method`, `:arg.0` (the text of the
/// first argument), `:caller`. The texts live as long as the engine; the stamp is the list's, 0 when it is gone.
/// `flags_out`: 1 rules decide that want values and entropy (`trilane_route_with`; without, `trilane_route` is enough);
/// 2 destinations may have a delay, an abort or a timeout (`trilane_policy_of`). Ask again when a route answers stale.
///
/// # Safety
/// `out` is NULL or has room for `capacity` texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_route_names(
    engine: Option<&TrilaneEngine>,
    list: u64,
    out: *mut TrilaneStr,
    capacity: usize,
    flags_out: Option<&mut u32>,
    stamp_out: Option<&mut u32>,
) -> usize {
    boundary(0, || {
        let Some(e) = engine else { return 0 };
        let asked = e.engine.route_names(list);
        if let Some(flags_out) = flags_out {
            *flags_out = if asked.by_call { BY_CALL } else { 0 } | if asked.policy { POLICY } else { 0 };
        }
        if let Some(stamp_out) = stamp_out {
            *stamp_out = asked.stamp;
        }
        let kept: Vec<TrilaneStr> = asked.names.iter().map(|name| e.keep(name)).collect();
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(&kept, out, capacity) }
    })
}

/// Decides as `trilane_route` does, with the values of the call: `values[i]` belongs to name `i` of
/// `trilane_route_names`; `ptr` NULL = absent. At most 256 are read. The answer is that of `trilane_route`; where the
/// subset is none and the index is not, that one instance serves.
///
/// # Safety
/// `values` has `len` texts, all valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_route_with(
    engine: Option<&TrilaneEngine>,
    list: u64,
    tag: u32,
    entropy: u64,
    stamp: u32,
    values: *const TrilaneStr,
    len: usize,
) -> u64 {
    let left_alone = outbound::OFF | u64::from(outbound::NO_SUBSET) << 32 | u64::from(outbound::NO_INDEX);
    boundary(left_alone, || {
        let Some(e) = engine else { return left_alone };
        let tag = TagId(u16::try_from(tag).unwrap_or(TagId::UNKNOWN.0));
        // SAFETY: the caller's promise about `values`.
        unsafe { with_values(values, len, |values| e.engine.route_with(list, tag, entropy, stamp, values)) }
    })
}

/// Writes what is to be done with a call besides choosing its instance: where the names' flags have 2, and with the
/// very arguments that `trilane_route_with` got. Nothing in `observe`, and nothing when the stamp is outdated.
///
/// # Safety
/// `values` has `len` texts, all valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_policy_of(
    engine: Option<&TrilaneEngine>,
    list: u64,
    tag: u32,
    entropy: u64,
    stamp: u32,
    values: *const TrilaneStr,
    len: usize,
    policy_out: Option<&mut TrilanePolicy>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let Some((e, out)) = engine.zip(policy_out) else { return TrilaneStatus::NullArgument };
        if out.struct_size != size_of::<TrilanePolicy>() {
            return TrilaneStatus::BadStruct;
        }
        let tag = TagId(u16::try_from(tag).unwrap_or(TagId::UNKNOWN.0));
        // SAFETY: the caller's promise about `values`.
        let applied = unsafe { with_values(values, len, |values| e.engine.policy(list, tag, entropy, stamp, values)) };
        (out.delay_ms, out.timeout_ms) = (applied.delay, applied.timeout);
        (out.abort_http, out.abort_grpc) = (applied.abort_http, applied.abort_grpc);
        TrilaneStatus::Ok
    })
}

/// Hands a caller's texts on as the engine wants them, without an allocation.
///
/// # Safety
/// `values` is NULL or has `len` texts, all valid for the call.
unsafe fn with_values<R>(values: *const TrilaneStr, len: usize, body: impl FnOnce(&[Option<&[u8]>]) -> R) -> R {
    // SAFETY: the caller's promise.
    let given = unsafe { array(values, len) };
    let mut few = [None; FEW_VALUES];
    if given.len() <= FEW_VALUES {
        for (slot, value) in few.iter_mut().zip(given) {
            // SAFETY: as above.
            *slot = unsafe { value.bytes() };
        }
        return body(&few[..given.len()]);
    }
    let mut read = [None; MOST_VALUES];
    for (slot, value) in read.iter_mut().zip(given) {
        // SAFETY: as above.
        *slot = unsafe { value.bytes() };
    }
    body(&read[..given.len().min(MOST_VALUES)])
}

/// Writes the positions of a subset's usable instances, ascending; `len_out` gets their number, `stamp_out` the stamp
/// they belong to. With too little room nothing but the number is of use.
///
/// # Safety
/// `out` is NULL or has room for `capacity` positions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_subset(
    engine: Option<&TrilaneEngine>,
    list: u64,
    subset: u32,
    out: *mut u32,
    capacity: usize,
    len_out: Option<&mut usize>,
    stamp_out: Option<&mut u32>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let Some(e) = engine else { return TrilaneStatus::NullArgument };
        let mut positions = Vec::new();
        let subset = u16::try_from(subset).unwrap_or(outbound::NO_SUBSET);
        let stamp = e.engine.subset(list, subset, &mut positions);
        if stamp == 0 {
            return TrilaneStatus::Gone;
        }
        // SAFETY: the caller's promise about `out`.
        let len = unsafe { fill(&positions, out, capacity) };
        if let Some(len_out) = len_out {
            *len_out = len;
        }
        if let Some(stamp_out) = stamp_out {
            *stamp_out = stamp;
        }
        TrilaneStatus::Ok
    })
}

/// Decides as `trilane_route` does for the tag's bytes (absent = untagged) and writes how, as JSON; returns the length.
///
/// # Safety
/// `tag` is valid for the call; `out` is NULL or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_explain(
    engine: Option<&TrilaneEngine>,
    list: u64,
    tag: TrilaneStr,
    key: u64,
    entropy: u64,
    out: *mut u8,
    capacity: usize,
) -> usize {
    boundary(0, || {
        let Some(e) = engine else { return 0 };
        // SAFETY: the caller's promise about `tag`.
        let tag = unsafe { tag.bytes() }.unwrap_or_default();
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(e.engine.explain(list, tag, key, entropy).as_bytes(), out, capacity) }
    })
}

/// The list of the instances that the rules give a dialled `host:port`; 0 when they name none. New rules replace it:
/// when a route on it answers stale, ask here again.
///
/// # Safety
/// `authority` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_authority(engine: Option<&TrilaneEngine>, authority: TrilaneStr) -> u64 {
    boundary(0, || {
        // SAFETY: the caller's promise about `authority`.
        let authority = unsafe { authority.bytes() };
        engine.zip(authority).and_then(|(e, authority)| e.engine.authority(authority)).unwrap_or(0)
    })
}

/// Writes the address of an instance and returns its length; 0 when the list or the instance is gone.
///
/// # Safety
/// `out` is NULL or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_address(
    engine: Option<&TrilaneEngine>,
    list: u64,
    index: u32,
    out: *mut u8,
    capacity: usize,
) -> usize {
    boundary(0, || {
        let address = engine.and_then(|e| e.engine.address(list, index));
        // SAFETY: the caller's promise about `out`.
        address.map_or(0, |a| unsafe { fill(a.as_bytes(), out, capacity) })
    })
}
