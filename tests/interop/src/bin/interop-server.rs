//! gRPC's interop server on our transport, with gRPC's own flags.

use clap::{ArgAction, Parser};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use trilane_net::{Identity, Io, Limits, Server, ServerTls};

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
    /// The certificate chain to serve TLS with, PEM.
    #[arg(long)]
    tls_cert_file: Option<std::path::PathBuf>,
    /// Its key, PEM.
    #[arg(long)]
    tls_key_file: Option<std::path::PathBuf>,
    /// Ask clients for a certificate that comes from one of these, PEM.
    #[arg(long)]
    ca_file: Option<std::path::PathBuf>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Serialized FileDescriptorSet to show by reflection.
    #[arg(long)]
    descriptors: Option<std::path::PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let flags = Flags::parse();
    let descriptors = flags.descriptors.map(std::fs::read).transpose()?.unwrap_or_default();
    let io = Io::new(flags.threads)?;
    let builder = trilane_interop::service::host(Server::builder().limits(Limits::default()), &descriptors)?;
    let builder = if flags.use_tls {
        let certificates = flags.tls_cert_file.ok_or("--use_tls needs --tls_cert_file")?;
        let key = flags.tls_key_file.ok_or("--use_tls needs --tls_key_file")?;
        builder.tls(ServerTls { identity: Identity { certificates, key }, clients: flags.ca_file })
    } else {
        builder
    };
    let server = builder.listen(SocketAddr::new(flags.address, flags.port), &io)?;
    println!("listening on {}", server.local_addr());
    println!("limits: {}", server.limits());
    std::io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}
