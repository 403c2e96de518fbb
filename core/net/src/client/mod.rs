//! The client: a [`Channel`] to one service, calls on it.

mod attempt;
mod call;
mod channel;
mod connect;
mod pool;
mod retry;
mod unary;

pub use call::ClientCall;
pub use channel::{Channel, ChannelBuilder};
pub use pool::{AddressPicker, Observer, PickInput, Picker};
pub use retry::Retry;
pub use unary::Cancel;

use crate::Head;
use bytes::Bytes;
use std::time::Duration;
use trilane_wire::{Headers, Status, metadata};

/// What a call asks for, beside its messages.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub(crate) path: Bytes,
    pub(crate) headers: Headers,
    pub(crate) timeout: Option<Duration>,
    pub(crate) wait_for_ready: bool,
    pub(crate) compress: bool,
    pub(crate) idempotent: bool,
    /// Boxed: every call has room for it, few calls need it.
    ruled: Option<Box<Ruled>>,
}

/// What rules want done with a call.
#[derive(Debug, Clone, Default)]
struct Ruled {
    delay: Duration,
    abort: Option<Status>,
    limit: Option<Duration>,
    chance: Option<u64>,
}

impl Request {
    /// A call of `/service/method`.
    pub fn new(path: impl Into<Bytes>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// Gives up after this time with DEADLINE_EXCEEDED; the server is told.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits for a connection instead of failing with UNAVAILABLE while there is none.
    pub fn wait_for_ready(mut self, on: bool) -> Self {
        self.wait_for_ready = on;
        self
    }

    /// Compresses the request's messages with gzip.
    pub fn compress(mut self, on: bool) -> Self {
        self.compress = on;
        self
    }

    /// Declares that the call may run twice: only then the channel's [`Retry`] applies. Calls that the peer has
    /// certainly not looked at are sent again in any case.
    pub fn idempotent(mut self, on: bool) -> Self {
        self.idempotent = on;
        self
    }

    /// Adds metadata; bytes of a `-bin` key are given as they are. Says why if it cannot go onto the wire.
    pub fn header(mut self, key: &str, value: &[u8]) -> Result<Self, String> {
        metadata::push(&mut self.headers, key, value)?;
        Ok(self)
    }

    /// The metadata, on the wire's form, to be changed in place by interceptors.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The metadata, on the wire's form.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Waits so long before the call is sent; the wait counts as part of its timeout. For interceptors.
    pub fn set_delay(&mut self, delay: Duration) {
        self.ruled().delay = delay;
    }

    /// Ends the call with this status, after its delay, in place of sending it. For interceptors.
    pub fn set_abort(&mut self, status: Status) {
        self.ruled().abort = Some(status);
    }

    /// Gives a unary call no more than this once it is sent, whatever its timeout; streams last as they are asked to.
    /// For interceptors.
    pub fn set_limit(&mut self, limit: Duration) {
        self.ruled().limit = Some(limit);
    }

    /// Leaves a number for whoever chooses the call's address: [`PickInput::chance`]. For interceptors.
    pub fn set_chance(&mut self, chance: u64) {
        self.ruled().chance = Some(chance);
    }

    fn ruled(&mut self) -> &mut Ruled {
        self.ruled.get_or_insert_default()
    }

    /// What an interceptor left for whoever chooses the address.
    fn chance(&self) -> Option<u64> {
        self.ruled.as_ref().and_then(|ruled| ruled.chance)
    }

    /// The earlier of the timeout and of what interceptors leave a unary call.
    fn limited(&mut self) {
        let Some(Ruled { delay, limit: Some(limit), .. }) = self.ruled.as_deref() else { return };
        let whole = delay.saturating_add(*limit);
        self.timeout = Some(self.timeout.map_or(whole, |timeout| timeout.min(whole)));
    }

    /// Waits as interceptors want it; the status that they want in place of an answer.
    async fn held_up(&self) -> Result<(), Status> {
        let Some(ruled) = &self.ruled else { return Ok(()) };
        if !ruled.delay.is_zero() {
            Box::pin(tokio::time::sleep(ruled.delay)).await;
        }
        ruled.abort.clone().map_or(Ok(()), Err)
    }

    /// `/service/method`.
    pub fn path(&self) -> &str {
        std::str::from_utf8(&self.path).unwrap_or_default()
    }
}

/// How a unary call ended.
pub struct Outcome {
    /// Its status.
    pub status: Status,
    /// The response headers; empty if none came.
    pub headers: Head,
    /// The reply; there is one if the status is OK.
    pub message: Bytes,
    /// Whether the reply was compressed on the wire.
    pub was_compressed: bool,
    /// The trailers; where there was one header frame only, that one.
    pub trailers: Head,
}

impl Outcome {
    pub(crate) fn failed(status: Status) -> Self {
        Self {
            status,
            headers: Head::default(),
            message: Bytes::new(),
            was_compressed: false,
            trailers: Head::default(),
        }
    }

    /// The reply, or the status.
    pub fn into_result(self) -> Result<Bytes, Status> {
        if self.status.is_ok() { Ok(self.message) } else { Err(self.status) }
    }
}
