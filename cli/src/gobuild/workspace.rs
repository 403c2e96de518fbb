//! The small module of our own and the Go workspace that joins it with the user's.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::golang::Go;
use super::weaver::{self, Weaver};

/// What a woven program is given.
pub const WEAVE: &str = "github.com/trilane/trilane/bindings-go/weave";
/// A library with aspects in a module of their own: they are added only where it is used.
pub const GRPC: &str = "google.golang.org/grpc";

const ROOT: &str = "github.com/trilane/trilane/bindings-go";

/// A written workspace.
pub struct Workspace {
    /// Where the weaver is started.
    pub dir: PathBuf,
    // Held while the build runs: two builds of one module at once would write the same files.
    _lock: fs::File,
}

impl Workspace {
    /// Writes the workspace of the user's module. Its place is always the same, so that Go's build cache serves.
    pub fn write(go: &Go, weaver: &Weaver, modules: &Path, cache: &Path, grpc: bool) -> Result<Workspace, String> {
        let user = go.uses[0].to_string_lossy();
        let dir = cache.join("build").join(format!("{:016x}", xxh3_64(user.as_bytes())));
        let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
        fs::create_dir_all(&dir).map_err(failed)?;
        let lock = fs::File::create(dir.join("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        put(&dir.join("go.mod"), &go_mod(weaver, modules, grpc)).map_err(failed)?;
        put(&dir.join("go.work"), &go_work(go)).map_err(failed)?;
        put(&dir.join("orchestrion.tool.go"), &tool_file(grpc)).map_err(failed)?;
        put(&dir.join("go.sum"), &sums(modules, grpc)).map_err(failed)?;
        Ok(Workspace { dir, _lock: lock })
    }
}

/// Writes only what differs, so that file times do not make Go read everything again.
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text)
}

fn go_mod(weaver: &Weaver, modules: &Path, grpc: bool) -> String {
    let mut text = format!(
        "// Written by `trilane go build`.\nmodule trilane.invalid/build\n\ngo 1.26.0\n\nrequire (\n\t{} {}\n\t{ROOT} \
         v0.0.0\n\t{WEAVE} v0.0.0\n",
        weaver::MODULE,
        weaver::VERSION
    );
    if grpc {
        let _ = writeln!(text, "\t{ROOT}/grpc v0.0.0");
    }
    let _ = write!(text, ")\n\nreplace (\n\t{} => {}\n", weaver::MODULE, quoted(&weaver.runtime));
    let _ = writeln!(text, "\t{ROOT} => {}\n\t{WEAVE} => {}", quoted(modules), quoted(&modules.join("weave")));
    if grpc {
        let _ = writeln!(text, "\t{ROOT}/grpc => {}", quoted(&modules.join("grpc")));
    }
    text + ")\n"
}

fn go_work(go: &Go) -> String {
    let mut text = format!("// Written by `trilane go build`.\ngo {}\n\n", go.newest);
    if !go.godebug.contains_key("default") {
        let _ = writeln!(text, "godebug default=go{}", go.line);
    }
    for (key, value) in &go.godebug {
        let _ = writeln!(text, "godebug {key}={value}");
    }
    text.push_str("\nuse .\n");
    for module in &go.uses {
        let _ = writeln!(text, "use {}", quoted(module));
    }
    for replace in &go.replaces {
        let (old, new) = (&replace.old, &replace.new);
        let _ =
            writeln!(text, "replace {} {} => {} {}", old.path, old.version, quoted(Path::new(&new.path)), new.version);
    }
    text
}

fn tool_file(grpc: bool) -> String {
    let mut text = format!("//go:build tools\n\npackage build\n\nimport _ \"{WEAVE}\"\n");
    if grpc {
        let _ = writeln!(text, "import _ \"{ROOT}/grpc\"");
    }
    text
}

/// The checksums that our modules bring along.
fn sums(modules: &Path, grpc: bool) -> String {
    if !grpc {
        return String::new();
    }
    fs::read_to_string(modules.join("grpc/go.sum")).unwrap_or_default()
}

/// A path as the module files spell it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.contains([' ', '"', '\'', '(', ')', ',', '`']) { format!("{text:?}") } else { text.into_owned() }
}
