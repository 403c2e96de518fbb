//! Decisions.

use crate::boundary;
use crate::engine::TrilaneEngine;
use crate::error::TrilaneStatus;
use crate::text::{TrilaneStr, fill};
use trilane_engine::{TagId, outbound};

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
