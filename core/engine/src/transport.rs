//! Lanes inside the transport (feature `net`): where `core/net` has a place for a choice, the engine's stands there.
//!
//! ```text
//! server   headers ─▶ [`Inbound::tag`] ─▶ the call's scope ─▶ the handler
//! client   [`carry`] writes carriers ─▶ [`routed`]: authority's list ─▶ decision by the carrier ─▶ address
//! ```

use crate::outbound::{NO_INDEX, OBSERVE, OFF, STALE};
use crate::{Engine, Kind, Mode, inbound};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use trilane_lane::carrier;
use trilane_lane::route::Case;
use trilane_lane::tag::{self, TagId};
use trilane_net::client::{ChannelBuilder, PickInput};
use trilane_net::{Call, Code, Headers, ServerBuilder, Status};

/// The name of the transport's switch: `hooks: {triple: off}`.
pub const HOOK: &str = "triple";

/// How often a decision is asked for again when rules or health move meanwhile.
const TRIES: usize = 100;

/// Finds the tags of calls that come in.
#[derive(Default)]
pub struct Inbound {
    /// The snapshot that the names belong to, and the names.
    names: Mutex<Arc<(u32, Vec<String>)>>,
}

impl Inbound {
    /// The tag of a call; empty for the baseline. `peer` is the caller's address.
    pub fn tag<'h>(&self, engine: &Engine, header: impl Fn(&str) -> Option<&'h [u8]>, peer: &str) -> Bytes {
        if !engine.hook_enabled(HOOK) {
            return Bytes::new();
        }
        let trusted = engine.edge(peer.as_bytes()) == 0;
        let mut names = self.names.lock().clone();
        for _ in 0..TRIES {
            let values: Vec<Option<&[u8]>> = names.1.iter().map(|name| header(name)).collect();
            let found = engine.inbound_from(trusted, Kind::Http, names.0, &values);
            let flags = (found >> 24) as u8;
            if flags & inbound::STALE != 0 {
                names = Arc::new(engine.inbound_names(Kind::Http));
                *self.names.lock() = names.clone();
                continue;
            }
            if flags & inbound::UNTAGGED != 0 {
                engine.untagged(peer.as_bytes());
            }
            if flags & inbound::OFF != 0 {
                return Bytes::new();
            }
            return match TagId(found as u16) {
                TagId::NONE => Bytes::new(),
                TagId::UNKNOWN => {
                    let (at, start, len) = ((found >> 32) as u8, (found >> 40) as u16, (found >> 56) as u8);
                    let span = usize::from(start)..usize::from(start) + usize::from(len);
                    let bytes = values.get(usize::from(at)).copied().flatten().and_then(|v| v.get(span));
                    bytes.map(Bytes::copy_from_slice).unwrap_or_default()
                }
                known => engine.tag_name(known).map(|name| Bytes::copy_from_slice(name.as_bytes())).unwrap_or_default(),
            };
        }
        Bytes::new()
    }
}

/// Gives every call of a server the tag that it came with, as its scope ([`Call::scope`]).
pub fn scoped(engine: Arc<Engine>, server: ServerBuilder) -> ServerBuilder {
    let inbound = Inbound::default();
    server.interceptor(move |call: &mut Call| {
        let peer = call.peer().address.to_string();
        let tag = inbound.tag(&engine, |name| call.head().get(name), &peer);
        call.set_scope(tag);
        Ok(())
    })
}

/// Writes the carriers of a tag on an outgoing call, where they may go. What the application itself put there stays,
/// and steers the call.
pub fn carry(engine: &Engine, authority: &str, tag: &[u8], headers: &mut Headers) {
    let Some(tag) = tag::parse(tag) else { return };
    if headers.get(carrier::HEADER.as_bytes()).is_some()
        || !engine.hook_enabled(HOOK)
        || !engine.known(authority.as_bytes())
    {
        return;
    }
    for name in engine.carriers_write(Kind::Http) {
        let name = name.to_ascii_lowercase();
        if headers.get(name.as_bytes()).is_none() {
            headers.set(name.as_bytes(), tag.as_bytes());
        }
    }
    if let Some(old) = headers.get(carrier::BAGGAGE.as_bytes()) {
        let extended = engine.baggage_set(old, tag.as_bytes());
        headers.set(carrier::BAGGAGE.as_bytes(), &extended);
    }
}

/// Sends the calls of a channel to the instances that the rules give its authority, each by the carrier it has; an
/// authority that no rule names is left to the channel's targets. An instance that cannot be reached is unhealthy
/// until it can be: that is where `noavailabled` comes from. `engine` gives the process's engine once there is one.
pub fn routed<E>(engine: E, authority: &str, channel: ChannelBuilder) -> ChannelBuilder
where
    E: Fn() -> Option<Arc<Engine>> + Clone + Send + Sync + 'static,
{
    let (name, asked) = (authority.to_string(), engine.clone());
    let pick = move |input: &PickInput<'_>| match asked() {
        Some(engine) => engine.address_of_call(&name, input.headers),
        None => Ok(None),
    };
    let name = authority.to_string();
    let observe = move |address: &str, reached: bool| {
        if let Some(engine) = engine() {
            engine.reached(&name, address, reached);
        }
    };
    channel.addresses(Arc::new(pick)).observer(Arc::new(observe))
}

impl Engine {
    /// Where a call goes; `None` where the rules do not say.
    fn address_of_call(&self, authority: &str, headers: &Headers) -> Result<Option<Arc<str>>, Status> {
        if self.mode() != Mode::On || !self.hook_enabled(HOOK) {
            return Ok(None);
        }
        let tag = headers.get(carrier::HEADER.as_bytes()).unwrap_or_default();
        let id = self.tag_find(tag);
        for _ in 0..TRIES {
            let Some(list) = self.authority(authority.as_bytes()) else { return Ok(None) };
            let decided = self.route(list, id, 0, self.chance(), self.list_stamp(list));
            if decided & STALE != 0 {
                continue;
            }
            if decided & (OFF | OBSERVE) != 0 {
                return Ok(None);
            }
            let index = decided as u32;
            if (decided >> 48) as u8 == Case::Fail as u8 || index == NO_INDEX {
                return Err(Status::new(Code::Unavailable, nobody(authority, tag)));
            }
            if let Some(address) = self.address(list, index) {
                return Ok(Some(address));
            }
        }
        Ok(None)
    }

    fn reached(&self, authority: &str, address: &str, reached: bool) {
        let Some(list) = self.authority(authority.as_bytes()) else { return };
        let mut index = 0;
        while let Some(instance) = self.address(list, index) {
            if *instance == *address {
                self.list_health(list, index, reached);
            }
            index += 1;
        }
    }
}

fn nobody(authority: &str, tag: &[u8]) -> String {
    if tag.is_empty() {
        return format!(
            "{authority} has no untagged instance and baseline_missing is reject: start one, or set \
             `baseline_missing: all` in the rule file"
        );
    }
    format!(
        "{authority} has no usable instance in lane {:?} and its fallback is none: start one, or write a fallback in \
         the rule file",
        String::from_utf8_lossy(tag)
    )
}
