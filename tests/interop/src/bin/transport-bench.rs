//! Echo under load, to be counted: a server, and a loader on our client. 100-byte messages, as grpc_bench has them.
//!
//!     valgrind --tool=callgrind transport-bench server --port 9000
//!     transport-bench load --port 9000 --connections 10 --streams 20 --calls 20000

use bytes::Bytes;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::time::{Duration, Instant};
use trilane_net::{Channel, Io, Request, Server, Status};
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
    },
}

fn echo(message: &[u8]) -> Result<Bytes, Status> {
    let field = proto::fields(message).next().and_then(|f| f.ok()).and_then(|f| f.bytes());
    let bytes = field.ok_or_else(|| Status::new(Code::InvalidArgument, "no bytes"))?;
    let mut out = Vec::with_capacity(bytes.len() + 2);
    proto::put_bytes(&mut out, 1, bytes);
    Ok(out.into())
}

/// User and system time of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

async fn caller(channel: Channel, calls: usize, message: Bytes) -> usize {
    let mut failed = 0;
    for _ in 0..calls {
        let outcome = channel.unary(Request::new("/echo.Echo/Call"), message.clone()).await;
        failed += usize::from(!outcome.status.is_ok());
    }
    failed
}

fn load(port: u16, connections: usize, streams: usize, calls: usize) -> Result<(), Box<dyn std::error::Error>> {
    let io = Io::new(1)?;
    let mut message = Vec::new();
    proto::put_bytes(&mut message, 1, &[7; 98]);
    let message = Bytes::from(message);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let channels: Result<Vec<_>, _> =
        (0..connections).map(|_| Channel::builder(&format!("127.0.0.1:{port}")).open(&io)).collect();
    let (begun, before) = (Instant::now(), cpu());
    let each = calls / (connections * streams);
    let failed = runtime.block_on(async {
        let callers = channels?.into_iter().flat_map(|c| (0..streams).map(move |_| c.clone()));
        let tasks: Vec<_> = callers.map(|c| tokio::spawn(caller(c, each, message.clone()))).collect();
        let mut failed = 0;
        for task in tasks {
            failed += task.await.unwrap_or(each);
        }
        Ok::<_, std::io::Error>(failed)
    })?;
    let (made, took) = (each * connections * streams, begun.elapsed());
    println!(
        "calls={made} failed={failed} seconds={:.2} per_second={:.0} loader_cpu_us={:.1}",
        took.as_secs_f64(),
        made as f64 / took.as_secs_f64(),
        (cpu() - before).as_micros() as f64 / made as f64
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match Flags::parse().role {
        Role::Load { port, connections, streams, calls } => load(port, connections, streams, calls),
        Role::Server { port } => {
            let builder = Server::builder().unary("/echo.Echo/Call", |_, message| echo(&message));
            let server = builder.listen(([127, 0, 0, 1], port).into(), &Io::new(1)?)?;
            println!("listening on {}", server.local_addr());
            std::io::stdout().flush()?;
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
            println!("cpu_ms={} calls={:?}", cpu().as_millis(), server.stats().calls);
            Ok(())
        }
    }
}
