//! Echo under load, to be counted: a server, and a loader on our client. 100-byte messages, as grpc_bench has them.
//!
//!     valgrind --tool=callgrind transport-bench server --port 9000
//!     transport-bench load --port 9000 --connections 10 --streams 20 --calls 20000

use bytes::Bytes;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use trilane_net::{Channel, Io, Request, Server, ServerStream, Status};
use trilane_wire::{Code, proto};

#[derive(Parser)]
struct Flags {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Echoes on one thread, until its standard input ends.
    Server {
        /// Port to listen on.
        #[arg(long)]
        port: u16,
    },
    /// Calls, as many at a time as connections x streams, and prints the CPU time of this process per call.
    Load {
        /// Port of the server.
        #[arg(long)]
        port: u16,
        /// Connections.
        #[arg(long, default_value_t = 1)]
        connections: usize,
        /// Calls at a time on each.
        #[arg(long, default_value_t = 20)]
        streams: usize,
        /// Calls in all.
        #[arg(long, default_value_t = 20_000)]
        calls: usize,
        /// Bytes of each message's field.
        #[arg(long, default_value_t = 98)]
        size: usize,
        /// Each call is a stream of that many messages of 1 KB from the server, not an echo; 0: an echo.
        #[arg(long, default_value_t = 0)]
        watch: usize,
        /// Makes a call on each connection, says so, and waits until standard input ends.
        #[arg(long)]
        hold: bool,
    },
}

/// What every caller does.
#[derive(Clone)]
struct Work {
    message: Bytes,
    watch: bool,
    /// How many calls have ended.
    ended: Arc<AtomicU64>,
    /// Of each call, how many others ended while it ran.
    log: Arc<Mutex<Vec<u64>>>,
}

fn echo(message: &[u8]) -> Result<Bytes, Status> {
    let field = proto::fields(message).next().and_then(|f| f.ok()).and_then(|f| f.bytes());
    let bytes = field.ok_or_else(|| Status::new(Code::InvalidArgument, "no bytes"))?;
    let mut out = Vec::with_capacity(bytes.len() + 2);
    proto::put_bytes(&mut out, 1, bytes);
    Ok(out.into())
}

/// CPU time of this process, from the scheduler.
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let one = |task: std::fs::DirEntry| -> Option<u64> {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse().ok()
    };
    Duration::from_nanos(tasks.filter_map(one).sum())
}

/// As many messages of 1 KB as the request has bytes.
async fn watch(stream: &mut ServerStream) -> Result<(), Status> {
    let asked = stream.message().await?.ok_or_else(|| Status::new(Code::Internal, "no message"))?;
    let count = proto::fields(&asked.data).next().and_then(|f| f.ok()).and_then(|f| f.bytes()).map_or(0, <[u8]>::len);
    for _ in 0..count {
        let mut out = Vec::with_capacity(1028);
        proto::put_bytes(&mut out, 1, &[7; 1024]);
        stream.send(out.into()).await?;
    }
    Ok(())
}

async fn one(channel: &Channel, work: &Work) -> bool {
    if !work.watch {
        return channel.unary(Request::new("/echo.Echo/Call"), work.message.clone()).await.status.is_ok();
    }
    let call = channel.stream(Request::new("/echo.Echo/Watch"));
    call.send_now(work.message.clone());
    call.half_close();
    while call.message().await.is_some() {}
    call.end().await.0.is_ok()
}

async fn caller(channel: Channel, calls: usize, work: Work) -> usize {
    let mut failed = 0;
    for _ in 0..calls {
        let before = work.ended.load(Ordering::Relaxed);
        failed += usize::from(!one(&channel, &work).await);
        let others = work.ended.fetch_add(1, Ordering::Relaxed) - before;
        work.log.lock().unwrap_or_else(|e| e.into_inner()).push(others);
    }
    failed
}

struct Load {
    port: u16,
    connections: usize,
    streams: usize,
    calls: usize,
}

/// Runs the callers; says how many calls failed.
async fn all(channels: &[Channel], streams: usize, each: usize, work: &Work) -> usize {
    let callers = channels.iter().flat_map(|c| (0..streams).map(move |_| c.clone()));
    let tasks: Vec<_> = callers.map(|c| tokio::spawn(caller(c, each, work.clone()))).collect();
    let mut failed = 0;
    for task in tasks {
        failed += task.await.unwrap_or(each);
    }
    failed
}

fn load(load: &Load, work: &Work, hold: bool) -> Result<(), Box<dyn std::error::Error>> {
    // One thread for callers and connections, as the loader of the peer has it.
    let (io, runtime) = Io::driven()?;
    let target = format!("127.0.0.1:{}", load.port);
    let channels: Result<Vec<_>, _> = (0..load.connections).map(|_| Channel::builder(&target).open(&io)).collect();
    let channels = channels?;
    if hold {
        println!("failed={} connections={}", runtime.until(all(&channels, 1, 1, work)), channels.len());
        std::io::stdout().flush()?;
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
        return Ok(());
    }
    runtime.until(all(
        &channels,
        load.streams,
        500_usize.min(load.calls / load.connections).div_ceil(load.streams),
        work,
    ));
    work.log.lock().unwrap_or_else(|e| e.into_inner()).clear();
    let (begun, before) = (Instant::now(), cpu());
    let each = load.calls / (load.connections * load.streams);
    let failed = runtime.until(all(&channels, load.streams, each, work));
    let (made, took) = (each * load.connections * load.streams, begun.elapsed());
    let mut waited = work.log.lock().map(|l| l.clone()).unwrap_or_default();
    waited.sort_unstable();
    let round = (load.connections * load.streams) as f64;
    let at = |share: f64| waited.get((waited.len() as f64 * share) as usize).map_or(0.0, |w| *w as f64 / round);
    println!(
        "calls={made} failed={failed} seconds={:.2} per_second={:.0} loader_cpu_us={:.2} rounds_p50={:.2} rounds_p99={:.2}",
        took.as_secs_f64(),
        made as f64 / took.as_secs_f64(),
        (cpu() - before).as_nanos() as f64 / 1000.0 / made as f64,
        at(0.5),
        at(0.99),
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match Flags::parse().role {
        Role::Load { port, connections, streams, calls, size, watch, hold } => {
            let mut message = Vec::new();
            proto::put_bytes(&mut message, 1, &vec![7; if watch > 0 { watch } else { size }]);
            let (ended, log) = (Arc::default(), Arc::default());
            let work = Work { message: message.into(), watch: watch > 0, ended, log };
            load(&Load { port, connections, streams, calls }, &work, hold)
        }
        Role::Server { port } => {
            let builder = Server::builder()
                .unary("/echo.Echo/Call", |_, message| echo(&message))
                .stream("/echo.Echo/Watch", |s| Box::pin(watch(s)));
            let server = builder.listen(([127, 0, 0, 1], port).into(), &Io::new(1)?)?;
            println!("listening on {}", server.local_addr());
            std::io::stdout().flush()?;
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
            println!("cpu_ms={} calls={:?}", cpu().as_millis(), server.stats().calls);
            Ok(())
        }
    }
}
