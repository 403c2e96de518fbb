//! Lists of instances.

use crate::boundary;
use crate::engine::TrilaneEngine;
use crate::error::{TrilaneError, TrilaneStatus, refuse};
use crate::text::{TrilaneStr, array};
use trilane_engine::{Change, Instance};

/// One member of an instance's metadata.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct TrilanePair {
    /// Its key.
    pub key: TrilaneStr,
    /// Its value.
    pub value: TrilaneStr,
}

/// One instance.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct TrilaneInstance {
    /// `host:port`.
    pub address: TrilaneStr,
    /// Those members of its metadata whose keys begin as design §3 lists them; more do no harm.
    pub metadata: *const TrilanePair,
    /// How many members.
    pub metadata_len: usize,
    /// Its one health bit.
    pub healthy: bool,
}

type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// # Safety
/// The instance's texts and its metadata are valid for `'a`.
unsafe fn read_instance<'a>(raw: &TrilaneInstance) -> Option<(&'a str, Pairs<'a>, bool)> {
    // SAFETY: the caller's promise.
    let (address, metadata) = unsafe { (raw.address.text()?, array(raw.metadata, raw.metadata_len)) };
    // SAFETY: as above.
    let pair = |p: &TrilanePair| unsafe { Some((p.key.text()?, p.value.text()?)) };
    Some((address, metadata.iter().map(pair).collect::<Option<Pairs<'a>>>()?, raw.healthy))
}

/// Runs `body` over the instances of a caller's array; `None` when a text is not UTF-8.
///
/// # Safety
/// As for [`read_instance`], for each of `len` instances.
unsafe fn with_instances<R>(raw: *const TrilaneInstance, len: usize, body: impl FnOnce(&[Instance]) -> R) -> Option<R> {
    // SAFETY: the caller's promise.
    let raw = unsafe { array(raw, len) };
    // SAFETY: as above.
    let read = raw.iter().map(|i| unsafe { read_instance(i) }).collect::<Option<Vec<_>>>()?;
    let instances: Vec<Instance> =
        read.iter().map(|(address, metadata, healthy)| Instance { address, metadata, healthy: *healthy }).collect();
    Some(body(&instances))
}

fn answer(id: Option<u64>, list_out: &mut u64, error_out: Option<&mut *mut TrilaneError>) -> TrilaneStatus {
    *list_out = id.unwrap_or(0);
    match id {
        None => refuse(error_out, TrilaneStatus::NotUtf8, "a name, address or metadata text is not UTF-8".into()),
        Some(0) => {
            let why = "no list was made: the list it derives from is gone, or 65,536 lists are live";
            refuse(error_out, TrilaneStatus::Full, why.into())
        }
        Some(_) => TrilaneStatus::Ok,
    }
}

/// Publishes a list of instances under the names by which rules may know it, and writes its id, never 0. It is freed
/// by `trilane_list_free`.
///
/// # Safety
/// `names` has `names_len` texts, `instances` has `instances_len` instances, everything valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_list_new(
    engine: Option<&TrilaneEngine>,
    names: *const TrilaneStr,
    names_len: usize,
    instances: *const TrilaneInstance,
    instances_len: usize,
    list_out: Option<&mut u64>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let (Some(e), Some(out)) = (engine, list_out) else { return TrilaneStatus::NullArgument };
        // SAFETY: the caller's promise about `names`.
        let names = unsafe { array(names, names_len) };
        // SAFETY: as above.
        let names: Option<Vec<&str>> = names.iter().map(|n| unsafe { n.text() }).collect();
        let id = names.and_then(|names| {
            // SAFETY: the caller's promise about `instances`.
            unsafe { with_instances(instances, instances_len, |i| e.engine.list_new(&names, i)) }
        });
        answer(id, out, error_out)
    })
}

/// Publishes the list that comes of another one by leaving positions out and appending instances. The other one
/// lives on until it is freed.
///
/// # Safety
/// `removed` has `removed_len` positions, `added` has `added_len` instances, everything valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_list_change(
    engine: Option<&TrilaneEngine>,
    list: u64,
    removed: *const u32,
    removed_len: usize,
    added: *const TrilaneInstance,
    added_len: usize,
    list_out: Option<&mut u64>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let (Some(e), Some(out)) = (engine, list_out) else { return TrilaneStatus::NullArgument };
        // SAFETY: the caller's promise about `removed`.
        let removed = unsafe { array(removed, removed_len) };
        // SAFETY: the caller's promise about `added`.
        let id =
            unsafe { with_instances(added, added_len, |added| e.engine.list_change(list, &Change { removed, added })) };
        answer(id, out, error_out)
    })
}

/// Sets the one health bit of an instance. The list's stamp moves if that changes anything.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_list_health(
    engine: Option<&TrilaneEngine>,
    list: u64,
    index: u32,
    healthy: bool,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let Some(e) = engine else { return TrilaneStatus::NullArgument };
        if e.engine.list_stamp(list) == 0 {
            return TrilaneStatus::Gone;
        }
        e.engine.list_health(list, index, healthy);
        TrilaneStatus::Ok
    })
}

/// Frees a list. Its id is never used again; routes on it answer stale.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_list_free(engine: Option<&TrilaneEngine>, list: u64) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || match engine {
        None => TrilaneStatus::NullArgument,
        Some(e) if e.engine.list_free(list) => TrilaneStatus::Ok,
        Some(_) => TrilaneStatus::Gone,
    })
}

/// The number of the list's state, by which `trilane_route` tells an outdated caller; 0 when it is gone.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_list_stamp(engine: Option<&TrilaneEngine>, list: u64) -> u32 {
    boundary(0, || engine.map_or(0, |e| e.engine.list_stamp(list)))
}
