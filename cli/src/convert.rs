//! `trilane convert`: rules of another lane system as a native file.

use crate::{OK, UNABLE, WRONG};
use std::path::PathBuf;
use trilane_lane::rules::dialect::{Context, Dialect, convert};

/// `trilane convert --from joylive lanes.json > lanes.yaml`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  trilane convert --from joylive --entry shop-gateway lanes.json > lanes.yaml")]
pub struct Args {
    /// What it is written for: joylive, polaris, opensergo
    #[arg(long)]
    from: String,
    /// The service that colours requests, where the text names none
    #[arg(long, default_value = "gateway")]
    entry: String,
    /// The file
    file: PathBuf,
}

/// Prints the file; exit status 1 when something could not be said in it, which is told on standard error.
pub fn run(args: &Args) -> u8 {
    let name = args.file.display().to_string();
    let Some(dialect) = Dialect::parse(&args.from) else {
        eprintln!("`{}` is nothing to convert from; expected joylive, polaris or opensergo", args.from);
        return UNABLE;
    };
    let text = match std::fs::read_to_string(&args.file) {
        Ok(text) => text,
        Err(e) => {
            eprintln!("{name}: {e}");
            return UNABLE;
        }
    };
    match convert(dialect, &name, &text, &args.entry, &Context::default()) {
        Ok(made) => {
            made.notes.iter().for_each(|note| eprintln!("note: {note}"));
            made.lost.iter().for_each(|lost| eprintln!("{name}: not converted: {lost}"));
            print!("{}", made.text);
            if made.lost.is_empty() { OK } else { WRONG }
        }
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            WRONG
        }
    }
}
