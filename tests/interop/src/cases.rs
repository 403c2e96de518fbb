//! The cases, as a client runs them. Each says in a sentence what was wrong.

use crate::messages::{self, ECHO_INITIAL, ECHO_TRAILING, GROUP, HOSTED, Request as Asked, Response, VERSION};
use bytes::Bytes;
use std::time::Duration;
use trilane_net::client::{ClientCall, Outcome};
use trilane_net::{Channel, Code, Message, Request, Status};
use trilane_wire::{metadata, triple};

type Case = Result<(), String>;

const SERVICE: &str = "/grpc.testing.TestService";
const LARGE_REQUEST: usize = 271_828;
const LARGE_REPLY: u64 = 314_159;
const REQUESTS: [usize; 4] = [27182, 8, 1828, 45904];
const REPLIES: [u64; 4] = [31415, 9, 2653, 58979];
const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

/// Every case that this client has.
pub const ALL: [&str; 18] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "client_compressed_unary",
    "server_compressed_unary",
    "client_compressed_streaming",
    "server_compressed_streaming",
];

/// Cases of ours for a Dubbo provider, beside gRPC's.
pub const DUBBO: [&str; 3] = ["group_and_version", "version_in_vain", "business_error"];

/// Runs one case.
pub async fn run(channel: &Channel, case: &str) -> Case {
    match case {
        "empty_unary" => empty_unary(channel).await,
        "large_unary" => large(channel, None, false).await,
        "client_streaming" => client_streaming(channel).await,
        "server_streaming" => server_streaming(channel).await,
        "ping_pong" => ping_pong(channel).await,
        "empty_stream" => empty_stream(channel).await,
        "timeout_on_sleeping_server" => timeout(channel).await,
        "cancel_after_begin" => cancel_after_begin(channel).await,
        "cancel_after_first_response" => cancel_after_first_response(channel).await,
        "status_code_and_message" => status(channel, "test status message").await,
        "special_status_message" => special_status(channel).await,
        "custom_metadata" => custom_metadata(channel).await,
        "unimplemented_method" => unimplemented(channel, "grpc.testing.TestService/UnimplementedCall").await,
        "unimplemented_service" => unimplemented(channel, "grpc.testing.UnimplementedService/UnimplementedCall").await,
        "client_compressed_unary" => client_compressed_unary(channel).await,
        "server_compressed_unary" => server_compressed_unary(channel).await,
        "client_compressed_streaming" => client_compressed_streaming(channel).await,
        "server_compressed_streaming" => server_compressed_streaming(channel).await,
        "group_and_version" => group_and_version(channel).await,
        "version_in_vain" => version_in_vain(channel).await,
        "business_error" => business_error(channel).await,
        other => Err(format!("there is no case {other}; there are {}, {}", ALL.join(", "), DUBBO.join(", "))),
    }
}

fn method(name: &str) -> Request {
    Request::new(format!("{SERVICE}/{name}"))
}

fn check(good: bool, what: impl FnOnce() -> String) -> Case {
    if good { Ok(()) } else { Err(what()) }
}

fn ok(status: &Status) -> Case {
    check(status.is_ok(), || format!("ended with {status}"))
}

fn code(status: &Status, want: Code) -> Case {
    check(status.code() == want, || format!("ended with {status}, {want:?} is expected"))
}

async fn empty_unary(channel: &Channel) -> Case {
    let outcome = channel.unary(method("EmptyCall"), Bytes::new()).await;
    ok(&outcome.status)?;
    check(outcome.message.is_empty(), || format!("{} bytes came", outcome.message.len()))
}

fn sized(message: &[u8], want: u64) -> Case {
    let size = messages::reply_size(message);
    check(size == Some(want as usize), || format!("the payload has {size:?} bytes, {want} are expected"))
}

async fn large(channel: &Channel, expect: Option<bool>, compress: bool) -> Case {
    let asked =
        Asked { response_size: LARGE_REPLY, payload: LARGE_REQUEST, expect_compressed: expect, ..Asked::default() };
    let outcome = channel.unary(method("UnaryCall").compress(compress), asked.write()).await;
    ok(&outcome.status)?;
    sized(&outcome.message, LARGE_REPLY)
}

async fn send(call: &ClientCall, message: Bytes) -> Case {
    call.send(message).await.map_err(|s| format!("a message could not be sent: {s}"))
}

async fn next(call: &ClientCall) -> Result<Message, String> {
    match call.message().await {
        Some(message) => Ok(message),
        None => Err(format!("ended with {} where a message is expected", call.end().await.0)),
    }
}

/// No further message, and OK.
async fn finished(call: &ClientCall) -> Case {
    check(call.message().await.is_none(), || "a message too many came".into())?;
    ok(&call.end().await.0)
}

async fn client_streaming(channel: &Channel) -> Case {
    let call = channel.stream(method("StreamingInputCall"));
    for size in REQUESTS {
        send(&call, messages::input(size, None)).await?;
    }
    call.half_close();
    let reply = next(&call).await?;
    check(reply.data == messages::aggregated(74922), || "the sum of all sizes is not 74922".into())?;
    finished(&call).await
}

async fn server_streaming(channel: &Channel) -> Case {
    let call = channel.stream(method("StreamingOutputCall"));
    let responses = REPLIES.iter().map(|size| Response { size: *size, ..Response::default() }).collect();
    send(&call, Asked { responses, ..Asked::default() }.write()).await?;
    call.half_close();
    for size in REPLIES {
        sized(&next(&call).await?.data, size)?;
    }
    finished(&call).await
}

fn ask_one(payload: usize, size: u64) -> Bytes {
    let responses = vec![Response { size, ..Response::default() }];
    Asked { responses, payload, ..Asked::default() }.write()
}

async fn ping_pong(channel: &Channel) -> Case {
    let call = channel.stream(method("FullDuplexCall"));
    for (request, reply) in REQUESTS.into_iter().zip(REPLIES) {
        send(&call, ask_one(request, reply)).await?;
        sized(&next(&call).await?.data, reply)?;
    }
    call.half_close();
    finished(&call).await
}

async fn empty_stream(channel: &Channel) -> Case {
    let call = channel.stream(method("FullDuplexCall"));
    call.half_close();
    finished(&call).await
}

async fn timeout(channel: &Channel) -> Case {
    let call = channel.stream(method("FullDuplexCall").timeout(Duration::from_millis(1)));
    let responses = vec![Response { size: 31415, interval_us: 1_000_000, compressed: false }];
    call.send_now(Asked { responses, payload: 27182, ..Asked::default() }.write());
    code(&call.end().await.0, Code::DeadlineExceeded)
}

async fn cancel_after_begin(channel: &Channel) -> Case {
    let call = channel.stream(method("StreamingInputCall"));
    call.cancel();
    code(&call.end().await.0, Code::Cancelled)
}

async fn cancel_after_first_response(channel: &Channel) -> Case {
    let call = channel.stream(method("FullDuplexCall"));
    send(&call, ask_one(27182, 31415)).await?;
    sized(&next(&call).await?.data, 31415)?;
    call.cancel();
    code(&call.end().await.0, Code::Cancelled)
}

async fn status(channel: &Channel, text: &str) -> Case {
    let asked = Asked { status: Some((2, text.into())), ..Asked::default() }.write();
    let outcome = channel.unary(method("UnaryCall"), asked.clone()).await;
    said(&outcome.status, text)?;
    let call = channel.stream(method("FullDuplexCall"));
    send(&call, asked).await?;
    call.half_close();
    said(&call.end().await.0, text)
}

async fn special_status(channel: &Channel) -> Case {
    let asked = Asked { status: Some((2, SPECIAL.into())), ..Asked::default() }.write();
    said(&channel.unary(method("UnaryCall"), asked).await.status, SPECIAL)
}

fn said(status: &Status, text: &str) -> Case {
    code(status, Code::Unknown)?;
    check(status.message() == text, || format!("the message is {:?}, {text:?} is expected", status.message()))
}

async fn custom_metadata(channel: &Channel) -> Case {
    let (initial, trailing) = (b"test_initial_metadata_value", b"\xab\xab\xab");
    let with = |name: &str| method(name).header(ECHO_INITIAL, initial)?.header(ECHO_TRAILING, trailing);
    let asked = Asked { response_size: LARGE_REPLY, payload: LARGE_REQUEST, ..Asked::default() };
    let Outcome { status, headers, trailers, .. } = channel.unary(with("UnaryCall")?, asked.write()).await;
    ok(&status)?;
    check(headers.get(ECHO_INITIAL) == Some(initial), || "unary: the header did not come back".into())?;
    let back = trailers.get(ECHO_TRAILING).and_then(metadata::decode_bin);
    check(back.as_deref() == Some(trailing), || "unary: the trailer did not come back".into())?;
    let call = channel.stream(with("FullDuplexCall")?);
    send(&call, ask_one(LARGE_REQUEST, LARGE_REPLY)).await?;
    call.half_close();
    let headers = call.headers().await.unwrap_or_default();
    check(headers.get(ECHO_INITIAL.as_bytes()) == Some(initial), || "stream: the header did not come back".into())?;
    sized(&next(&call).await?.data, LARGE_REPLY)?;
    finished(&call).await?;
    let back = call.end().await.1.get(ECHO_TRAILING.as_bytes()).and_then(metadata::decode_bin);
    check(back.as_deref() == Some(trailing), || "stream: the trailer did not come back".into())
}

async fn unimplemented(channel: &Channel, path: &str) -> Case {
    let outcome = channel.unary(Request::new(format!("/{path}")), Bytes::new()).await;
    code(&outcome.status, Code::Unimplemented)
}

/// First whether the server looks at all: a request that says it is compressed and is not must be refused.
async fn probe(outcome: Outcome) -> Case {
    code(&outcome.status, Code::InvalidArgument)
}

async fn client_compressed_unary(channel: &Channel) -> Case {
    let lie = Asked { expect_compressed: Some(true), payload: LARGE_REQUEST, ..Asked::default() };
    probe(channel.unary(method("UnaryCall"), lie.write()).await).await?;
    large(channel, Some(true), true).await?;
    large(channel, Some(false), false).await
}

async fn server_compressed_unary(channel: &Channel) -> Case {
    for wanted in [true, false] {
        let asked = Asked {
            response_size: LARGE_REPLY,
            payload: LARGE_REQUEST,
            response_compressed: wanted,
            ..Asked::default()
        };
        let outcome = channel.unary(method("UnaryCall"), asked.write()).await;
        ok(&outcome.status)?;
        sized(&outcome.message, LARGE_REPLY)?;
        check(outcome.was_compressed == wanted, || format!("compressed: {}, asked: {wanted}", outcome.was_compressed))?;
    }
    Ok(())
}

async fn client_compressed_streaming(channel: &Channel) -> Case {
    let call = channel.stream(method("StreamingInputCall"));
    call.send_now(messages::input(27182, Some(true)));
    call.half_close();
    code(&call.end().await.0, Code::InvalidArgument)?;
    let call = channel.stream(method("StreamingInputCall").compress(true));
    send(&call, messages::input(27182, Some(true))).await?;
    call.compress(false);
    send(&call, messages::input(45904, Some(false))).await?;
    call.half_close();
    let reply = next(&call).await?;
    check(reply.data == messages::aggregated(73086), || "the sum of all sizes is not 73086".into())?;
    finished(&call).await
}

async fn server_compressed_streaming(channel: &Channel) -> Case {
    let call = channel.stream(method("StreamingOutputCall"));
    let wanted = [(31415, true), (92653, false)];
    let responses =
        wanted.iter().map(|(size, compressed)| Response { size: *size, interval_us: 0, compressed: *compressed });
    send(&call, Asked { responses: responses.collect(), ..Asked::default() }.write()).await?;
    call.half_close();
    for (size, compressed) in wanted {
        let message = next(&call).await?;
        sized(&message.data, size)?;
        check(message.was_compressed == compressed, || format!("{size}: compressed: {}", message.was_compressed))?;
    }
    finished(&call).await
}

/// What is hosted for a group and a version is reached by who names them, and says so.
async fn group_and_version(channel: &Channel) -> Case {
    let request =
        method("EmptyCall").header(triple::GROUP, GROUP.as_bytes())?.header(triple::VERSION, VERSION.as_bytes())?;
    let outcome = channel.unary(request, Bytes::new()).await;
    ok(&outcome.status)?;
    let seen = outcome.trailers.get(HOSTED).map(String::from_utf8_lossy);
    check(seen.as_deref() == Some(&format!("{GROUP}/{VERSION}")), || format!("answered by {seen:?}"))
}

/// dubbo-go has nothing for a version that was not asked for by name (trap 7): who sends one must mean it.
async fn version_in_vain(channel: &Channel) -> Case {
    let request = method("EmptyCall").header(triple::VERSION, b"1.0.0")?;
    code(&channel.unary(request, Bytes::new()).await.status, Code::Unimplemented)
}

/// An ordinary error of a Go program comes as status 17, which is none of gRPC's (trap 2).
async fn business_error(channel: &Channel) -> Case {
    let asked = Asked { status: Some((17, "no stock\nof it".into())), ..Asked::default() }.write();
    said(&channel.unary(method("UnaryCall"), asked).await.status, "no stock\nof it")
}
