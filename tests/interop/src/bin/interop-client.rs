//! gRPC's interop client on our transport, with gRPC's own flags.

use clap::{ArgAction, Parser};
use std::process::ExitCode;
use trilane_interop::cases;
use trilane_net::{Channel, ClientTls, Identity, Io};

/// Runs interoperability cases against a server; prints one line for each.
#[derive(Parser)]
#[command(rename_all = "snake_case")]
struct Flags {
    /// The server's host.
    #[arg(long, default_value = "localhost")]
    server_host: String,
    /// The server's port.
    #[arg(long, default_value_t = 10000)]
    server_port: u16,
    /// The name to ask for instead of the server's host (also in the certificate).
    #[arg(long)]
    server_host_override: Option<String>,
    /// The case, several with commas, or `all` of gRPC's.
    #[arg(long, default_value = "large_unary")]
    test_case: String,
    /// Use TLS.
    #[arg(long, default_value = "false", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    use_tls: bool,
    /// Certificates that the server's must come from, PEM; without it the system's.
    #[arg(long)]
    ca_file: Option<std::path::PathBuf>,
    /// The client's own certificate chain, PEM.
    #[arg(long)]
    tls_cert_file: Option<std::path::PathBuf>,
    /// Its key, PEM.
    #[arg(long)]
    tls_key_file: Option<std::path::PathBuf>,
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let flags = Flags::parse();
    let mut builder = Channel::builder(&format!("{}:{}", flags.server_host, flags.server_port));
    if let Some(name) = &flags.server_host_override {
        builder = builder.authority(name);
    }
    if flags.use_tls {
        let identity = match (flags.tls_cert_file, flags.tls_key_file) {
            (Some(certificates), Some(key)) => Some(Identity { certificates, key }),
            _ => None,
        };
        builder = builder.tls(ClientTls { roots: flags.ca_file, identity, server_name: None });
    }
    let channel = builder.open(&Io::new(1)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let all = cases::ALL.join(",");
    let asked = if flags.test_case == "all" { &all } else { &flags.test_case };
    let mut failed = 0;
    for case in asked.split(',') {
        match runtime.block_on(cases::run(&channel, case)) {
            Ok(()) => println!("{case}: PASS"),
            Err(why) => {
                failed += 1;
                println!("{case}: FAIL: {why}");
            }
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
