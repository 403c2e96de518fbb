//! The weaver: installed once into the cache, by the user's own Go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::golang::{self, Go};

/// The weaver's module.
pub const MODULE: &str = "github.com/DataDog/orchestrion";
/// Its version: the aspects and the workspace were proven with this one.
pub const VERSION: &str = "v1.15.0";

/// An installed weaver.
pub struct Weaver {
    /// The program.
    pub program: PathBuf,
    /// A module with the weaver's run-time packages alone. The whole module requires some hundred others for its own
    /// tools, and a workspace would raise the user's dependencies to theirs.
    pub runtime: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Download {
    dir: PathBuf,
}

impl Weaver {
    /// Finds the weaver in the cache, or installs it and says so.
    pub fn ready(go: &Go, cache: &Path) -> Result<Weaver, String> {
        let dir = cache.join(format!("orchestrion-{VERSION}-{}", go.version));
        let weaver = Weaver { program: dir.join("orchestrion"), runtime: dir.join("runtime") };
        fs::create_dir_all(&dir).map_err(|e| format!("{} cannot be made: {e}", dir.display()))?;
        let lock = fs::File::create(dir.join("lock")).map_err(|e| format!("{}: {e}", dir.display()))?;
        lock.lock().map_err(|e| format!("{} cannot be locked: {e}", dir.display()))?;
        if !weaver.runtime.join("go.mod").is_file() {
            weaver.take_runtime(&dir)?;
        }
        if !weaver.program.is_file() {
            weaver.install(&dir)?;
        }
        Ok(weaver)
    }

    fn install(&self, dir: &Path) -> Result<(), String> {
        eprintln!(
            "trilane: installing the weaver orchestrion {VERSION} into {} (once for this Go; about three minutes of \
             CPU)",
            dir.display()
        );
        let bin = dir.join("installing");
        let status = Command::new("go")
            .args(["install", &format!("{MODULE}@{VERSION}")])
            .current_dir(dir)
            .envs([("GOBIN", bin.as_os_str()), ("GOWORK", "off".as_ref()), ("GOFLAGS", "".as_ref())])
            .env_remove("GOOS")
            .env_remove("GOARCH")
            .status()
            .map_err(|e| format!("`go install` cannot be started: {e}"))?;
        if !status.success() {
            return Err(no_network("`go install` of the weaver failed", dir));
        }
        fs::rename(bin.join("orchestrion"), &self.program).map_err(|e| format!("{}: {e}", self.program.display()))?;
        let _ = fs::remove_dir(bin);
        Ok(())
    }

    fn take_runtime(&self, dir: &Path) -> Result<(), String> {
        let name = format!("{MODULE}@{VERSION}");
        let text = golang::go(dir, &["mod", "download", "-json", &name])
            .map_err(|e| no_network(&format!("the weaver's module could not be fetched: {e}"), dir))?;
        let source: Download = serde_json::from_str(&text)
            .map_err(|e| format!("`go mod download` answered what is not understood: {e}"))?;
        let fresh = dir.join("runtime.new");
        let _ = fs::remove_dir_all(&fresh);
        let failed = |e: std::io::Error| format!("{}: {e}", fresh.display());
        copy_package(&source.dir.join("runtime/context"), &fresh.join("runtime/context")).map_err(failed)?;
        for licence in ["LICENSE", "NOTICE"] {
            fs::copy(source.dir.join(licence), fresh.join(licence)).map_err(failed)?;
        }
        fs::write(fresh.join("go.mod"), format!("module {MODULE}\n\ngo 1.26.0\n")).map_err(failed)?;
        let _ = fs::remove_dir_all(&self.runtime);
        fs::rename(&fresh, &self.runtime).map_err(failed)
    }
}

/// Copies the files of one package, without its tests; the module cache is read-only, the copy is not.
fn copy_package(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_file() && !name.to_string_lossy().ends_with("_test.go") {
            fs::write(to.join(&name), fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

fn no_network(what: &str, dir: &Path) -> String {
    format!(
        "{what}\nThe first woven build fetches {MODULE} {VERSION} through the Go module proxy (see GOPROXY). Without a \
         network: run it once where there is one, and copy {} and the module cache over",
        dir.display()
    )
}
