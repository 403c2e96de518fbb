//! The same echo as `transport-bench`, on tonic: a server on one thread, and a loader on one connection.
//!
//!     tonic-bench server 9000
//!     tonic-bench load PORT CONNECTIONS STREAMS CALLS SIZE

use futures_util::future::BoxFuture;
use futures_util::stream;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, PartialEq, prost::Message)]
struct Bytes1 {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
}

#[derive(Clone)]
struct Echo;

impl tonic::server::NamedService for Echo {
    const NAME: &'static str = "echo.Echo";
}

#[derive(Clone)]
struct Call;

impl tonic::server::UnaryService<Bytes1> for Call {
    type Response = Bytes1;
    type Future = BoxFuture<'static, Result<Response<Bytes1>, Status>>;

    fn call(&mut self, request: Request<Bytes1>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner())) })
    }
}

#[derive(Clone)]
struct Watch;

impl tonic::server::ServerStreamingService<Bytes1> for Watch {
    type Response = Bytes1;
    type ResponseStream = Pin<Box<dyn futures_util::Stream<Item = Result<Bytes1, Status>> + Send>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    /// As many messages of 1 KB as the request has bytes.
    fn call(&mut self, request: Request<Bytes1>) -> Self::Future {
        let count = request.into_inner().data.len();
        let messages = stream::iter((0..count).map(|_| Ok(Bytes1 { data: vec![7; 1024] })));
        Box::pin(async move { Ok(Response::new(Box::pin(messages) as Self::ResponseStream)) })
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<Bytes1, Bytes1>::default());
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/echo.Echo/Watch" => grpc.server_streaming(Watch, request).await,
                _ => grpc.unary(Call, request).await,
            })
        })
    }
}

async fn serve(port: u16) -> Result<(), Error> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let ended = async {
        let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
    };
    let mut server = tonic::transport::Server::builder()
        .max_concurrent_streams(1024)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20);
    Ok(server.add_service(Echo).serve_with_incoming_shutdown(incoming, ended).await?)
}

async fn caller(channel: tonic::transport::Channel, calls: usize, size: usize) -> Result<(), Error> {
    let mut grpc = tonic::client::Grpc::new(channel);
    for _ in 0..calls {
        grpc.ready().await?;
        let path = http::uri::PathAndQuery::from_static("/echo.Echo/Call");
        let request = Request::new(Bytes1 { data: vec![7; size] });
        let reply: Response<Bytes1> = grpc.unary(request, path, ProstCodec::<Bytes1, Bytes1>::default()).await?;
        assert_eq!(reply.into_inner().data.len(), size);
    }
    Ok(())
}

fn cpu_ns() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let one = |task: std::fs::DirEntry| -> Option<u64> {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse().ok()
    };
    tasks.filter_map(one).sum()
}

async fn load(numbers: &[usize]) -> Result<(), Error> {
    let [port, connections, streams, calls, size] = numbers else { return Err("five numbers are expected".into()) };
    let each = calls / (connections * streams);
    let mut channels = Vec::new();
    for _ in 0..*connections {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?.tcp_nodelay(true);
        channels.push(endpoint.connect().await?);
    }
    // What is measured starts when everything is warm.
    for channel in &channels {
        caller(channel.clone(), 500, *size).await?;
    }
    let (begun, before) = (Instant::now(), cpu_ns());
    let callers = channels.iter().flat_map(|c| (0..*streams).map(move |_| c.clone()));
    let tasks: Vec<_> = callers.map(|c| tokio::spawn(caller(c, each, *size))).collect();
    let mut failed = 0;
    for task in tasks {
        failed += if task.await?.is_err() { each } else { 0 };
    }
    let made = each * connections * streams;
    let took = begun.elapsed().as_secs_f64();
    println!(
        "calls={made} failed={failed} seconds={took:.2} per_second={:.0} loader_cpu_us={:.2}",
        made as f64 / took,
        (cpu_ns() - before) as f64 / 1000.0 / made as f64
    );
    Ok(())
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers = arguments.iter().skip(1).map(|n| n.parse()).collect::<Result<Vec<usize>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.first().map(String::as_str) {
        Some("server") if numbers.len() == 1 => runtime.block_on(serve(numbers[0] as u16)),
        Some("load") => runtime.block_on(load(&numbers)),
        _ => Err("server PORT, or load PORT CONNECTIONS STREAMS CALLS SIZE".into()),
    }
}
