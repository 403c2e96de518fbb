//! The trilane program: `version`, `check`, `convert`, `explain`, `simulate`, `diff`, `status`, `tail`, `run`,
//! `install`, `completions`, `man`, `go build`.

mod check;
mod convert;
mod explain;
mod gobuild;
mod install;
mod run;
mod simulate;
mod status;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Everything is as it should be.
const OK: u8 = 0;
/// What was looked at is wrong.
const WRONG: u8 = 1;
/// The program could not do its work.
const UNABLE: u8 = 2;

#[derive(Parser)]
#[command(name = "trilane", version, about = "Keeps a request in its lane")]
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
    #[command(
        after_help = "trilane explain -r lanes.yaml -s pricing -t gray -i 10.0.0.1:80 -i 10.0.0.2:80,dubbo.tag=gray\n\
            trilane explain --pid 4711 --last 5 --service pricing"
    )]
    Explain(Box<explain::Options>),
    /// Write the lanes of joylive, Polaris or OpenSergo as a native rule file
    Convert(convert::Args),
    /// Run a command whose JVMs load the library, if it loads here
    Run(run::Args),
    /// Put this release into DIR/<version> and point DIR/current at it
    Install(install::Args),
    /// Send many requests through rules and count where they go
    #[command(after_help = "trilane simulate -r lanes.yaml --caller shop -s pricing -i a:1 -i b:1,dubbo.tag=gray")]
    Simulate(Box<simulate::Options>),
    /// Say which requests change lane or instances between two rule files; exit status 1 if any does, 2 if nobody can tell
    #[command(after_help = "trilane diff old.yaml new.yaml --caller shop -s pricing -i a:1 -i b:1,dubbo.tag=gray")]
    Diff(Box<simulate::DiffOptions>),
    /// Print completions for a shell
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
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
    if !matches!(cli.command, Command::Run(_) | Command::Go { .. }) {
        // SAFETY: no other thread runs yet. Who reads what is printed may go away (`| head`): then so do we.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    }
    ExitCode::from(match cli.command {
        Command::Version => {
            println!("trilane {}", env!("CARGO_PKG_VERSION"));
            OK
        }
        Command::Check(options) => check::run(&options),
        Command::Convert(args) => convert::run(&args),
        Command::Status(args) => status::run(args),
        Command::Tail(args) => status::tail(&args),
        Command::Simulate(options) => simulate::run(&options),
        Command::Diff(options) => simulate::diff(&options),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "trilane", &mut std::io::stdout());
            OK
        }
        Command::Man => match clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout()) {
            Ok(()) => OK,
            Err(_) => UNABLE,
        },
        Command::Explain(options) => explain::run(*options),
        Command::Run(args) => run::run(&args),
        Command::Install(args) => install::run(&args),
        Command::Go { command: GoCommand::Build { args } } => gobuild::run(&args),
    })
}
