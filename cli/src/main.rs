//! The trilane program: `version`, `check`, `convert`, `explain`, `status`, `tail`, `run`, `install`, `go build`.

mod check;
mod convert;
mod explain;
mod gobuild;
mod install;
mod run;
mod status;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Everything is as it should be.
const OK: u8 = 0;
/// What was looked at is wrong.
const WRONG: u8 = 1;
/// The program could not do its work.
const UNABLE: u8 = 2;

#[derive(Parser)]
#[command(name = "trilane", about = "Keeps a request in its lane", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the version
    Version,
    /// Check rule files; exit status 1 if one is wrong
    Check(check::Options),
    /// Show what living processes do: mode, tag, rules, hooks, instances, decisions
    Status(status::Args),
    /// Show what moves in a living process, once a second
    Tail(status::TailArgs),
    /// Say why a request goes where it goes
    Explain(Box<explain::Options>),
    /// Write the lanes of joylive, Polaris or OpenSergo as a native rule file
    Convert(convert::Args),
    /// Run a command whose JVMs load the library, if it loads here
    Run(run::Args),
    /// Put this release into DIR/<version> and point DIR/current at it
    Install(install::Args),
    /// Build a Go program with lanes woven in, from sources that stay as they are
    Go {
        #[command(subcommand)]
        command: GoCommand,
    },
}

#[derive(Subcommand)]
enum GoCommand {
    /// Like `go build`, with the same arguments
    #[command(disable_help_flag = true)]
    Build {
        /// Arguments of `go build`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { UNABLE } else { OK });
        }
    };
    ExitCode::from(match cli.command {
        Command::Version => {
            println!("trilane {}", env!("CARGO_PKG_VERSION"));
            OK
        }
        Command::Check(options) => check::run(&options),
        Command::Convert(args) => convert::run(&args),
        Command::Status(args) => status::run(args),
        Command::Tail(args) => status::tail(&args),
        Command::Explain(options) => explain::run(*options),
        Command::Run(args) => run::run(&args),
        Command::Install(args) => install::run(&args),
        Command::Go { command: GoCommand::Build { args } } => gobuild::run(&args),
    })
}
