//! `grpc.testing.TestService` on our server.

use crate::messages::{self, ECHO_INITIAL, ECHO_TRAILING, GROUP, HOSTED, Request, VERSION};
use std::time::Duration;
use trilane_net::server::{Handler, Health, Reflection};
use trilane_net::{Call, Code, ServerBuilder, ServerStream, Status};
use trilane_wire::metadata;

const SERVICE: &str = "/grpc.testing.TestService";

/// Hosts the service with health and reflection.
pub fn host(builder: ServerBuilder, descriptors: &[u8]) -> Result<ServerBuilder, Status> {
    let builder = builder
        .interceptor(echo)
        .plain(200, "this is trilane's interop server; it speaks gRPC\n")
        .unary(&format!("{SERVICE}/EmptyCall"), |_, _| Ok(bytes::Bytes::new()))
        .unary(&format!("{SERVICE}/UnaryCall"), unary)
        .unary(&format!("{SERVICE}/CacheableUnaryCall"), unary)
        .stream(&format!("{SERVICE}/StreamingOutputCall"), |s| Box::pin(output(s)))
        .stream(&format!("{SERVICE}/StreamingInputCall"), |s| Box::pin(input(s)))
        .stream(&format!("{SERVICE}/FullDuplexCall"), |s| Box::pin(full_duplex(s)))
        .stream(&format!("{SERVICE}/HalfDuplexCall"), |s| Box::pin(half_duplex(s)))
        .handler_for(GROUP, VERSION, &format!("{SERVICE}/EmptyCall"), Handler::Unary(Box::new(for_group_and_version)));
    let builder = Health::default().host(builder);
    Ok(Reflection::default().with(descriptors)?.with(&Health::descriptors())?.host(builder))
}

/// `custom_metadata`: one header and one binary trailer go back as they came.
fn echo(call: &mut Call) -> Result<(), Status> {
    if let Some(value) = call.head().get(ECHO_INITIAL).map(<[u8]>::to_vec) {
        call.add_header(ECHO_INITIAL, &value)?;
    }
    if let Some(value) = call.head().get(ECHO_TRAILING).and_then(metadata::decode_bin) {
        call.add_trailer(ECHO_TRAILING, &value)?;
    }
    Ok(())
}

/// `group_and_version`: who asks for them is answered here, and sees it.
fn for_group_and_version(call: &mut Call, _: bytes::Bytes) -> Result<bytes::Bytes, Status> {
    call.add_trailer(HOSTED, format!("{GROUP}/{VERSION}").as_bytes())?;
    Ok(bytes::Bytes::new())
}

fn asked_status(request: &Request) -> Result<(), Status> {
    match &request.status {
        Some((number, message)) if *number != 0 => {
            Err(Status::new(Code::from_number(*number).unwrap_or(Code::Unknown), message.clone()))
        }
        _ => Ok(()),
    }
}

fn expected(was: bool, expected: Option<bool>) -> Result<(), Status> {
    match expected {
        Some(want) if want != was => {
            Err(Status::new(Code::InvalidArgument, format!("compressed: {was}; the request expected {want}")))
        }
        _ => Ok(()),
    }
}

fn unary(call: &mut Call, message: bytes::Bytes) -> Result<bytes::Bytes, Status> {
    let request = Request::read(&message)?;
    expected(call.was_compressed(), request.expect_compressed)?;
    asked_status(&request)?;
    call.compress(request.response_compressed);
    Ok(messages::reply(request.response_size))
}

async fn answer(stream: &mut ServerStream, request: &Request) -> Result<(), Status> {
    for response in &request.responses {
        if response.interval_us > 0 {
            tokio::time::sleep(Duration::from_micros(response.interval_us)).await;
        }
        stream.call().compress(response.compressed);
        stream.send(messages::reply(response.size)).await?;
    }
    asked_status(request)
}

async fn output(stream: &mut ServerStream) -> Result<(), Status> {
    let missing = || Status::new(Code::Internal, "the request has no message");
    let request = Request::read(&stream.message().await?.ok_or_else(missing)?.data)?;
    answer(stream, &request).await
}

async fn input(stream: &mut ServerStream) -> Result<(), Status> {
    let mut sum = 0;
    while let Some(message) = stream.message().await? {
        let (size, want) = messages::read_input(&message.data)?;
        expected(message.was_compressed, want)?;
        sum += size;
    }
    stream.send(messages::aggregated(sum)).await
}

async fn full_duplex(stream: &mut ServerStream) -> Result<(), Status> {
    stream.send_headers()?;
    while let Some(message) = stream.message().await? {
        let request = Request::read(&message.data)?;
        answer(stream, &request).await?;
    }
    Ok(())
}

async fn half_duplex(stream: &mut ServerStream) -> Result<(), Status> {
    let mut requests = Vec::new();
    while let Some(message) = stream.message().await? {
        requests.push(Request::read(&message.data)?);
    }
    for request in &requests {
        answer(stream, request).await?;
    }
    Ok(())
}
