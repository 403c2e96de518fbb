//! When a call is sent again.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use trilane_wire::Code;

/// How calls that are declared idempotent are sent again, and how often all calls of a channel may be.
#[derive(Debug, Clone)]
pub struct Retry {
    /// Attempts in all; 1 means none again.
    pub max_attempts: u32,
    /// The codes after which to try again.
    pub codes: Vec<Code>,
    /// The longest wait before the second attempt; doubled for each further one, up to `max_backoff`. The wait is
    /// drawn between nothing and this.
    pub initial_backoff: Duration,
    /// The longest wait.
    pub max_backoff: Duration,
    /// Tokens of the budget: each failure takes one, each success gives a tenth back; at half and below no call is
    /// sent again.
    pub budget: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            codes: vec![Code::Unavailable],
            initial_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_secs(1),
            budget: 100,
        }
    }
}

impl Retry {
    /// The wait before attempt number `next` (2, 3 …); `random` is drawn from 0..1.
    pub(crate) fn wait(&self, next: u32, random: f64) -> Duration {
        let doubled = self.initial_backoff.saturating_mul(1 << next.saturating_sub(2).min(20));
        doubled.min(self.max_backoff).mul_f64(random)
    }
}

/// The tokens of one channel, in thousandths.
pub(crate) struct Budget {
    tokens: AtomicI64,
    most: i64,
}

impl Budget {
    pub fn new(retry: &Retry) -> Self {
        let most = i64::from(retry.budget) * 1000;
        Self { tokens: AtomicI64::new(most), most }
    }

    pub fn success(&self) {
        if self.tokens.load(Ordering::Relaxed) < self.most {
            self.tokens.fetch_add(100, Ordering::Relaxed);
        }
    }

    /// Counts a failure; whether another attempt is allowed.
    pub fn failure(&self) -> bool {
        let left = self.tokens.fetch_sub(1000, Ordering::Relaxed) - 1000;
        if left < 0 {
            self.tokens.store(0, Ordering::Relaxed);
        }
        left > self.most / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_stops_a_storm_and_recovers() {
        let budget = Budget::new(&Retry { budget: 10, ..Retry::default() });
        let allowed = (0..100).filter(|_| budget.failure()).count();
        assert_eq!(allowed, 4);
        (0..60).for_each(|_| budget.success());
        assert!(!budget.failure());
        (0..60).for_each(|_| budget.success());
        assert!(budget.failure());
    }

    #[test]
    fn waits_grow_to_their_limit() {
        let retry = Retry::default();
        let waits: Vec<_> = (2..9).map(|n| retry.wait(n, 1.0).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(retry.wait(200, 0.0), Duration::ZERO);
    }
}
