//! One queue with the calls that report to it, the thread that empties it, and everything that is alive.

use crate::client::{Opened, Stream};
use crate::queue::Queue;
use crate::server::Exchange;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trilane_engine::{Engine, Options};
use trilane_net::client::Cancel;
use trilane_net::{Driven, Io, Server};

const SHARDS: usize = 16;

/// Numbers are ours and count up: nobody can choose them so that they collide.
type Hasher = foldhash::fast::RandomState;

/// What a number of a call stands for.
#[derive(Clone)]
pub(crate) enum Under {
    Unary(Arc<Cancel>),
    Stream(Arc<Stream>),
    Serving(Arc<Exchange>),
}

/// A queue, its calls, channels and servers. Java makes a few, which live as long as the process.
///
/// The connections of its channels live on the thread that empties the queue: an answer that was read there goes to Java
/// without waking anybody, and calls that Java makes there leave together at the next look.
pub(crate) struct Hub {
    pub queue: Queue,
    pub io: Arc<Io>,
    driven: Driven,
    calls: [Mutex<HashMap<u64, Under, Hasher>>; SHARDS],
    channels: RwLock<HashMap<u64, Opened, Hasher>>,
    servers: Mutex<HashMap<u64, Server>>,
    next: AtomicU64,
}

impl Hub {
    /// Where the agent has not started the engine, it is started here; it takes part if the environment asks it to.
    pub fn new() -> io::Result<Self> {
        Engine::default_or_start(Options { binding: "java", read_environment: true, ..Options::default() });
        let (io, driven) = Io::driven()?;
        Ok(Hub {
            queue: Queue::default(),
            io,
            driven,
            calls: Default::default(),
            channels: RwLock::default(),
            servers: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// Does the channels' work until there are records; gives as many whole ones as fit into `capacity` to `copy`; the
    /// bytes given. If the first one does not fit, its size, which is larger than `capacity`.
    pub fn poll(&self, capacity: usize, copy: impl FnOnce(&[u8])) -> usize {
        self.driven.until(self.queue.filled());
        self.queue.take(capacity, copy)
    }

    /// A number that no other channel, server or served call of this hub has.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn shard(&self, id: u64) -> &Mutex<HashMap<u64, Under, Hasher>> {
        &self.calls[id as usize % SHARDS]
    }

    /// Enters a call that `make` starts; nobody sees the number before it is entered.
    pub fn enter(&self, id: u64, make: impl FnOnce() -> Under) {
        let mut shard = self.shard(id).lock();
        let made = make();
        shard.insert(id, made);
    }

    pub fn call(&self, id: u64) -> Option<Under> {
        self.shard(id).lock().get(&id).cloned()
    }

    /// Takes a call out; its last record may follow.
    pub fn leave(&self, id: u64) {
        let gone = self.shard(id).lock().remove(&id);
        drop(gone);
    }

    pub fn add_channel(&self, channel: Opened) -> u64 {
        let id = self.number();
        self.channels.write().insert(id, channel);
        id
    }

    pub fn channel(&self, id: u64) -> Option<Opened> {
        self.channels.read().get(&id).cloned()
    }

    /// Running calls end by themselves.
    pub fn drop_channel(&self, id: u64) {
        let gone = self.channels.write().remove(&id);
        drop(gone);
    }

    pub fn add_server(&self, server: Server) -> u64 {
        let id = self.number();
        self.servers.lock().insert(id, server);
        id
    }

    pub fn with_server<T>(&self, id: u64, look: impl FnOnce(&Server) -> T) -> Option<T> {
        self.servers.lock().get(&id).map(look)
    }

    /// Ends its connections at once.
    pub fn drop_server(&self, id: u64) {
        let gone = self.servers.lock().remove(&id);
        drop(gone);
    }

    /// How many channels, calls and servers there are.
    pub fn alive(&self) -> [usize; 3] {
        let calls = self.calls.iter().map(|shard| shard.lock().len()).sum();
        [self.channels.read().len(), calls, self.servers.lock().len()]
    }
}
