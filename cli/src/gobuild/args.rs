//! The arguments of `go build`, as far as they name places: those are made absolute, for the build runs elsewhere.

use std::path::{Component, Path, PathBuf};

/// Flags of `go build` that take their value from the next argument.
const VALUED: &[&str] = &[
    "C",
    "asmflags",
    "buildmode",
    "compiler",
    "covermode",
    "coverpkg",
    "gccgoflags",
    "gcflags",
    "installsuffix",
    "ldflags",
    "mod",
    "modfile",
    "o",
    "overlay",
    "p",
    "pgo",
    "pkgdir",
    "tags",
    "toolexec",
];

/// A parsed command line.
#[derive(Debug, PartialEq)]
pub struct Build {
    /// Where the user stands (after `-C`).
    pub dir: PathBuf,
    /// Flags that go on unchanged, with absolute paths.
    pub flags: Vec<String>,
    /// `-o`, absolute; a trailing slash is kept, it means a directory.
    pub output: Option<String>,
    /// Packages as the user wrote them.
    pub packages: Vec<String>,
}

impl Build {
    /// Reads the arguments that follow `go build`, given in `here`.
    pub fn parse(args: &[String], here: &Path) -> Result<Build, String> {
        let mut build = Build { dir: here.into(), flags: vec![], output: None, packages: vec![] };
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let Some(flag) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).filter(|f| !f.is_empty()) else {
                build.packages = std::iter::once(arg).chain(rest).cloned().collect();
                break;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None if VALUED.contains(&flag) => {
                    let value = rest.next().ok_or_else(|| format!("flag -{flag} needs a value"))?;
                    (flag, Some(value.clone()))
                }
                None => (flag, None),
            };
            build.flag(name, value)?;
        }
        Ok(build)
    }

    fn flag(&mut self, name: &str, value: Option<String>) -> Result<(), String> {
        match (name, value) {
            ("C", Some(v)) if self.flags.is_empty() && self.output.is_none() => {
                self.dir = absolute(&self.dir, &v).into()
            }
            ("C", _) => return Err("-C must be the first flag".into()),
            ("o", Some(v)) => self.output = Some(absolute(&self.dir, &v)),
            ("modfile" | "toolexec", _) => {
                return Err(format!("-{name} cannot be used in a woven build: the weaver needs that place itself"));
            }
            ("mod", Some(v)) => {
                if v == "vendor" {
                    vendor_note();
                }
            }
            ("pgo", Some(v)) if v != "auto" && v != "off" => {
                let v = absolute(&self.dir, &v);
                self.flags.push(format!("-pgo={v}"));
            }
            ("overlay", Some(v)) => {
                let v = absolute(&self.dir, &v);
                self.flags.push(format!("-overlay={v}"));
            }
            (name, Some(v)) => self.flags.push(format!("-{name}={v}")),
            (name, None) => self.flags.push(format!("-{name}")),
        }
        Ok(())
    }

    /// The flags of the woven build.
    pub fn flags_for(&self, output: Option<&str>) -> Vec<String> {
        let mut flags = self.flags.clone();
        if let Some(o) = output {
            flags.push(format!("-o={o}"));
        }
        flags
    }

    /// The packages of the woven build: what was said relative to the user's directory is said absolutely.
    pub fn packages_for(&self) -> Vec<String> {
        if self.packages.is_empty() || self.names_files() {
            let file = self.packages.first().map_or("", String::as_str);
            let dir = file.rsplit_once('/').map_or(".", |(dir, _)| if dir.is_empty() { "/" } else { dir });
            return vec![absolute(&self.dir, dir)];
        }
        let relative = |p: &str| p == "." || p == ".." || p.starts_with("./") || p.starts_with("../");
        let of = |p: &String| if relative(p) { absolute(&self.dir, p) } else { p.clone() };
        self.packages.iter().map(of).collect()
    }

    /// Whether files were named instead of packages. Go gives files on the command line no module of their own in a
    /// workspace, and so another language version: their package is built instead.
    pub fn names_files(&self) -> bool {
        self.packages.first().is_some_and(|p| p.ends_with(".go"))
    }
}

/// Says once that vendored copies are not what is built.
pub fn vendor_note() {
    eprintln!(
        "trilane: note: the vendor directory is not used; the same versions come from the module cache. \
         Local changes to vendored code are not in a woven build"
    );
}

/// Joins and cleans a path without looking at the disk; a trailing slash stays.
pub fn absolute(dir: &Path, path: &str) -> String {
    let mut clean = PathBuf::new();
    for part in dir.join(path).components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    let mut text = clean.to_string_lossy().into_owned();
    if path.ends_with('/') && !text.ends_with('/') {
        text.push('/');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Build {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Build::parse(&args, Path::new("/home/u/app")).expect("valid arguments")
    }

    #[test]
    fn places_are_made_absolute_and_the_rest_is_kept() {
        let b = parse(&["-v", "-o", "bin/", "-ldflags", "-s -w", "-tags=a,b", "-pgo=off", "./cmd/...", "x.io/y", ".."]);
        assert_eq!(b.output.as_deref(), Some("/home/u/app/bin/"));
        assert_eq!(b.flags, ["-v", "-ldflags=-s -w", "-tags=a,b", "-pgo=off"]);
        assert_eq!(b.packages_for(), ["/home/u/app/cmd/...", "x.io/y", "/home/u"]);
        assert_eq!(parse(&[]).packages_for(), ["/home/u/app"]);
        assert_eq!(parse(&["main.go", "a.go"]).packages_for(), ["/home/u/app"]);
        assert_eq!(parse(&["cmd/x/main.go"]).packages_for(), ["/home/u/app/cmd/x"]);
    }

    #[test]
    fn dash_c_moves_what_follows() {
        let b = parse(&["-C", "../svc", "-o=out", "."]);
        assert_eq!(b.dir, Path::new("/home/u/svc"));
        assert_eq!(b.output.as_deref(), Some("/home/u/svc/out"));
        assert_eq!(b.packages_for(), ["/home/u/svc"]);
    }

    #[test]
    fn what_the_weaver_needs_itself_is_refused() {
        for bad in [vec!["-modfile=x.mod"], vec!["-toolexec", "time"], vec!["-v", "-C", "x"], vec!["-o"]] {
            let args: Vec<String> = bad.iter().map(|a| (*a).to_owned()).collect();
            assert!(Build::parse(&args, Path::new("/")).is_err(), "{bad:?}");
        }
    }
}
