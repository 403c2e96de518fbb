//! A unary call: its message is gathered, answered inline, done.

use super::connection::Shared;
use super::router::Handler;
use super::{Call, Hosted};
use crate::gzip;
use crate::http2::{Body, Broken, Opened, Piece, Reply};
use bytes::Bytes;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Sleep;
use trilane_wire::frame::{self, Reader};
use trilane_wire::{Code, Encoding, Headers, Status, encoding};

pub(crate) struct Unary {
    call: Call,
    body: Body,
    reply: Reply,
    reader: Reader,
    message: Option<frame::Message>,
    gathered: usize,
    handler: Arc<Handler>,
    shared: Arc<Shared>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Unary {
    pub fn new(opened: Opened, handler: Arc<Handler>, shared: Arc<Shared>) -> Self {
        let call = Call::new(opened.uri, opened.head, shared.peer.clone());
        let reader = Reader::new(shared.hosted.limits.max_message_size);
        let (body, reply) = (opened.body, opened.reply);
        Self { call, body, reply, reader, message: None, gathered: 0, handler, shared, timer: None }
    }

    /// Takes in what is there; ready with the end of the request, or with a status that ends the call early.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<Result<(), Status>, Broken>> {
        loop {
            match self.body.poll_data(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(self.reader.end().map_err(|e| e.status("request")))),
                Poll::Ready(Some(Err(broken))) => return Poll::Ready(Err(broken)),
                Poll::Ready(Some(Ok(piece))) => {
                    self.body.release(piece.len());
                    if let Err(status) = self.take(piece) {
                        return Poll::Ready(Ok(Err(status)));
                    }
                }
            }
        }
    }

    fn take(&mut self, piece: Bytes) -> Result<(), Status> {
        self.reader.push(piece);
        while let Some(message) = self.reader.next().map_err(|e| e.status("request"))? {
            if self.message.is_some() {
                return Err(Status::new(Code::Unimplemented, "a unary request has a second message"));
            }
            self.message = Some(message);
        }
        self.account(self.reader.held() + self.message.as_ref().map_or(0, |m| m.data.len()))
    }

    /// Counts what this call holds against what its connection may hold.
    fn account(&mut self, now: usize) -> Result<(), Status> {
        let all = self.shared.gathered(self.gathered, now);
        self.gathered = now;
        self.shared.within(all)
    }

    fn answer(&mut self) -> Result<(bool, Bytes), Status> {
        let Some(message) = self.message.take() else {
            return Err(Status::new(Code::Unimplemented, "a unary request has no message"));
        };
        self.call.was_compressed = message.compressed;
        let data = inflated(&self.call, message, &self.shared.hosted)?;
        let Handler::Unary(handler) = &*self.handler else { unreachable!("a unary call has a unary handler") };
        let (call, hosted) = (&mut self.call, &self.shared.hosted);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            hosted.interceptors.iter().try_for_each(|i| i(call))?;
            handler(call, data)
        }));
        let reply = ran.unwrap_or_else(|_| Err(panicked()))?;
        Ok(if self.call.compress && self.call.takes_gzip() { (true, gzip::compress(&reply)) } else { (false, reply) })
    }

    fn finish(&mut self, asked: Result<(), Status>) {
        let answered = asked.and_then(|()| self.answer());
        let none = Headers::new();
        let end = |reply: &mut Reply, call: &Call, status: &Status| reply.end(status, &call.headers, &call.trailers);
        let sent = match answered {
            Err(status) => end(&mut self.reply, &self.call, &status),
            Ok((compressed, data)) => match Piece::message(compressed, data) {
                None => {
                    end(&mut self.reply, &self.call, &Status::new(Code::Internal, "the reply is larger than 4 GiB"))
                }
                Some(piece) => {
                    let encoding = compressed.then_some("gzip");
                    let sent = self.reply.headers(&self.call.headers, encoding).and_then(|s| s.data(piece, false));
                    sent.and_then(|()| self.reply.end(&Status::ok(), &none, &self.call.trailers))
                }
            },
        };
        // The peer is gone, or has reset the stream: nobody is left to tell.
        drop(sent);
    }
}

/// The application's bytes of a message.
pub(crate) fn inflated(call: &Call, message: frame::Message, hosted: &Hosted) -> Result<Bytes, Status> {
    if !message.compressed {
        return Ok(message.data);
    }
    match call.request_encoding()? {
        Encoding::Gzip => gzip::inflate(&message.data, hosted.limits.max_message_size),
        Encoding::Identity => Err(encoding::flag_without_encoding()),
    }
}

pub(crate) fn panicked() -> Status {
    Status::new(Code::Internal, "the handler panicked; the server's log has the place")
}

impl Future for Unary {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.poll_request(cx) {
            Poll::Ready(Ok(asked)) => {
                self.finish(asked);
                Poll::Ready(())
            }
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Pending => {
                let Some(deadline) = self.call.deadline() else { return Poll::Pending };
                let sleep = || Box::pin(tokio::time::sleep_until(deadline.into()));
                if self.timer.get_or_insert_with(sleep).as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.reply.cancel();
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Unary {
    fn drop(&mut self) {
        self.shared.gathered(self.gathered, 0);
    }
}
