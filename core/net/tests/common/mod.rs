//! A server with an echo in every shape, and a channel to it.
#![allow(dead_code, reason = "each test uses a part")]

use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use trilane_net::{Channel, Code, Io, Limits, Server, ServerBuilder, ServerStream, Status};

pub fn io() -> Arc<Io> {
    Io::new(1).unwrap()
}

pub fn block<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn echo(stream: &mut ServerStream) -> Result<(), Status> {
    while let Some(message) = stream.message().await? {
        stream.send(message.data).await?;
    }
    Ok(())
}

/// Answers a number n in text with n messages of 5 bytes.
async fn many(stream: &mut ServerStream) -> Result<(), Status> {
    let asked = stream.message().await?.ok_or_else(|| Status::new(Code::Internal, "no message"))?;
    let count: usize = std::str::from_utf8(&asked.data).unwrap().parse().unwrap();
    for _ in 0..count {
        stream.send(Bytes::from_static(b"12345")).await?;
    }
    Ok(())
}

pub fn services() -> ServerBuilder {
    Server::builder()
        .unary("/t.Echo/Unary", |_, message| Ok(message))
        .unary("/t.Echo/Panic", |_, _| panic!("on purpose"))
        .unary("/t.Echo/Fail", |call, message| {
            call.add_trailer("x-why", b"because")?;
            Err(Status::new(Code::NotFound, String::from_utf8_lossy(&message)))
        })
        .stream("/t.Echo/Stream", |s| Box::pin(echo(s)))
        .stream("/t.Echo/Many", |s| Box::pin(many(s)))
        .stream("/t.Echo/Hang", |_| Box::pin(std::future::pending()))
        .stream("/t.Echo/Slow", |s| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                echo(s).await
            })
        })
}

pub fn serve(builder: ServerBuilder, io: &Arc<Io>) -> Server {
    builder.listen("127.0.0.1:0".parse().unwrap(), io).unwrap()
}

pub fn started(limits: Limits) -> (Server, Channel) {
    let io = io();
    let server = serve(services().limits(limits), &io);
    let channel = Channel::builder(&server.local_addr().to_string()).open(&io).unwrap();
    (server, channel)
}
