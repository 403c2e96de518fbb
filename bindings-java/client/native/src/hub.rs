//! One queue with the calls that report to it, and everything that is alive.

use crate::client::Stream;
use crate::queue::Queue;
use crate::server::Exchange;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trilane_net::client::Cancel;
use trilane_net::{Channel, Server};

const SHARDS: usize = 16;

/// What a number of a call stands for.
#[derive(Clone)]
pub(crate) enum Under {
    Unary(Arc<Cancel>),
    Stream(Arc<Stream>),
    Serving(Arc<Exchange>),
}

/// A queue, its calls, channels and servers. Java makes two, which live as long as the process.
#[derive(Default)]
pub(crate) struct Hub {
    pub queue: Queue,
    calls: [Mutex<HashMap<u64, Under>>; SHARDS],
    channels: RwLock<HashMap<u64, Channel>>,
    servers: Mutex<HashMap<u64, Server>>,
    next: AtomicU64,
}

impl Hub {
    /// A number that no other channel, server or served call of this hub has.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn shard(&self, id: u64) -> &Mutex<HashMap<u64, Under>> {
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

    pub fn add_channel(&self, channel: Channel) -> u64 {
        let id = self.number();
        self.channels.write().insert(id, channel);
        id
    }

    pub fn channel(&self, id: u64) -> Option<Channel> {
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
