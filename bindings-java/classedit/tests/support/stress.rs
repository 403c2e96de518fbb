//! Edits every method of many classes, and has a JVM link the result and the original.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use trilane_classedit::Arg::{Param, This};
use trilane_classedit::{Arg, Edited, Insertion, MethodInfo, Op, ParamMatch, class_name, edit, methods};

use super::{Jdk, Scratch};

/// One class of a pack.
pub struct Class {
    pub label: String,
    pub name: String,
    pub bytes: Vec<u8>,
}

/// How richly to edit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Everything that can be passed is passed; the calls are never executed.
    All,
    /// Only calls that `java.trilane.Probe` has, so that the classes can run.
    Probe,
}

/// What was edited.
#[derive(Default)]
pub struct Totals {
    pub classes: usize,
    pub methods: usize,
    pub refused: usize,
    /// Why, each reason once with an example.
    pub reasons: Vec<String>,
    /// Finally without arguments, since a parameter is assigned.
    pub without_args: usize,
    /// Spent on `edit`, with the attempts that were refused.
    pub time: Duration,
}

/// Reads what `Stress extract` wrote.
pub fn read_pack(path: &Path) -> Vec<Class> {
    let all = fs::read(path).expect("the pack");
    let mut rest = all.as_slice();
    let mut next = || {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let (part, after) = after.split_at(u32::from_be_bytes(*len) as usize);
        rest = after;
        Some(part)
    };
    let mut classes = Vec::new();
    while let (Some(label), Some(bytes)) = (next(), next()) {
        let label = String::from_utf8_lossy(label).into_owned();
        // What is no class file cannot be linked either.
        let Ok(name) = class_name(bytes) else {
            continue;
        };
        classes.push(Class { label, name, bytes: bytes.to_vec() });
    }
    classes
}

/// Writes a pack for `Stress link`.
pub fn write_pack(path: &Path, classes: &[Class]) {
    let mut out = Vec::new();
    for c in classes {
        for part in [c.label.as_bytes(), c.name.as_bytes(), &c.bytes] {
            out.extend((part.len() as u32).to_be_bytes());
            out.extend(part);
        }
    }
    fs::write(path, out).expect("the pack is written");
}

/// The descriptors of the parameters.
fn params(descriptor: &str) -> Vec<&str> {
    let mut list = Vec::new();
    let mut rest = descriptor.trim_start_matches('(');
    while !rest.starts_with(')') {
        let dims = rest.bytes().take_while(|b| *b == b'[').count();
        let len = if rest[dims..].starts_with('L') { rest.find(';').unwrap() + 1 } else { dims + 1 };
        list.push(&rest[..len]);
        rest = &rest[len..];
    }
    list
}

fn is_reference(descriptor: &str) -> bool {
    descriptor.starts_with(['L', '['])
}

/// The operations for one method; `passed`: Finally gets arguments too.
fn operations(method: &MethodInfo, rows: Rows, number: usize, passed: bool) -> Vec<(Op, &'static str)> {
    let params = params(&method.descriptor);
    let constructor = method.name == "<init>";
    let reference = params.iter().position(|p| is_reference(p)).map(|p| p as u16);
    let mut args: Vec<Arg> = if method.is_static || constructor { vec![] } else { vec![This] };
    if rows == Rows::All {
        let slots = |n: usize| params[..n].iter().map(|p| if matches!(*p, "J" | "D") { 2 } else { 1 }).sum::<usize>();
        // A call takes 255 slots; the method itself may have used them all.
        args.extend((0..params.len()).filter(|n| slots(*n) < 200).map(|n| Param(n as u16)));
    } else if args.is_empty() {
        args.extend(reference.map(Param));
    }
    let after = if passed { args.clone() } else { vec![] };
    let few = if rows == Rows::All { args.clone() } else { vec![] };
    let mut list = vec![(Op::Enter { args: args.clone() }, "call")];
    if let Some(param) = reference {
        list.push((Op::MapArg { param, extra: few.clone() }, "map"));
    }
    if constructor {
        return list;
    }
    let returns = method.descriptor.rsplit(')').next().unwrap_or("V");
    if is_reference(returns) && !number.is_multiple_of(3) {
        list.push((Op::ReturnEarly { args }, "early"));
    }
    if returns != "V" && number % 3 != 1 {
        list.push((Op::MapReturn { extra: if passed { few } else { vec![] } }, "map"));
    }
    list.push((Op::Finally { args: after }, "call"));
    list
}

/// Edits all methods of a class; those that are refused stay as they are.
fn edit_all(class: &Class, rows: Rows, totals: &mut Totals) -> Option<Edited> {
    let list = methods(&class.bytes).ok()?;
    let split: Vec<_> = list.iter().map(|m| m.descriptor.split_inclusive(')').next().unwrap_or("")).collect();
    let make = |n: usize, passed: bool| {
        let m = &list[n];
        operations(m, rows, n, passed).into_iter().map(move |(op, bridge_method)| (op, bridge_method, m, n))
    };
    let insertion =
        |(op, bridge_method, m, n): (Op, &'static str, &'_ MethodInfo, usize)| (op, bridge_method, m.name.clone(), n);
    let with_code: Vec<_> = (0..list.len()).filter(|n| list[*n].has_code).collect();
    let spent = Cell::new(Duration::ZERO);
    let run = |wanted: &[(usize, bool)]| {
        let ops: Vec<_> = wanted.iter().flat_map(|(n, passed)| make(*n, *passed)).map(insertion).collect();
        let insertions: Vec<_> = ops
            .iter()
            .map(|(op, bridge_method, name, n)| Insertion {
                method: name,
                params: ParamMatch::Exact(split[*n]),
                op: op.clone(),
                bridge_class: "java/trilane/Probe",
                bridge_method,
            })
            .collect();
        let start = Instant::now();
        let result = edit(&class.bytes, &insertions);
        spent.set(spent.get() + start.elapsed());
        result
    };
    let mut wanted: Vec<_> = with_code.iter().map(|n| (*n, true)).collect();
    let mut edited = run(&wanted);
    if edited.is_err() {
        wanted.clear();
        for n in with_code {
            match (run(&[(n, true)]), run(&[(n, false)])) {
                (Ok(_), _) => wanted.push((n, true)),
                (_, Ok(_)) => {
                    totals.without_args += 1;
                    wanted.push((n, false));
                }
                (_, Err(e)) => {
                    totals.refused += 1;
                    note(&mut totals.reasons, &e.to_string());
                }
            }
        }
        edited = run(&wanted);
    }
    totals.time += spent.get();
    match edited {
        Ok(Some(edited)) => {
            totals.classes += 1;
            totals.methods += wanted.len();
            Some(edited)
        }
        Ok(None) => None,
        Err(e) => {
            totals.refused += wanted.len();
            note(&mut totals.reasons, &e.to_string());
            None
        }
    }
}

fn note(reasons: &mut Vec<String>, reason: &str) {
    let kind = |s: &str| s.rsplit(": ").next().unwrap_or(s).chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    if !reasons.iter().any(|r| kind(r) == kind(reason)) {
        reasons.push(reason.to_owned());
    }
}

/// Not edited in place: with a call in `Object.finalize` every object would get a finalizer.
const NOT_IN_PLACE: &str = "java/lang/Object";

/// Every class edited, in the same order.
pub fn edit_classes(classes: &[Class], rows: Rows) -> (Vec<Class>, Totals) {
    let mut totals = Totals::default();
    let edited = classes.iter().map(|c| {
        let skipped = rows == Rows::Probe && c.name == NOT_IN_PLACE;
        let edited = if skipped { None } else { edit_all(c, rows, &mut totals) };
        let bytes = edited.map_or_else(|| c.bytes.clone(), |e| e.bytes);
        Class { label: c.label.clone(), name: c.name.clone(), bytes }
    });
    (edited.collect(), totals)
}

/// A directory with the compiled Stress class.
pub fn compile(jdk: &Jdk) -> Scratch {
    let scratch = Scratch::new();
    jdk.compile(&["Stress"], &["-source", "11", "-target", "11", "-nowarn"], scratch.path());
    scratch
}

/// The classes of jars or modules of the JDK.
pub fn extract(jdk: &Jdk, scratch: &Path, inputs: &[String]) -> Vec<Class> {
    let pack = scratch.join("extracted");
    jdk.run(&[], scratch, &[&["Stress", "extract", &pack.to_string_lossy()], &*strs(inputs)].concat());
    read_pack(&pack)
}

fn strs(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// What linking gave.
pub struct Outcome {
    /// Linked before and after.
    pub linked: usize,
    /// Not linked as it came: something is missing.
    pub unlinkable: usize,
    /// Failed in another way than before.
    pub errors: Vec<String>,
}

/// The lines are `NAME: linked` or `NAME: exception: message`. A class that misses something may link once edited:
/// behind a cast the verifier need not load what it compares.
fn compare(before: &[String], after: &[String]) -> Outcome {
    assert_eq!(before.len(), after.len());
    let is_linked = |line: &str| line.ends_with(": linked");
    let kind = |line: &str| line.split(": ").take(2).map(str::to_owned).collect::<Vec<_>>();
    let mut outcome = Outcome { linked: 0, unlinkable: 0, errors: vec![] };
    for (b, a) in before.iter().zip(after) {
        if !is_linked(a) && kind(b) != kind(a) {
            outcome.errors.push(format!("{a} (before: {b})"));
        } else if is_linked(b) {
            outcome.linked += 1;
        } else {
            outcome.unlinkable += 1;
        }
    }
    outcome
}

/// Runs a subcommand that writes outcomes, and reads them.
fn outcomes(jdk: &Jdk, scratch: &Path, options: &[&str], command: [&str; 2]) -> Vec<String> {
    let file = scratch.join("outcomes");
    jdk.run(options, scratch, &["Stress", command[0], command[1], &file.to_string_lossy()]);
    fs::read_to_string(file).expect("the outcomes").lines().map(str::to_owned).collect()
}

/// Links both versions in a loader, each in a JVM of its own.
pub fn link(jdk: &Jdk, scratch: &Path, before: &[Class], after: &[Class]) -> Outcome {
    let [before, after] = [before, after].map(|classes| {
        let pack = scratch.join("pack");
        write_pack(&pack, classes);
        outcomes(jdk, scratch, &["-Xmx4g"], ["link", &pack.to_string_lossy()])
    });
    compare(&before, &after)
}

/// Java's options to run with edited classes in place of the JDK's own.
pub fn patch_options(jdk: &Jdk, scratch: &Path, edited: &[Class]) -> Vec<String> {
    let root = scratch.join("patch");
    let mut modules: Vec<&str> = edited.iter().map(|c| c.label.as_str()).collect();
    modules.sort_unstable();
    modules.dedup();
    for c in edited {
        let file = root.join(&c.label).join(format!("{}.class", c.name));
        fs::create_dir_all(file.parent().unwrap()).expect("a directory of classes");
        fs::write(file, &c.bytes).expect("a class is written");
    }
    // Level 8 knows no modules, so that a compiler of any version makes a class of a package of java.base.
    let level = ["-source", "8", "-target", "8", "-nowarn", "-Xlint:-options"];
    jdk.compile(&["java/trilane/Probe"], &level, &root.join("java.base"));
    let mut options = vec!["--add-modules".to_owned(), "ALL-SYSTEM".to_owned()];
    for m in &modules {
        options.push("--patch-module".to_owned());
        options.push(format!("{m}={}", root.join(m).to_string_lossy()));
    }
    let others = modules.iter().filter(|m| **m != "java.base").copied().chain(["ALL-UNNAMED"]);
    options.push("--add-exports".to_owned());
    options.push(format!("java.base/java.trilane={}", others.collect::<Vec<_>>().join(",")));
    options
}

/// Links the JDK's own classes without and with the patch.
pub fn link_own(jdk: &Jdk, scratch: &Path, options: &[String], classes: &[Class]) -> Outcome {
    let names = scratch.join("names");
    let mut text = String::new();
    for c in classes {
        let _ = writeln!(text, "{}/{}", c.label, c.name.replace('/', "."));
    }
    fs::write(&names, text).expect("the list of names");
    let command = ["own", &names.to_string_lossy()];
    let before = outcomes(jdk, scratch, &["--add-modules", "ALL-SYSTEM"], command);
    compare(&before, &outcomes(jdk, scratch, &strs(options), command))
}
