//! A streaming call: its handler is a future that the connection polls.

use super::Call;
use super::connection::Shared;
use super::router::Handler;
use super::unary::{inflated, panicked};
use crate::gzip;
use crate::http2::{Body, Opened, Reply};
use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use trilane_wire::frame::Reader;
use trilane_wire::{Code, Headers, Status};

/// One message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message, inflated.
    pub data: Bytes,
    /// Whether it was compressed on the wire.
    pub was_compressed: bool,
}

/// The messages of one call, both ways. Its methods must be called on the I/O thread, inside the handler.
pub struct ServerStream {
    call: Call,
    body: Body,
    reader: Reader,
    reply: Arc<Mutex<Reply>>,
    shared: Arc<Shared>,
    /// What this stream holds of the connection's `max_gathered`.
    gathered: usize,
}

impl Drop for ServerStream {
    fn drop(&mut self) {
        self.shared.gathered(self.gathered, 0);
    }
}

impl ServerStream {
    /// What came with the call, and what goes back beside its messages.
    pub fn call(&mut self) -> &mut Call {
        &mut self.call
    }

    /// The next message; `None` when the caller has sent its last.
    pub async fn message(&mut self) -> Result<Option<Message>, Status> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// [`ServerStream::message`] for who polls.
    pub fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Status>> {
        loop {
            if let Some(message) = self.reader.next().map_err(|e| e.status("request"))? {
                self.account()?;
                self.call.was_compressed = message.compressed;
                let was_compressed = message.compressed;
                let data = inflated(&self.call, message, &self.shared.hosted)?;
                return Poll::Ready(Ok(Some(Message { data, was_compressed })));
            }
            match ready!(self.body.poll_data(cx)) {
                None => return Poll::Ready(self.reader.end().map(|()| None).map_err(|e| e.status("request"))),
                Some(Err(broken)) => return Poll::Ready(Err(broken.status())),
                Some(Ok(piece)) => {
                    self.body.release(piece.len());
                    self.reader.push(piece);
                    self.account()?;
                }
            }
        }
    }

    /// Counts the part of a message that is there against what the connection may hold.
    fn account(&mut self) -> Result<(), Status> {
        let all = self.shared.gathered(self.gathered, self.reader.held());
        self.gathered = self.reader.held();
        self.shared.within(all)
    }

    /// Sends the response headers now; otherwise they go with the first message.
    pub fn send_headers(&mut self) -> Result<(), Status> {
        // The encoding is named whenever the caller takes it: each message has a flag of its own.
        let encoding = self.call.takes_gzip().then_some("gzip");
        self.reply.lock().headers(&self.call.headers, encoding).map(drop).map_err(|b| b.status())
    }

    /// Ready when another message may be sent without growing the queue beyond `send_buffer`.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.send_headers()?;
        match &mut *self.reply.lock() {
            Reply::Open(sender) => sender.poll_room(cx).map_err(|b| b.status()),
            _ => Poll::Ready(Err(Status::new(Code::Cancelled, "the call has ended"))),
        }
    }

    /// Queues a message without waiting for room. Short ones leave together when the handler waits or ends.
    pub fn send_now(&mut self, data: Bytes) -> Result<(), Status> {
        self.send_headers()?;
        let compressed = self.call.compress && self.call.takes_gzip();
        let data = if compressed { gzip::compress(&data) } else { data };
        match &mut *self.reply.lock() {
            Reply::Open(sender) => match sender.message(compressed, data).map_err(|b| b.status())? {
                true => Ok(()),
                false => Err(Status::new(Code::Internal, "the reply is larger than 4 GiB")),
            },
            _ => Err(Status::new(Code::Cancelled, "the call has ended")),
        }
    }

    /// Sends a message once there is room for it.
    pub async fn send(&mut self, data: Bytes) -> Result<(), Status> {
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.send_now(data)
    }
}

/// Runs a handler to its end, or to the caller's cancellation or deadline; then ends the call.
pub(crate) async fn run(opened: Opened, handler: Arc<Handler>, shared: Arc<Shared>) {
    let call = Call::new(opened.uri, opened.head, shared.peer.clone());
    let reply = Arc::new(Mutex::new(opened.reply));
    let reader = Reader::new(shared.hosted.limits.max_message_size);
    let mut stream = ServerStream { call, body: opened.body, reader, reply: reply.clone(), shared, gathered: 0 };
    let intercepted = {
        let ServerStream { call, shared, .. } = &mut stream;
        let run = || shared.hosted.interceptors.iter().try_for_each(|i| i(call));
        std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(panicked()))
    };
    let done = match intercepted {
        Err(status) => Some(Err(status)),
        Ok(()) => handled(&mut stream, &handler, &reply).await,
    };
    let Some(result) = done else { return };
    let status = result.err().unwrap_or_else(Status::ok);
    let mut reply = reply.lock();
    // A stream that sent nothing but ends well still has headers of its own: some clients want both frames.
    if status.is_ok() {
        let _ = reply.headers(&stream.call.headers, None);
    }
    let _ = reply.end(&status, &stream.call.headers, &stream.call.trailers);
}

/// `None`: the caller has gone, or its time is over and the stream is reset: nothing is left to tell.
async fn handled(stream: &mut ServerStream, handler: &Handler, reply: &Mutex<Reply>) -> Option<Result<(), Status>> {
    let mut timer = stream.call.deadline().map(|d| Box::pin(tokio::time::sleep_until(d.into())));
    let made = std::panic::catch_unwind(AssertUnwindSafe(move || {
        let stream = stream;
        match handler {
            Handler::Stream(handler) => handler(stream),
            Handler::Unary(handler) => unary(stream, handler),
        }
    }));
    let Ok(made) = made else { return Some(Err(panicked())) };
    let mut running = pin!(AssertUnwindSafe(made).catch_unwind());
    poll_fn(|cx| {
        if let Poll::Ready(result) = running.as_mut().poll(cx) {
            return Poll::Ready(Some(result.unwrap_or_else(|_| Err(panicked()))));
        }
        let mut reply = reply.lock();
        reply.flush();
        if reply.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        match timer.as_mut().map(|t| t.as_mut().poll(cx)) {
            // As grpc-java and grpc-go do it: the caller's own clock says that it was the deadline.
            Some(Poll::Ready(())) => {
                reply.cancel();
                Poll::Ready(None)
            }
            _ => Poll::Pending,
        }
    })
    .await
}

type UnaryFn = dyn Fn(&mut Call, Bytes) -> Result<Bytes, Status> + Send + Sync;

/// A unary handler behind [`Handler::Stream`]'s rules; not the usual way.
fn unary<'a>(
    stream: &'a mut ServerStream,
    handler: &'a UnaryFn,
) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>> {
    Box::pin(async move {
        let missing = || Status::new(Code::Unimplemented, "a unary request has no message");
        let message = stream.message().await?.ok_or_else(missing)?;
        let reply = handler(&mut stream.call, message.data)?;
        stream.send(reply).await
    })
}

/// Ends a call that has no handler.
pub(crate) fn refuse(mut opened: Opened, status: &Status) {
    let none = Headers::new();
    let _ = opened.reply.end(status, &none, &none);
}

/// Answers a request that is not gRPC once it has ended: its body is thrown away, for ten seconds at most.
pub(crate) async fn plain(mut opened: Opened, status: u16, text: Bytes) {
    let mut patience = Box::pin(tokio::time::sleep(std::time::Duration::from_secs(10)));
    let ended = poll_fn(|cx| {
        loop {
            match opened.body.poll_data(cx) {
                Poll::Ready(Some(Ok(piece))) => opened.body.release(piece.len()),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
                Poll::Ready(None) => return opened.body.poll_trailers(cx).map(|t| t.is_ok()),
                Poll::Pending => return patience.as_mut().poll(cx).map(|()| true),
            }
        }
    });
    if ended.await {
        opened.reply.plain(status, text);
    }
}
