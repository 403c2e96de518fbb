//! `trilane install DIR`: puts this release into `DIR/<version>` and points `DIR/current` at it.
//!
//! Everything arrives by rename: a file that some process has mapped keeps its bytes, and nobody sees half a file.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What a release holds, and whether it can do without.
const FILES: [(&str, bool); 6] = [
    ("trilane", true),
    ("libtrilane.so", true),
    ("trilane.h", false),
    ("LICENSE", false),
    ("NOTICE", false),
    ("sbom.json", false),
];

/// What to install where.
#[derive(clap::Args)]
pub struct Args {
    /// The directory that gets `<version>/` and `current`
    dir: PathBuf,
    /// Where the release's files are; without it, beside this program
    #[arg(long)]
    from: Option<PathBuf>,
}

/// Installs.
pub fn run(args: &Args) -> u8 {
    match install(args) {
        Ok(to) => {
            println!("installed {}; {} points at it", to.display(), args.dir.join("current").display());
            crate::OK
        }
        Err(why) => {
            eprintln!("trilane install: {why}");
            crate::UNABLE
        }
    }
}

fn install(args: &Args) -> Result<PathBuf, String> {
    let beside = || std::env::current_exe().ok()?.parent().map(Path::to_path_buf);
    let from = args.from.clone().or_else(beside).ok_or("where this program is cannot be told: use --from")?;
    for (name, needed) in FILES {
        if needed && !from.join(name).is_file() {
            return Err(format!("{} is not there: unpack a whole release, or use --from", from.join(name).display()));
        }
    }
    let to = args.dir.join(VERSION);
    let at = |path: &Path, e: io::Error| format!("{}: {e}", path.display());
    fs::create_dir_all(&to).map_err(|e| at(&to, e))?;
    for (name, _) in FILES.iter().filter(|(name, _)| from.join(name).is_file()) {
        put(&from.join(name), &to.join(name)).map_err(|e| at(&to.join(name), e))?;
    }
    let (link, new) = (args.dir.join("current"), args.dir.join(format!(".current.{}", std::process::id())));
    let _ = fs::remove_file(&new);
    symlink(VERSION, &new).and_then(|()| fs::rename(&new, &link)).map_err(|e| {
        let _ = fs::remove_file(&new);
        at(&link, e)
    })?;
    Ok(to)
}

/// Copies beside the target, then renames onto it; leaves a file alone that is the same already.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = fs::read(from)?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let new = to.with_file_name(format!(".{}.{}", to.file_name().unwrap_or_default().display(), std::process::id()));
    let program = to.file_name().is_some_and(|name| name == "trilane" || name == "libtrilane.so");
    let mode = if program { 0o755 } else { 0o644 };
    let done = fs::write(&new, &bytes)
        .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&new, to));
    if done.is_err() {
        let _ = fs::remove_file(&new);
    }
    done
}
