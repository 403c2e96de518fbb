//! What the user's Go says about itself and about the module.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::args::{self, Build};

/// The oldest Go that the weaver runs on.
const OLDEST: (u32, u32) = (1, 26);

/// The user's Go and module.
pub struct Go {
    /// `go1.26.8`.
    pub version: String,
    /// GOFLAGS without what a workspace build refuses.
    pub flags: String,
    /// The modules that are built, absolute directories; the user's own first.
    pub uses: Vec<PathBuf>,
    /// Replacements that a go.work of the user's gives, made absolute.
    pub replaces: Vec<Replace>,
    /// The `go` line that the language default and GODEBUG come from.
    pub line: String,
    /// The newest `go` line of all used modules.
    pub newest: String,
    /// `godebug` lines.
    pub godebug: BTreeMap<String, String>,
}

/// One side of a replacement.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// Module path, or directory.
    pub path: String,
    /// Empty for a directory, or for every version.
    #[serde(default)]
    pub version: String,
}

/// A replacement of go.work.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct Replace {
    /// What is replaced.
    pub old: Version,
    /// By what.
    pub new: Version,
}

#[derive(Deserialize)]
struct Environment {
    #[serde(rename = "GOMOD")]
    module: String,
    #[serde(rename = "GOWORK")]
    work: String,
    #[serde(rename = "GOVERSION")]
    version: String,
    #[serde(rename = "GOFLAGS")]
    flags: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModFile {
    go: Option<String>,
    godebug: Option<Vec<Debug>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WorkFile {
    go: Option<String>,
    godebug: Option<Vec<Debug>>,
    r#use: Option<Vec<Use>>,
    replace: Option<Vec<Replace>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Debug {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Use {
    disk_path: String,
}

impl Go {
    /// Asks the `go` program of the user, in the user's directory.
    pub fn ask(dir: &Path) -> Result<Go, String> {
        let env: Environment = json(dir, &["env", "-json", "GOMOD", "GOWORK", "GOVERSION", "GOFLAGS"])?;
        if number(&env.version).is_some_and(|v| v < OLDEST) {
            return Err(format!(
                "a woven build needs Go {}.{} or newer, this is {}: install it, or set GOTOOLCHAIN=go1.26.0+auto",
                OLDEST.0, OLDEST.1, env.version
            ));
        }
        if env.module.is_empty() || env.module == "/dev/null" {
            return Err(format!(
                "no go.mod was found from {} upwards: go to the module's directory, or make one by `go mod init NAME`",
                dir.display()
            ));
        }
        let mut go = Go {
            version: env.version,
            flags: workspace_flags(&env.flags),
            uses: vec![parent(&env.module)],
            replaces: vec![],
            line: String::new(),
            newest: "1.26.0".into(),
            godebug: BTreeMap::new(),
        };
        if env.work.is_empty() || env.work == "off" {
            let module: ModFile = json(dir, &["mod", "edit", "-json", &env.module])?;
            go.line = module.go.unwrap_or_else(|| "1.16".into());
            go.take_debug(module.godebug);
            if go.uses[0].join("vendor/modules.txt").is_file() {
                args::vendor_note();
            }
        } else {
            go.take_work(dir, &env.work)?;
        }
        for module in go.uses.clone() {
            let path = module.join("go.mod").to_string_lossy().into_owned();
            let line = json::<ModFile>(dir, &["mod", "edit", "-json", &path])?.go.unwrap_or_default();
            go.raise(&line);
        }
        let line = go.line.clone();
        go.raise(&line);
        Ok(go)
    }

    fn take_work(&mut self, dir: &Path, work: &str) -> Result<(), String> {
        let file: WorkFile = json(dir, &["work", "edit", "-json", work])?;
        let base = parent(work);
        self.line = file.go.unwrap_or_else(|| "1.18".into());
        self.take_debug(file.godebug);
        for used in file.r#use.unwrap_or_default() {
            let path = PathBuf::from(args::absolute(&base, &used.disk_path));
            if !self.uses.contains(&path) {
                self.uses.push(path);
            }
        }
        for mut replace in file.replace.unwrap_or_default() {
            if replace.new.path.starts_with('.') {
                replace.new.path = args::absolute(&base, &replace.new.path);
            }
            self.replaces.push(replace);
        }
        Ok(())
    }

    fn take_debug(&mut self, lines: Option<Vec<Debug>>) {
        for line in lines.unwrap_or_default() {
            self.godebug.insert(line.key, line.value);
        }
    }

    fn raise(&mut self, line: &str) {
        if number(line) > number(&self.newest) || number(line) == number(&self.newest) && *line > *self.newest {
            self.newest = line.into();
        }
    }

    /// The modules whose packages the build takes in.
    pub fn modules_used(&self, build: &Build) -> Result<Vec<String>, String> {
        let text = self.list(build, &["-e", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}"])?;
        let mut modules: Vec<String> = text.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect();
        modules.sort();
        modules.dedup();
        Ok(modules)
    }

    /// Files on the command line must be all of their package, for it is the package that is built.
    pub fn whole_package(&self, build: &Build) -> Result<(), String> {
        if !build.names_files() {
            return Ok(());
        }
        let dir = build.packages_for();
        let tags = build.flags.iter().find(|f| f.starts_with("-tags=")).map_or("-tags=", String::as_str);
        let format = "{{range .GoFiles}}{{.}}\n{{end}}{{range .CgoFiles}}{{.}}\n{{end}}";
        let all = go(&build.dir, &["list", tags, "-f", format, &dir[0]])?;
        let named = |file: &str| build.packages.iter().any(|p| p.rsplit('/').next() == Some(file));
        match all.lines().find(|file| !file.is_empty() && !named(file)) {
            None => Ok(()),
            Some(left) => Err(format!(
                "a woven build takes whole packages, and {left} of {} was not named: name the package",
                dir[0]
            )),
        }
    }

    /// Where the program goes. `go build` of one main package without `-o` leaves it in the user's directory.
    pub fn output(&self, build: &Build) -> Result<Option<String>, String> {
        if build.output.is_some() {
            return Ok(build.output.clone());
        }
        let text = self.list(build, &["-f", "{{.Name}}\t{{.ImportPath}}\t{{.Target}}"])?;
        let mut lines = text.lines();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Ok(None);
        };
        let mut fields = line.split('\t');
        if fields.next() != Some("main") {
            return Ok(None);
        }
        let path = fields.next().unwrap_or_default();
        let target = fields.next().unwrap_or_default();
        let name = match build.packages.first() {
            Some(file) if file.ends_with(".go") => file.trim_end_matches(".go").to_owned(),
            _ if target.is_empty() => path.to_owned(),
            _ => target.to_owned(),
        };
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Some(args::absolute(&build.dir, &name)))
    }

    fn list(&self, build: &Build, with: &[&str]) -> Result<String, String> {
        let mut command = vec!["list".to_owned()];
        command.extend(with.iter().map(|w| (*w).to_owned()));
        command.extend(build.flags.iter().filter(|f| f.starts_with("-tags=")).cloned());
        command.push("--".into());
        command.extend(if build.packages.is_empty() { vec![".".into()] } else { build.packages.clone() });
        go(&build.dir, &command.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// GOFLAGS without `-mod` and `-modfile`, which a workspace does not take.
fn workspace_flags(flags: &str) -> String {
    let keep = |f: &&str| !f.trim_start_matches('-').starts_with("mod");
    flags.split_whitespace().filter(keep).collect::<Vec<_>>().join(" ")
}

fn parent(file: &str) -> PathBuf {
    Path::new(file).parent().unwrap_or(Path::new("/")).to_owned()
}

/// Major and minor of `go1.26.8` or `1.21`.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches("go").split(['.', 'r', 'b', '-', ' ']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn json<T: for<'a> Deserialize<'a>>(dir: &Path, args: &[&str]) -> Result<T, String> {
    let text = go(dir, args)?;
    serde_json::from_str(&text).map_err(|e| format!("`go {}` answered what is not understood: {e}", args.join(" ")))
}

/// Runs `go` and gives what it prints; its own message is part of the error.
pub fn go(dir: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("go");
    let output = command.args(args).current_dir(dir).env("PWD", dir).output().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound if dir.is_dir() => {
            "the `go` program was not found in PATH: install Go 1.26 or newer".to_owned()
        }
        _ => format!("`go` cannot be started in {}: {e}", dir.display()),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`go {}` failed:\n{}", args.join(" "), said.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_every_spelling() {
        assert_eq!(number("go1.26.8"), Some((1, 26)));
        assert_eq!(number("go1.27rc1"), Some((1, 27)));
        assert_eq!(number("1.9"), Some((1, 9)));
        assert_eq!(number("devel"), None);
    }

    #[test]
    fn a_workspace_takes_no_mod_flag() {
        assert_eq!(workspace_flags("-mod=vendor -trimpath -modfile=x -tags=a"), "-trimpath -tags=a");
    }
}
