//! The Rust lines of docs/triple.md, compiled; a test of the program holds the page to these.

use bytes::Bytes;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use trilane_net::client::PickInput;
use trilane_net::{Channel, Head, Io, Outcome, Request, Server, ServerStream, Status};

fn quote(_: &Head, message: Bytes) -> Result<Bytes, Status> {
    Ok(message)
}

async fn watch(_: &mut ServerStream) -> Result<(), Status> {
    Ok(())
}

fn pick(input: &PickInput<'_>) -> Result<usize, Status> {
    Ok(input.targets.len() - 1)
}

async fn page(message: Bytes, second: Duration) -> Result<(Server, Outcome), Box<dyn Error>> {
    let io = Io::shared()?;
    let server = Server::builder()
        .unary("/shop.Pricing/Quote", |call, message| quote(call.head(), message))
        .stream("/shop.Pricing/Watch", |stream| Box::pin(watch(stream)))
        .listen("0.0.0.0:8080".parse()?, &io)?;
    let channel = Channel::to_all(["10.0.0.7:8080", "10.0.0.8:8080"]).picker(Arc::new(pick)).open(&io)?;
    let outcome = channel.unary(Request::new("/shop.Pricing/Quote").timeout(second), message).await;
    Ok((server, outcome))
}

/// Its addresses are a page's: made, never asked to run.
#[test]
fn the_page_compiles() {
    drop(page(Bytes::new(), Duration::from_secs(1)));
}
