//! gRPC's interop server on our transport, with gRPC's own flags.

use clap::{ArgAction, Parser};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use trilane_net::{Io, Limits, Server};

/// Serves grpc.testing.TestService, health and reflection.
#[derive(Parser)]
#[command(rename_all = "snake_case")]
struct Flags {
    /// Port to listen on; 0 lets the kernel choose.
    #[arg(long, default_value_t = 10000)]
    port: u16,
    /// Address to listen on.
    #[arg(long, default_value = "::")]
    address: IpAddr,
    /// Serve TLS.
    #[arg(long, default_value = "false", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    use_tls: bool,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Serialized FileDescriptorSet to show by reflection.
    #[arg(long)]
    descriptors: Option<std::path::PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let flags = Flags::parse();
    if flags.use_tls {
        return Err("--use_tls: not built yet".into());
    }
    let descriptors = flags.descriptors.map(std::fs::read).transpose()?.unwrap_or_default();
    let io = Io::new(flags.threads)?;
    let builder = trilane_interop::service::host(Server::builder().limits(Limits::default()), &descriptors)?;
    let server = builder.listen(SocketAddr::new(flags.address, flags.port), &io)?;
    println!("listening on {}", server.local_addr());
    println!("limits: {}", server.limits());
    std::io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}
