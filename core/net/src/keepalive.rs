//! PINGs.

use h2::{Ping, PingPong};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Sends PINGs and notices when nobody answers.
pub(crate) struct Keepalive {
    ping_pong: PingPong,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    /// The time for the answer is over; what has come meanwhile is read once more before the peer counts as dead.
    over: bool,
    every: Duration,
    patience: Duration,
    /// Held by the pool, by us, and by each call: without a call no PING is sent.
    active: Option<Arc<()>>,
}

impl Keepalive {
    pub fn new(ping_pong: PingPong, every: Duration, patience: Duration, active: Option<Arc<()>>) -> Self {
        let timer = Box::pin(tokio::time::sleep(every));
        Self { ping_pong, timer, waiting: false, over: false, every, patience, active }
    }

    /// Ready when the peer is dead.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waiting && self.ping_pong.poll_pong(cx).is_ready() {
                (self.waiting, self.over) = (false, false);
                self.timer.as_mut().reset(Instant::now() + self.every);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if self.waiting {
                // Where this thread was held up that long, the answer waits in the socket, which is read after this.
                if std::mem::replace(&mut self.over, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let idle = self.active.as_ref().is_some_and(|a| Arc::strong_count(a) <= 2);
            self.waiting = !idle && self.ping_pong.send_ping(Ping::opaque()).is_ok();
            let next = if self.waiting { self.patience } else { self.every };
            self.timer.as_mut().reset(Instant::now() + next);
        }
    }
}
