//! Lanes inside the transport (feature `net`): where `core/net` has a place for a choice, the engine's stands there.
//!
//! ```text
//! server   headers ─▶ [`Inbound::tag`] ─▶ the call's scope ─▶ the handler
//! client   [`carry`] writes carriers ─▶ [`routed`]: authority's list ─▶ decision by the carrier ─▶ address
//! ```

use crate::dialects::Asked;
use crate::outbound::{NO_INDEX, OBSERVE, OFF, STALE};
use crate::policy::Applied;
use crate::{Engine, Kind, Mode, inbound};
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use trilane_lane::carrier;
use trilane_lane::route::Case;
use trilane_lane::tag::{self, TagId};
use trilane_net::client::{ChannelBuilder, PickInput};
use trilane_net::{Call, Code, Headers, Request, ServerBuilder, Status, path};

/// The name of the transport's switch: `hooks: {triple: off}`.
pub const HOOK: &str = "triple";

/// How often a decision is asked for again when rules or health move meanwhile.
const TRIES: usize = 100;

/// Finds the tags of calls that come in.
#[derive(Default)]
pub struct Inbound {
    /// The snapshot that the names belong to, and the names.
    names: ArcSwap<(u32, Vec<String>)>,
}

impl Inbound {
    /// The tag of a call; empty for the baseline. `peer` is the caller's address.
    pub fn tag<'h>(&self, engine: &Engine, header: impl Fn(&str) -> Option<&'h [u8]>, peer: &str) -> Bytes {
        if !engine.hook_enabled(HOOK) {
            return Bytes::new();
        }
        let trusted = engine.edge(peer.as_bytes()) == 0;
        let mut names = self.names.load_full();
        for _ in 0..TRIES {
            let values: Vec<Option<&[u8]>> = names.1.iter().map(|name| header(name)).collect();
            let found = engine.inbound_from(trusted, Kind::Http, names.0, &values);
            let flags = (found >> 24) as u8;
            if flags & inbound::STALE != 0 {
                names = Arc::new(engine.inbound_names(Kind::Http));
                self.names.store(names.clone());
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

/// Sends the calls of a channel to the instances that the rules give its authority, each by the carrier it has, and by
/// its path and metadata where rules read those; an authority that no rule names is left to the channel's targets.
/// Delays, aborts and timeouts that the rules want are applied, timeouts not to streams. An instance that cannot be
/// reached is unhealthy until it can be: that is where `noavailabled` comes from. `engine` gives the process's engine
/// once there is one. Interceptors that write metadata are to be added before.
pub fn routed<E>(engine: E, authority: &str, channel: ChannelBuilder) -> ChannelBuilder
where
    E: Fn() -> Option<Arc<Engine>> + Clone + Send + Sync + 'static,
{
    let dialled = Arc::new(Dialled { authority: authority.to_string(), asked: ArcSwap::default() });
    let (asked, name) = (engine.clone(), dialled.clone());
    let before = move |request: &mut Request| {
        if let Some(engine) = asked() {
            name.before(&engine, request);
        }
        Ok(())
    };
    let (asked, name) = (engine.clone(), dialled.clone());
    let pick = move |input: &PickInput<'_>| asked().map_or(Ok(None), |engine| name.address(&engine, input));
    let observe = move |address: &str, reached: bool| {
        engine().is_some_and(|engine| engine.reached(&dialled.authority, address, reached))
    };
    channel.interceptor(before).addresses(Arc::new(pick)).observer(Arc::new(observe))
}

/// What a channel dials.
struct Dialled {
    authority: String,
    /// The list that it stood for, and what deciding about that asked.
    asked: ArcSwap<(u64, Asked)>,
}

impl Dialled {
    /// The list that the rules give the authority, and what deciding about it asks now. `None` leaves calls alone.
    fn list(&self, engine: &Engine) -> Option<Arc<(u64, Asked)>> {
        if engine.mode() != Mode::On || !engine.hook_enabled(HOOK) {
            return None;
        }
        let list = engine.authority(self.authority.as_bytes())?;
        let known = self.asked.load_full();
        if known.0 == list && known.1.stamp == engine.list_stamp(list) {
            return Some(known);
        }
        let read = Arc::new((list, engine.route_names(list)));
        self.asked.store(read.clone());
        Some(read)
    }

    /// What the rules want done with a call before it leaves. Its address is then that of the same decision.
    fn before(&self, engine: &Engine, request: &mut Request) {
        let (mut applied, chance) = (Applied::default(), engine.chance());
        for _ in 0..TRIES {
            let Some(found) = self.list(engine) else { return };
            let (list, asked) = &*found;
            if !asked.policy {
                return;
            }
            let tag = engine.tag_find(request.headers().get(carrier::HEADER.as_bytes()).unwrap_or_default());
            let values = self.values(asked, request.path(), request.headers());
            applied = engine.policy(*list, tag, chance, asked.stamp, &views(&values));
            if engine.list_stamp(*list) == asked.stamp {
                break;
            }
        }
        request.set_chance(chance);
        request.set_delay(Duration::from_millis(applied.delay.into()));
        if applied.timeout > 0 {
            request.set_limit(Duration::from_millis(applied.timeout.into()));
        }
        if let Some(code) = aborted(&applied) {
            request.set_abort(Status::new(code, "a rule aborts this call").at(request.path()));
        }
    }

    /// Where a call goes; `None` where the rules do not say.
    fn address(&self, engine: &Engine, call: &PickInput<'_>) -> Result<Option<Arc<str>>, Status> {
        let tag = call.headers.get(carrier::HEADER.as_bytes()).unwrap_or_default();
        let id = engine.tag_find(tag);
        for _ in 0..TRIES {
            let Some(found) = self.list(engine) else { return Ok(None) };
            let (list, asked) = &*found;
            let values = self.values(asked, call.path, call.headers);
            let chance = call.chance.unwrap_or_else(|| engine.chance());
            let decided = engine.route_with(*list, id, chance, asked.stamp, &views(&values));
            if decided & STALE != 0 {
                continue;
            }
            if decided & (OFF | OBSERVE) != 0 {
                return Ok(None);
            }
            let index = decided as u32;
            if (decided >> 48) as u8 == Case::Fail as u8 || index == NO_INDEX {
                return Err(Status::new(Code::Unavailable, nobody(&self.authority, tag)));
            }
            if let Some(address) = engine.address(*list, index) {
                return Ok(Some(address));
            }
        }
        Ok(None)
    }

    /// What rules read of a call, in the order of [`Asked::names`]; nothing where they read nothing.
    fn values<'c>(&self, asked: &'c Asked, path: &'c str, headers: &'c Headers) -> Vec<Option<Cow<'c, [u8]>>> {
        asked.names.iter().map(|name| self.value(name, path, headers)).collect()
    }

    fn value<'c>(&self, name: &'c str, path: &'c str, headers: &'c Headers) -> Option<Cow<'c, [u8]>> {
        let owned = |text: &str| Some(Cow::Owned(text.as_bytes().to_vec()));
        let part = |of: fn((&'c str, &'c str)) -> &'c str| path::split(path).map(of).map(|p| p.as_bytes().into());
        match name {
            ":path" => Some(path.as_bytes().into()),
            ":method" => Some(b"POST".as_slice().into()),
            ":authority" | "host" => owned(&self.authority),
            ":service" => part(|(service, _)| service),
            ":rpc-method" => part(|(_, method)| method),
            _ => {
                let mut all = headers.all(name.as_bytes());
                let first = all.next()?;
                Some(all.fold(Cow::Borrowed(first), |joined, next| [&*joined, b",", next].concat().into()))
            }
        }
    }
}

fn views<'v>(values: &'v [Option<Cow<'_, [u8]>>]) -> Vec<Option<&'v [u8]>> {
    values.iter().map(Option::as_deref).collect()
}

/// The code that a rule ends a call with in place of sending it.
fn aborted(applied: &Applied) -> Option<Code> {
    match applied {
        Applied { abort_http: 0, abort_grpc: 0, .. } | Applied { abort_http: 200, .. } => None,
        Applied { abort_http: 0, abort_grpc, .. } => Code::from_number(*abort_grpc),
        Applied { abort_http, .. } => Some(Code::from_http(u16::try_from(*abort_http).unwrap_or(500))),
    }
}

impl Engine {
    /// Notes whether an instance could be reached; false if the rules name none with that address.
    fn reached(&self, authority: &str, address: &str, reached: bool) -> bool {
        let Some(list) = self.authority(authority.as_bytes()) else { return false };
        let mut named = false;
        let mut index = 0;
        while let Some(instance) = self.address(list, index) {
            if *instance == *address {
                named = true;
                // Mostly nothing changes: then no I/O thread waits for who publishes.
                let now =
                    self.lists.get(list).and_then(|l| Some(l.as_ref()?.list.instances().get(index as usize)?.healthy));
                if now != Some(reached) {
                    self.list_health(list, index, reached);
                }
            }
            index += 1;
        }
        named
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
