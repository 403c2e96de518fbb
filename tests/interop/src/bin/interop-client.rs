//! gRPC's interop client on our transport, with gRPC's own flags.

use clap::{ArgAction, Parser};
use std::process::ExitCode;
use trilane_interop::cases;
use trilane_net::{Channel, Io};

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
    /// The case, several with commas, or `all`.
    #[arg(long, default_value = "large_unary")]
    test_case: String,
    /// Use TLS.
    #[arg(long, default_value = "false", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    use_tls: bool,
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let flags = Flags::parse();
    if flags.use_tls {
        return Err("--use_tls: not built yet".into());
    }
    let mut builder = Channel::builder(&format!("{}:{}", flags.server_host, flags.server_port));
    if let Some(name) = &flags.server_host_override {
        builder = builder.authority(name);
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
