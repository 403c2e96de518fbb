//! Full load with calls that end in every way, for as long as it is told: memory and handles must stay flat, and at
//! the end nothing may be left.
//!
//!     transport-soak --seconds 1200

use bytes::Bytes;
use clap::Parser;
use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use trilane_net::{Channel, Code, Io, Limits, Request, Server, ServerStream, Status};

/// Callers at a time.
const CALLERS: usize = 64;
/// Resident memory may move by so much between the second and the last quarter, kB: an allocator is never quite still.
const DRIFT: usize = 8 << 10;

#[derive(Parser)]
struct Flags {
    /// How long to call.
    #[arg(long, default_value_t = 1200)]
    seconds: u64,
    /// How old a connection gets before the server drains it, milliseconds.
    #[arg(long, default_value_t = 7000)]
    age: u64,
}

/// Calls that are inside a handler now.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

struct Inside;

impl Inside {
    fn enter() -> Inside {
        INSIDE.fetch_add(1, Ordering::Relaxed);
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn echo(stream: &mut ServerStream) -> Result<(), Status> {
    let _inside = Inside::enter();
    while let Some(message) = stream.message().await? {
        stream.send(message.data).await?;
    }
    Ok(())
}

async fn hang(_: &mut ServerStream) -> Result<(), Status> {
    let _inside = Inside::enter();
    std::future::pending().await
}

/// Numbers that look random; each caller has its own.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// How calls ended, by their code; wrong answers.
#[derive(Default)]
struct Ended([AtomicU64; 17], AtomicU64);

impl Ended {
    fn note(&self, code: Code) {
        self.0[code as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn end(&self, status: &Status) {
        self.note(status.code());
        // A drain is to cost no call: the first few are shown.
        if status.code() == Code::Unavailable && self.0[Code::Unavailable as usize].load(Ordering::Relaxed) <= 10 {
            println!("{status}");
        }
    }
}

/// A few messages there and back, then the end that was drawn: well, cancelled, or dropped.
async fn stream(channel: &Channel, random: &mut Random, ended: &Ended) {
    let timeout = Duration::from_millis(1 + random.below(200));
    let call = channel.stream(Request::new("/soak.Soak/Echo").timeout(timeout));
    for _ in 0..random.below(6) {
        let sent = Bytes::from(vec![7; random.below(40_000) as usize]);
        call.send_now(sent.clone());
        match call.message().await {
            Some(got) if got.data != sent => drop(ended.1.fetch_add(1, Ordering::Relaxed)),
            Some(_) => {}
            None => break,
        }
    }
    match random.below(3) {
        0 => call.cancel(),
        1 => return ended.note(Code::Cancelled),
        _ => call.half_close(),
    }
    while call.message().await.is_some() {}
    ended.end(&call.end().await.0);
}

async fn one(channel: &Channel, random: &mut Random, ended: &Ended) {
    match random.below(8) {
        0 | 1 => stream(channel, random, ended).await,
        // Times out in a handler that never answers.
        2 => {
            let timeout = Duration::from_millis(1 + random.below(50));
            let call = channel.unary(Request::new("/soak.Soak/Hang").timeout(timeout), Bytes::new());
            ended.end(&call.await.status);
        }
        // Nobody waits for it any longer.
        3 => {
            let call = channel.unary(Request::new("/soak.Soak/Hang"), Bytes::new());
            let _ = tokio::time::timeout(Duration::from_millis(random.below(20)), call).await;
            ended.note(Code::Cancelled);
        }
        4 => ended.end(&channel.unary(Request::new("/soak.Soak/Nowhere"), Bytes::new()).await.status),
        n => {
            let sent = Bytes::from(vec![n as u8; random.below(if n == 5 { 300_000 } else { 1000 }) as usize]);
            let request = Request::new("/soak.Soak/Unary").compress(random.below(4) == 0).wait_for_ready(true);
            let outcome = channel.unary(request, sent.clone()).await;
            if outcome.status.is_ok() && outcome.message != sent {
                ended.1.fetch_add(1, Ordering::Relaxed);
            }
            ended.end(&outcome.status);
        }
    }
}

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Resident kB, open descriptors, threads.
fn sample() -> [usize; 3] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    let resident = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    [resident, count("/proc/self/fd"), count("/proc/self/task")]
}

fn serve(io: &Arc<Io>, age: u64) -> std::io::Result<Server> {
    Server::builder()
        .limits(Limits { max_connection_age: Duration::from_millis(age), ..Limits::default() })
        .unary("/soak.Soak/Unary", |_, message| Ok(message))
        .stream("/soak.Soak/Echo", |s| Box::pin(echo(s)))
        .stream("/soak.Soak/Hang", |s| Box::pin(hang(s)))
        .listen(([127, 0, 0, 1], 0).into(), io)
}

/// Calls until the time is over; what was sampled every second.
async fn load(channel: &Channel, seconds: u64, ended: &Arc<Ended>) -> Vec<[usize; 3]> {
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (channel, ended, over) = (channel.clone(), ended.clone(), over.clone());
            tokio::spawn(async move {
                let mut random = Random(RandomState::new().hash_one(0) | 1);
                while !over.load(Ordering::Relaxed) {
                    one(&channel, &mut random, &ended).await;
                }
            })
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut samples = Vec::new();
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_secs(1)).await;
        samples.push(sample());
        if samples.len().is_multiple_of(60) {
            println!("{} s: resident kB, descriptors, threads: {:?}", samples.len(), sample());
        }
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        if caller.await.is_err() {
            ended.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    samples
}

fn median(samples: &[[usize; 3]], field: usize) -> usize {
    let mut values: Vec<_> = samples.iter().map(|s| s[field]).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let Flags { seconds, age } = Flags::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (behind, ahead) = (Io::new(1)?, Io::new(1)?);
    let fresh = sample();
    let server = serve(&behind, age)?;
    let ended = Arc::new(Ended::default());
    let channel = Channel::builder(&server.local_addr().to_string()).open(&ahead)?;
    let samples = runtime.block_on(load(&channel, seconds, &ended));
    let calls = server.stats().calls.load(Ordering::Relaxed);
    drop(channel);
    let drained = server.drain(Duration::from_secs(30));
    drop((runtime, behind, ahead));
    let left = sample();

    let (early, late) = (&samples[samples.len() / 4..samples.len() / 2], &samples[samples.len() * 3 / 4..]);
    let grown = median(late, 0).saturating_sub(median(early, 0));
    let handles = median(late, 1).saturating_sub(median(early, 1));
    let (inside, wrong) = (INSIDE.load(Ordering::Relaxed), ended.1.load(Ordering::Relaxed));
    let codes: Vec<_> = (0..17).map(|c| ended.0[c].load(Ordering::Relaxed)).collect();
    println!("calls={calls} ended by code 0..16={codes:?} wrong answers={wrong}");
    println!(
        "resident kB: second quarter {}, last {}; descriptors {} and {}, {} before and {} after; calls left in handlers={inside}",
        median(early, 0),
        median(late, 0),
        median(early, 1),
        median(late, 1),
        fresh[1],
        left[1],
    );
    // Before the load both threads ran with their three descriptors each; now they are gone.
    let well = drained
        && wrong == 0
        && codes[Code::Unavailable as usize] == 0
        && inside == 0
        && grown <= DRIFT
        && handles <= 4
        && left[1] <= fresh[1];
    println!("soak of {seconds} s: {}", if well { "ok" } else { "failed" });
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
