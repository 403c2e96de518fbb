//! Where requests come from outside: what this process does not let in, what it passes on, and who came untagged.

use crate::count::Counter;
use crate::engine::Engine;
use crate::log::Level;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use trilane_lane::{Mode, carrier, pass, peer};

/// The answer of [`Engine::edge`]: this caller's carriers are not believed.
pub const UNTRUSTED: u32 = 1;
/// The answer of [`Engine::edge`]: remove what it brought, before the application sees it.
pub const REMOVE: u32 = 2;

/// So many addresses are told apart; further callers are counted together.
const MAX_PEERS: usize = 64;

/// What is remembered of those who came.
#[derive(Default)]
pub(crate) struct Border {
    /// Callers that sent untagged requests to this tagged copy; `None` stands for the rest.
    untagged: Mutex<BTreeMap<Option<IpAddr>, u64>>,
    dropped: AtomicBool,
}

impl Engine {
    /// The lower-case names of the headers, attachments and properties that an edge removes; empty where this is no
    /// edge. Of `baggage` only our member goes ([`Engine::baggage_set`] without a tag). Never changes in a process.
    pub fn edge_names(&self) -> Vec<String> {
        if !self.settings.edge {
            return Vec::new();
        }
        let fixed = [carrier::HEADER, carrier::MEMBER, carrier::DUBBO_TAG, carrier::BAGGAGE].map(str::to_string);
        let set = self.settings.carriers_read.iter().chain(&self.settings.carriers_write);
        let mut names: Vec<String> = fixed.into_iter().chain(set.map(|n| n.to_ascii_lowercase())).collect();
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// What an edge does about the carriers of a request from this address: 0 (believe them), or [`UNTRUSTED`], with
    /// [`REMOVE`] in mode on. An address that cannot be read is not trusted.
    pub fn edge(&self, peer: &[u8]) -> u32 {
        let mode = self.mode();
        if !self.settings.edge || mode == Mode::Off {
            return 0;
        }
        let trust = &self.settings.edge_trust;
        let address = || str::from_utf8(peer).ok().and_then(peer::address_of);
        if !trust.is_empty() && address().is_some_and(|a| trust.iter().any(|network| network.holds(a))) {
            return 0;
        }
        if mode == Mode::On { UNTRUSTED | REMOVE } else { UNTRUSTED }
    }

    /// A binding removed at least one carrier from a request.
    pub fn stripped(&self) {
        self.counts.add(Counter::EdgeStripped);
    }

    /// The lower-case names of the headers that are passed through, at most 32. Never changes in a process.
    pub fn pass_names(&self) -> &[String] {
        &self.settings.pass
    }

    /// Which of a request's values for [`Engine::pass_names`] ride on: bit `i` for value `i`.
    pub fn pass(&self, values: &[Option<&[u8]>]) -> u32 {
        if self.mode() != Mode::On {
            return 0;
        }
        let (kept, dropped) = pass::keep(values);
        for _ in 0..dropped {
            self.counts.add(Counter::PassDropped);
        }
        if dropped > 0 && !self.border.dropped.swap(true, Ordering::Relaxed) {
            let why = "a request brought more than 8 values or 1 KB in headers that are passed through, or one that \
                is not printable ASCII: what was too much is not passed on (said once; counted as pass_dropped)";
            self.log(Level::Warn, "TRL-321", "pass", why);
        }
        kept
    }

    /// Notes who sent an untagged request to this tagged copy. Skipped where another thread is at it: the number of
    /// such requests is counted elsewhere, this is for finding them.
    pub fn untagged(&self, peer: &[u8]) {
        let address = str::from_utf8(peer).ok().and_then(peer::address_of);
        let Some(mut peers) = self.border.untagged.try_lock() else { return };
        let known = peers.contains_key(&address);
        let key = if known || peers.len() < MAX_PEERS { address } else { None };
        *peers.entry(key).or_insert(0) += 1;
        drop(peers);
        if !known && let Some(address) = key {
            let why = format!(
                "an untagged request from {address} reached this copy, which is tagged {:?}: a caller without the \
                library, a probe, or a balancer in between (said once for each address)",
                self.own_tag()
            );
            self.log(Level::Warn, "TRL-320", &address.to_string(), &why);
        }
    }

    /// Who sent untagged requests to this tagged copy, and how many were noted; the last, without an address, are
    /// those of further callers.
    pub fn untagged_peers(&self) -> Vec<(Option<IpAddr>, u64)> {
        let peers = self.border.untagged.lock();
        let (rest, named): (Vec<_>, Vec<_>) = peers.iter().map(|(a, n)| (*a, *n)).partition(|(a, _)| a.is_none());
        named.into_iter().chain(rest).collect()
    }
}
