//! A unary call with its attempts.

use super::attempt::{self, Ended, Place};
use super::channel::Inner;
use super::connect::random;
use super::{Outcome, Request};
use crate::Head;
use crate::gzip;
use crate::http2::{Body, Piece};
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use trilane_wire::frame::{self, Reader};
use trilane_wire::{Code, Status};

/// Streams that no peer looked at are sent again this often.
pub(crate) const UNPROCESSED: u32 = 5;

/// Runs a call to its end, its deadline, or until nobody waits for it.
#[allow(clippy::manual_async_fn)]
pub(crate) fn run<W: Waits>(
    inner: Arc<Inner>,
    mut request: Request,
    message: Bytes,
    mut who: W,
) -> impl Future<Output = W::Told> + Send {
    // Not an `async fn`: its future would have room for each argument twice.
    async move {
        if let Err(status) = inner.intercept(&mut request) {
            return who.tell(Outcome::failed(status));
        }
        request.limited();
        let deadline = request.timeout.and_then(|t| Instant::now().checked_add(t));
        let mut timer = deadline.map(|d| Box::pin(tokio::time::sleep_until(d.into())));
        let place = Place::default();
        let mut attempts = pin!(attempts(&inner, &request, message, deadline, &place));
        let outcome = poll_fn(|cx| {
            if let Poll::Ready(mut outcome) = attempts.as_mut().poll(cx) {
                if is_late(&outcome.status, deadline) {
                    outcome.status = place.too_late(&inner, &request);
                }
                return Poll::Ready(Some(outcome));
            }
            if timer.as_mut().is_some_and(|t| t.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(Some(Outcome::failed(place.too_late(&inner, &request))));
            }
            who.poll_left(cx).map(|()| None)
        })
        .await;
        who.tell(outcome.unwrap_or_else(|| Outcome::failed(place.left(&request))))
    }
}

/// Who waits for a unary call.
pub(crate) trait Waits: Send {
    /// What the call's future gives.
    type Told;

    /// Ready when nobody waits any longer.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Says how the call ended.
    fn tell(self, outcome: Outcome) -> Self::Told;
}

/// The task that polls the call's future: when it drops that, the call is over.
pub(crate) struct Here;

impl Waits for Here {
    type Told = Outcome;

    fn poll_left(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn tell(self, outcome: Outcome) -> Outcome {
        outcome
    }
}

/// Who is elsewhere.
pub(crate) enum Done {
    /// A future of ours; when it is dropped, nobody waits any longer.
    Future(oneshot::Sender<Outcome>),
    /// A function of the application's side, told in any case.
    Function(Box<dyn FnOnce(Outcome) + Send>, Arc<Cancel>),
}

impl Waits for Done {
    type Told = ();

    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Done::Future(sender) => sender.poll_closed(cx),
            Done::Function(_, cancel) => cancel.poll(cx),
        }
    }

    fn tell(self, outcome: Outcome) {
        match self {
            Done::Future(sender) => drop(sender.send(outcome)),
            Done::Function(function, _) => function(outcome),
        }
    }
}

/// Cancels one unary call; from any thread, at any time.
#[derive(Default)]
pub struct Cancel {
    asked: AtomicBool,
    waker: AtomicWaker,
}

impl Cancel {
    /// Ends the call with CANCELLED, if it has not ended.
    pub fn cancel(&self) {
        self.asked.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.asked.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Whether a call is one that the peer reset because of our deadline, a moment before our own timer was looked at. A
/// proxy between makes UNAVAILABLE of such a reset (Envoy), or an end without trailers, UNKNOWN to us, or one within a
/// message, INTERNAL (HAProxy 2.6, whose own side of the stream ends well).
pub(crate) fn is_late(status: &Status, deadline: Option<Instant>) -> bool {
    let of_a_cut = matches!(status.code(), Code::Cancelled | Code::Unavailable | Code::Unknown | Code::Internal);
    of_a_cut && deadline.is_some_and(|d| Instant::now() >= d)
}

async fn attempts(
    inner: &Inner,
    request: &Request,
    message: Bytes,
    deadline: Option<Instant>,
    place: &Place,
) -> Outcome {
    let message = if request.compress { gzip::compress(&message) } else { message };
    let (mut attempts, mut unprocessed) = (0, 0);
    if let Err(status) = request.held_up().await {
        return Outcome::failed(status);
    }
    loop {
        let (outcome, ours) = match once(inner, request, message.clone(), deadline, attempts, place).await {
            Ok(outcome) => (outcome, false),
            Err(Ended::Unprocessed(_)) if unprocessed < UNPROCESSED => {
                unprocessed += 1;
                place.leave();
                continue;
            }
            Err(ended) => (Outcome::failed(ended.status()), true),
        };
        attempts += 1;
        if outcome.status.is_ok() {
            inner.budget.success();
            return outcome;
        }
        let retry = &inner.retry;
        let wanted = retry.codes.contains(&outcome.status.code());
        let allowed = wanted && inner.budget.failure();
        if !wanted || !request.idempotent {
            return outcome;
        }
        if !allowed || attempts >= retry.max_attempts {
            return if ours { given_up(outcome, attempts, allowed) } else { outcome };
        }
        let Some(wait) = pushback(&outcome.trailers, retry.wait(attempts + 1, random())) else { return outcome };
        drop(outcome);
        // Boxed: every call's future has room for it, few calls need it.
        Box::pin(tokio::time::sleep(wait)).await;
    }
}

/// Says of a failure of ours how often the call was sent, and why no more.
fn given_up(outcome: Outcome, attempts: u32, allowed: bool) -> Outcome {
    let why =
        if allowed { "its retries are used up" } else { "the channel's retry budget is used up: many calls fail" };
    let said = outcome.status.message();
    Outcome::failed(Status::new(outcome.status.code(), format!("{said} (attempts: {attempts}; {why})")))
}

/// The wait before the next attempt: the server's wish, if it has one; `None` if it wants none.
fn pushback(trailers: &Head, otherwise: Duration) -> Option<Duration> {
    match trailers.get("grpc-retry-pushback-ms") {
        None => Some(otherwise),
        Some(value) => std::str::from_utf8(value).ok()?.parse().ok().map(Duration::from_millis),
    }
}

async fn once(
    inner: &Inner,
    request: &Request,
    message: Bytes,
    deadline: Option<Instant>,
    attempts: u32,
    at: &Place,
) -> Result<Outcome, Ended> {
    let mut attempt = attempt::open(inner, request, deadline, attempts, at).await?;
    let place = || at.of(request);
    let too_long = || Ended::Status(attempt::too_long().at(&place()));
    let piece = Piece::message(request.compress, message).ok_or_else(too_long)?;
    // A peer that answers before it has read everything resets this half; what it answered still counts.
    let _ = attempt.sender.data(piece, true);
    let answered = poll_fn(|cx| attempt.response.poll(cx)).await;
    let (http_status, headers, body, last) = answered.map_err(|b| Ended::broken(&b, &place()))?;
    let encoding = match attempt::judge(http_status, &headers, last, place) {
        Ok(encoding) => encoding,
        Err(status) => {
            let status = if status.is_ok() { attempt::no_message().at(&place()) } else { status };
            return Ok(Outcome { trailers: headers, ..Outcome::failed(status) });
        }
    };
    let Answered { reply, trailers, rest } = received(body, inner.limits.max_message_size, &place).await?;
    let status = match &trailers {
        Some(trailers) => attempt::whole(attempt::ended(http_status, trailers, place), rest, place),
        None => rest.map_or_else(|| attempt::no_status(http_status), |e| e.status("response")).at(&place()),
    };
    let mut outcome =
        Outcome { status, headers, trailers: trailers.unwrap_or_default(), ..Outcome::failed(Status::ok()) };
    match reply {
        Some(reply) => {
            outcome.was_compressed = reply.compressed;
            match attempt::inflated(reply, encoding, inner.limits.max_message_size) {
                Ok(message) => outcome.message = message,
                Err(status) => outcome.status = status.at(&place()),
            }
        }
        None if outcome.status.is_ok() => {
            outcome.status = attempt::no_message().at(&place());
        }
        None => {}
    }
    Ok(outcome)
}

/// What came behind the headers.
struct Answered {
    reply: Option<frame::Message>,
    trailers: Option<Head>,
    /// What is wrong with the bytes behind the last whole message.
    rest: Option<frame::FrameError>,
}

async fn received(mut body: Body, limit: u32, place: &impl Fn() -> String) -> Result<Answered, Ended> {
    let mut reader = Reader::new(limit);
    let mut reply = None;
    while let Some(piece) = poll_fn(|cx| body.poll_data(cx)).await {
        let piece = piece.map_err(|b| Ended::broken(&b, &place()))?;
        body.release(piece.len());
        reader.push(piece);
        while let Some(message) = reader.next().map_err(|e| Ended::Status(e.status("response").at(&place())))? {
            if reply.replace(message).is_some() {
                let status =
                    Status::new(Code::Unimplemented, "the answer has a second message; is the method a stream there?");
                return Err(Ended::Status(status.at(&place())));
            }
        }
    }
    let rest = reader.end().err();
    let trailers = attempt::trailers(&mut body).await.map_err(|b| Ended::broken(&b, &place()))?;
    Ok(Answered { reply, trailers, rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// One is boxed for each call. Beyond this glibc's malloc keeps none at hand: each costs a search for room.
    #[test]
    fn a_calls_future_is_small() {
        let bytes = size(run::<Done>);
        assert!(bytes <= 1032, "{bytes} bytes");
    }

    #[test]
    fn what_is_cut_after_the_deadline_is_late_and_what_a_peer_says_is_its_word() {
        let (past, soon) = (Instant::now(), Instant::now() + std::time::Duration::from_secs(3600));
        for cut in [Code::Cancelled, Code::Unavailable, Code::Unknown, Code::Internal] {
            let status = Status::new(cut, "");
            assert!(is_late(&status, Some(past)), "{cut:?}");
            assert!(!is_late(&status, Some(soon)) && !is_late(&status, None), "{cut:?}");
        }
        for said in [Code::Ok, Code::NotFound, Code::ResourceExhausted, Code::Unimplemented] {
            assert!(!is_late(&Status::new(said, ""), Some(past)), "{said:?}");
        }
    }
}
