//! `trilane go build`: the user's build, woven, with the user's tree left alone.
//!
//! The weaver reads its settings from the module it is started in and would write into it. So it is started in a
//! small module of our own, kept in the cache, that stands beside the user's module in a Go workspace: every module
//! keeps its own go.mod, its own language version and its own dependencies, and only ours says what is woven.

mod args;
mod golang;
mod weaver;
mod workspace;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds; the exit status is that of `go build`, or 2 when it could not be started.
pub fn run(args: &[OsString]) -> u8 {
    match build(args) {
        Ok(status) => status,
        Err(message) => {
            eprintln!("trilane: {message}");
            crate::UNABLE
        }
    }
}

fn build(args: &[OsString]) -> Result<u8, String> {
    let args = args.iter().map(|a| a.to_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    let args = args.ok_or("an argument is not UTF-8")?;
    let here = std::env::current_dir().map_err(|e| format!("the working directory cannot be read: {e}"))?;
    let build = args::Build::parse(&args, &here)?;
    let go = golang::Go::ask(&build.dir)?;
    let modules = modules_dir()?;
    let cache = cache_dir()?;
    let seen = go.modules_used(&build)?;
    if seen.iter().any(|m| m == weaver::MODULE) {
        return Err(format!(
            "this module is already built with orchestrion: add\n    import _ \"{}\"\nto its \
             orchestrion.tool.go, a replace line for that module, and build as you do now",
            workspace::WEAVE
        ));
    }
    go.whole_package(&build)?;
    let output = go.output(&build)?;
    let weaver = weaver::Weaver::ready(&go, &cache)?;
    let space = workspace::Workspace::write(&go, &weaver, &modules, &cache, seen.iter().any(|m| m == workspace::GRPC))?;
    let mut command = Command::new(&weaver.program);
    command.args(["go", "build"]);
    command.args(build.flags_for(output.as_deref()));
    command.args(build.packages_for());
    command.current_dir(&space.dir);
    command.env("GOWORK", space.dir.join("go.work")).env("GOFLAGS", &go.flags).env("PWD", &space.dir);
    // The version of the weaver is the one that was installed above; its own check would read the module graph anew.
    command.env("DD_ORCHESTRION_IS_GOMOD_VERSION", "true");
    let status = command.status().map_err(|e| format!("{} cannot be started: {e}", weaver.program.display()))?;
    Ok(status.code().map_or(crate::UNABLE, |c| u8::try_from(c).unwrap_or(crate::WRONG)))
}

/// Our Go modules: beside this program (dist) or in `lib/trilane/go` after an installation.
fn modules_dir() -> Result<PathBuf, String> {
    let program = std::env::current_exe().and_then(|p| p.canonicalize());
    let program = program.map_err(|e| format!("this program's own path cannot be read: {e}"))?;
    let dir = program.parent().unwrap_or(Path::new("/"));
    let places = [dir.join("go"), dir.join("../lib/trilane/go")];
    for place in &places {
        if place.join("weave/go.mod").is_file() {
            return place.canonicalize().map_err(|e| format!("{}: {e}", place.display()));
        }
    }
    Err(format!(
        "the Go modules are not there, looked in {} and {}: run `make build`, or install the whole of dist",
        places[0].display(),
        places[1].display()
    ))
}

fn cache_dir() -> Result<PathBuf, String> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(dir) if Path::new(&dir).is_absolute() => PathBuf::from(dir),
        _ => PathBuf::from(std::env::var_os("HOME").ok_or("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache"),
    };
    let dir = base.join("trilane");
    std::fs::create_dir_all(&dir).map_err(|e| format!("{} cannot be made: {e}", dir.display()))?;
    Ok(dir)
}
