//! The connections of a channel.

use super::{Request, connect};
use crate::Limits;
use crate::http2::Requests;
use crate::tls::Connector;
use parking_lot::Mutex;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::Handle;
use trilane_wire::{Code, Headers, Status};

/// What a picker sees.
pub struct PickInput<'a> {
    /// `/service/method`.
    pub path: &'a str,
    /// The call's metadata.
    pub headers: &'a Headers,
    /// What an interceptor left: [`super::Request::set_chance`].
    pub chance: Option<u64>,
    /// The targets, `host:port`, in the order they were given.
    pub targets: &'a [String],
}

/// Chooses a target by its index; a status ends the call. Runs on the I/O thread, under the pool's lock: it must not
/// wait and must not call the channel.
pub type Picker = dyn Fn(&PickInput<'_>) -> Result<usize, Status> + Send + Sync;

/// Chooses the address, `host:port`, that a call goes to, whether it is among the targets or not; `None` leaves the
/// call to the targets. A status ends the call. Runs where a [`Picker`] runs.
pub type AddressPicker = dyn Fn(&PickInput<'_>) -> Result<Option<Arc<str>>, Status> + Send + Sync;

/// Is told whether an address could be reached, at each attempt to connect; says whether it wants to hear when one that
/// could not be reached is back. Runs on an I/O thread, must not wait.
pub type Observer = dyn Fn(&str, bool) -> bool + Send + Sync;

/// Addresses beside the targets that are kept; above it those without a connection are let go.
const MOST_ADDRESSES: usize = 256;

/// One connection; a call holds `active` while it is under way.
pub(crate) struct Lease {
    pub requests: Requests,
    pub target: Arc<str>,
    id: u64,
    pub active: Arc<()>,
}

enum State {
    /// Nothing is under way.
    Idle,
    /// A task connects.
    Connecting,
    /// The last attempt failed with this; a task waits before the next.
    Waiting(Status),
}

struct Slot {
    target: Arc<str>,
    connections: Vec<Lease>,
    state: State,
    /// Whether a call has looked here since the last attempt failed.
    asked: bool,
}

#[derive(Default)]
struct Slots {
    names: Vec<String>,
    slots: Vec<Slot>,
    waiting: Vec<Waker>,
    turn: usize,
    ids: u64,
    closed: bool,
}

impl Slot {
    fn new(target: &str) -> Slot {
        Slot { target: target.into(), connections: Vec::new(), state: State::Idle, asked: false }
    }
}

impl Slots {
    /// The place of an address; made if it is new.
    fn at(&mut self, address: &str) -> usize {
        if let Some(at) = self.slots.iter().position(|s| *s.target == *address) {
            return at;
        }
        let targets = self.names.len();
        if self.slots.len() >= targets + MOST_ADDRESSES {
            let mut place = 0;
            self.slots.retain(|slot| {
                place += 1;
                place <= targets || !slot.connections.is_empty() || matches!(slot.state, State::Connecting)
            });
        }
        self.slots.push(Slot::new(address));
        self.slots.len() - 1
    }
}

pub(crate) struct Pool {
    shared: Arc<Shared>,
    choice: Choice,
    most: usize,
}

/// What chooses where calls go, and who hears of it.
#[derive(Clone, Default)]
pub(crate) struct Choice {
    pub picker: Option<Arc<Picker>>,
    pub addresses: Option<Arc<AddressPicker>>,
    pub observer: Option<Arc<Observer>>,
}

/// What connecting tasks hold.
pub(crate) struct Shared {
    slots: Mutex<Slots>,
    pub limits: Limits,
    pub tls: Option<Connector>,
    pub observer: Option<Arc<Observer>>,
    runtime: Handle,
}

impl Pool {
    pub fn new(
        targets: Vec<String>,
        limits: Limits,
        most: usize,
        choice: Choice,
        tls: Option<Connector>,
        runtime: Handle,
    ) -> Self {
        let observer = choice.observer.clone();
        let shared = Arc::new(Shared { slots: Mutex::default(), limits, tls, observer, runtime });
        let pool = Self { shared, choice, most };
        pool.set_targets(targets);
        pool
    }

    pub fn set_targets(&self, targets: Vec<String>) {
        let mut guard = self.shared.slots.lock();
        let Slots { names, slots, .. } = &mut *guard;
        let mut old = std::mem::take(slots);
        for target in &targets {
            let kept = old.iter().position(|s| *s.target == **target).map(|at| old.swap_remove(at));
            slots.push(kept.unwrap_or_else(|| Slot::new(target)));
        }
        *names = targets;
        let waiting = std::mem::take(&mut guard.waiting);
        drop(guard);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// What `take` makes of a connection for this call; it runs under the pool's lock. While there is none: waits, or
    /// fails if the target could not be reached and the call does not wait for that.
    pub fn poll_lease<R>(
        &self,
        cx: &mut Context<'_>,
        request: &Request,
        mut take: impl FnMut(&mut Lease) -> R,
    ) -> Poll<Result<R, Status>> {
        let wait = request.wait_for_ready;
        let mut slots = self.shared.slots.lock();
        let count = slots.names.len();
        if count == 0 && !wait {
            return Poll::Ready(Err(Status::new(Code::Unavailable, "the channel has no target; give it addresses")));
        }
        let input = PickInput {
            path: request.path(),
            headers: &request.headers,
            chance: request.chance(),
            targets: &slots.names,
        };
        let address = self.choice.addresses.as_ref().map_or(Ok(None), |pick| pick(&input));
        let chosen = match (address, &self.choice.picker) {
            (Err(status), _) => return Poll::Ready(Err(status)),
            (Ok(Some(address)), _) => {
                let at = slots.at(&address);
                at..at + 1
            }
            (_, Some(picker)) if count > 0 => match picker(&input) {
                Ok(index) => index % count..index % count + 1,
                Err(status) => return Poll::Ready(Err(status)),
            },
            _ => {
                slots.turn = slots.turn.wrapping_add(1);
                let first = slots.turn % count.max(1);
                first..first + count
            }
        };
        let mut why = None;
        let one = chosen.len() == 1;
        for index in chosen {
            let index = if one { index } else { index % count.max(1) };
            let Some(slot) = slots.slots.get_mut(index) else { continue };
            match self.look(slot, cx) {
                Ok(lease) => return Poll::Ready(Ok(take(lease))),
                Err(None) => {
                    // One that connects is waited for; the others are tried when it fails.
                    why = None;
                    break;
                }
                Err(Some(status)) => why = Some(status),
            }
        }
        match why {
            Some(status) if !wait => Poll::Ready(Err(status)),
            _ => {
                slots.waiting.push(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// What is to be said of a call that got no connection.
    pub fn why(&self) -> String {
        let slots = self.shared.slots.lock();
        let told = slots.slots.iter().filter(|slot| slot.connections.is_empty()).map(|slot| match &slot.state {
            State::Waiting(why) => why.message().to_string(),
            _ => format!("{}: no connection yet", slot.target),
        });
        let told: Vec<String> = told.take(3).collect();
        if told.is_empty() { "no connection was free, or there is no target".into() } else { told.join(", ") }
    }

    /// The slot's least busy connection; starts one if there is none or all are full. `Err(None)`: one is on its way.
    fn look<'a>(&self, slot: &'a mut Slot, cx: &mut Context<'_>) -> Result<&'a mut Lease, Option<Status>> {
        slot.connections.retain_mut(|c| c.requests.alive(cx));
        // The pool and the driver hold one each; the others are calls.
        let full = |c: &Lease| Arc::strong_count(&c.active).saturating_sub(2) >= c.requests.most();
        let several = slot.connections.len();
        let least = slot.connections.iter_mut().min_by_key(|c| Arc::strong_count(&c.active));
        let more = least.as_ref().is_none_or(|c| full(c) && several < self.most);
        if !more {
            return least.ok_or(None);
        }
        slot.asked = true;
        match &slot.state {
            State::Idle => {
                slot.state = State::Connecting;
                self.shared.runtime.spawn(connect::run(self.shared.clone(), slot.target.clone()));
                Err(None)
            }
            State::Connecting => Err(None),
            // No further connection can be had: the stream waits its turn on a full one.
            State::Waiting(why) => least.ok_or_else(|| Some(why.clone())),
        }
    }

    pub fn close(&self) {
        let mut slots = self.shared.slots.lock();
        slots.closed = true;
        slots.slots.clear();
    }
}

impl Shared {
    /// Tells who wants to know, before calls that wait for the address look again; whether it wants to hear when the
    /// address is back.
    pub fn observe(&self, target: &str, reached: bool) -> bool {
        let Some(observer) = &self.observer else { return false };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| observer(target, reached))).unwrap_or(false)
    }

    fn change(&self, target: &str, change: impl FnOnce(&mut Slot, u64)) -> bool {
        let mut guard = self.slots.lock();
        guard.ids += 1;
        let id = guard.ids;
        let slot = guard.slots.iter_mut().find(|s| *s.target == *target);
        let there = slot.map(|slot| change(slot, id)).is_some();
        let waiting = std::mem::take(&mut guard.waiting);
        drop(guard);
        waiting.into_iter().for_each(Waker::wake);
        there
    }

    /// A connection is there. Its id, or `None` if the target is no longer wanted.
    pub fn connected(&self, target: &Arc<str>, requests: Requests) -> Option<(u64, Arc<()>)> {
        let mut made = None;
        self.change(target, |slot, id| {
            let active = Arc::new(());
            made = Some((id, active.clone()));
            slot.state = State::Idle;
            slot.connections.push(Lease { requests, target: target.clone(), id, active });
        });
        made
    }

    /// An attempt failed; whether to try again after the wait.
    pub fn failed(&self, target: &str, why: Status) -> bool {
        // Calls that wait are woken by this change and look again: who still wants the target is known after the wait.
        self.change(target, |slot, _| (slot.state, slot.asked) = (State::Waiting(why), false))
    }

    /// The wait after a failure is over: whether to try again, because a call has asked for this target meanwhile or
    /// the observer wants to hear of it. An address that rules no longer name is let go here.
    pub fn waited(&self, target: &str, observed: bool) -> bool {
        let mut wanted = false;
        self.change(target, |slot, _| {
            wanted = slot.asked || observed;
            slot.state = if wanted { State::Connecting } else { State::Idle };
        });
        wanted
    }

    /// A connection has ended.
    pub fn ended(&self, target: &str, id: u64) {
        self.change(target, |slot, _| slot.connections.retain(|c| c.id != id));
    }
}

/// Waits between attempts to connect, as gRPC has them: 1 s, growing by 1.6 to 120 s, give or take a fifth.
pub(crate) fn backoff(failures: u32, random: f64) -> Duration {
    let seconds = 1.6f64.powi(failures.saturating_sub(1).min(20) as i32).min(120.0);
    Duration::from_secs_f64(seconds * (0.8 + 0.4 * random))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address that cannot be reached is dialled again while calls ask for it or the observer wants to hear of it.
    #[test]
    fn an_address_that_nobody_names_any_longer_is_let_go() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let limits = Limits::default();
        let target = "127.0.0.1:1";
        let handle = runtime.handle().clone();
        let pool = Pool::new(vec![target.into()], limits, 1, Choice::default(), None, handle);
        let mut cx = Context::from_waker(Waker::noop());
        let request = Request::new("/t.Echo/Unary").wait_for_ready(true);
        let mut ask = || pool.poll_lease(&mut cx, &request, |_| ()).is_pending();
        let refused = || Status::new(Code::Unavailable, "refused");
        assert!(ask(), "the first call starts an attempt and waits");
        assert!(pool.shared.failed(target, refused()));
        assert!(ask(), "it is woken, looks again and waits on");
        assert!(pool.shared.waited(target, false), "a call waits");
        assert!(pool.shared.failed(target, refused()));
        assert!(pool.shared.waited(target, true), "the rules name it");
        assert!(pool.shared.failed(target, refused()));
        assert!(!pool.shared.waited(target, false), "nobody asks, no rule names it");
    }

    #[test]
    fn backoff_grows_to_two_minutes() {
        assert_eq!(backoff(1, 0.5).as_millis(), 1000);
        assert_eq!(backoff(2, 0.5).as_millis(), 1600);
        assert_eq!(backoff(99, 0.5).as_secs(), 120);
        assert!(backoff(1, 0.0) < backoff(1, 1.0));
    }
}
