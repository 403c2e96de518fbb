//! Java programs are compiled, edited, and run with everything verified; what they print is compared.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use support::{Jdk, Scratch, classes, hide_frames};
use trilane_classedit::Arg::{Param, This};
use trilane_classedit::{Arg, Insertion, Op, ParamMatch, edit};

/// A row for the test's bridge class.
fn row<'a>(method: &'a str, op: Op, bridge_method: &'a str) -> Insertion<'a> {
    Insertion { method, params: ParamMatch::Any, op, bridge_class: "Bridge", bridge_method }
}

fn enter<'a>(method: &'a str, args: &[Arg]) -> Insertion<'a> {
    row(method, Op::Enter { args: args.to_vec() }, "enter")
}

fn leave<'a>(method: &'a str, args: &[Arg]) -> Insertion<'a> {
    row(method, Op::Finally { args: args.to_vec() }, "leave")
}

fn map_arg(method: &str, param: u16) -> Insertion<'_> {
    row(method, Op::MapArg { param, extra: vec![] }, "map")
}

fn map_return(method: &str) -> Insertion<'_> {
    row(method, Op::MapReturn { extra: vec![] }, "map")
}

fn early<'a>(method: &'a str, args: &[Arg]) -> Insertion<'a> {
    row(method, Op::ReturnEarly { args: args.to_vec() }, "early")
}

/// The fixtures as javac makes them, once for all tests: the modern ones by one run of it, the old one by another.
fn compiled(jdk: &Jdk, fixture: &str) -> BTreeMap<String, Vec<u8>> {
    static MODERN: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    static OLD: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    let make = |names: &[&str], options: &[&str]| {
        let scratch = Scratch::new();
        jdk.compile(names, options, scratch.path());
        classes(scratch.path())
    };
    let all = if fixture == "Old" {
        OLD.get_or_init(|| make(&["Bridge", "Old"], &["-source", "8", "-target", "8", "-nowarn"]))
    } else {
        MODERN.get_or_init(|| make(&["Bridge", "Values", "Flow", "Early", "Modern"], &[]))
    };
    all.clone()
}

/// Takes a fixture, lets `change` touch each class first, edits, and runs it.
fn run_changed(fixture: &str, rows: &[Insertion], change: impl Fn(&mut Vec<u8>)) -> Option<Vec<String>> {
    let jdk = Jdk::find()?;
    let scratch = Scratch::new();
    let own = |name: &str| name.strip_prefix(fixture).is_some_and(|rest| rest.starts_with(['.', '$']));
    let mut matched = vec![0; rows.len()];
    for (name, mut bytes) in compiled(&jdk, fixture) {
        if name == "Bridge.class" {
            fs::write(scratch.path().join(name), bytes).expect("the bridge is written");
            continue;
        }
        if !own(&name) {
            continue;
        }
        change(&mut bytes);
        let edited = edit(&bytes, rows).unwrap_or_else(|e| panic!("{name}: {e}"));
        if let Some(edited) = edited {
            matched.iter_mut().zip(edited.matched).for_each(|(sum, n)| *sum += n);
            bytes = edited.bytes;
        }
        fs::write(scratch.path().join(name), bytes).expect("the edited class is written");
    }
    assert!(matched.iter().all(|n| *n > 0), "matched {matched:?}");
    Some(jdk.run(&[], scratch.path(), &[fixture]))
}

fn run(fixture: &str, rows: &[Insertion]) -> Option<Vec<String>> {
    run_changed(fixture, rows, |_| {})
}

/// The lines from the one that starts with `from` on, `count` of them.
fn part<'a>(lines: &'a [String], from: &str, count: usize) -> Vec<&'a str> {
    let at = lines.iter().position(|l| l.starts_with(from)).unwrap_or_else(|| panic!("no {from} in {lines:#?}"));
    lines[at..].iter().take(count).map(String::as_str).collect()
}

#[test]
fn entry_calls_get_parameters_of_every_type() {
    let rows = [
        enter("many", &[Param(0), Param(1), Param(2), Param(3), Param(4)]),
        enter("small", &[Param(0), Param(1), Param(2), Param(3)]),
        enter("text", &[This, Param(2), Param(0)]),
        row("text", Op::Enter { args: vec![] }, "second"),
        enter("v", &[]),
    ];
    let Some(lines) = run("Values", &rows) else {
        return;
    };
    assert_eq!(part(&lines, "enter 1", 2), ["enter 1 2 3.5 d 4.5", "d123.54.5"]);
    assert_eq!(part(&lines, "enter true", 2), ["enter true 2 c 4", "6"]);
    assert_eq!(part(&lines, "enter V", 3), ["enter V(new+) b a", "second", "new+a5b"]);
    assert_eq!(lines[lines.len() - 2..], ["enter", "body"]);
}

#[test]
fn arguments_are_replaced_also_before_super() {
    let mut rows = vec![
        map_arg("text", 2),
        row("text", Op::MapArg { param: 2, extra: vec![] }, "again"),
        row("text", Op::MapArg { param: 0, extra: vec![This, Param(1)] }, "map"),
        map_arg("array", 0),
        map_arg("list", 0),
        map_arg("object", 0),
    ];
    let mut init = map_arg("<init>", 1);
    init.params = ParamMatch::At(&[(1, "Ljava/lang/String;")]);
    rows.push(init);
    let mut init = enter("<init>", &[Param(0)]);
    init.params = ParamMatch::Exact("(Ljava/lang/String;)");
    rows.push(init);
    rows.extend(["z", "b", "c", "s", "i", "j", "f", "d"].map(|m| map_arg(m, 0)));
    let Some(lines) = run("Values", &rows) else {
        return;
    };
    assert_eq!(part(&lines, "map new", 3), ["map new", "enter new'+", "V(new'+)"]);
    assert_eq!(part(&lines, "map b", 4), ["map b", "again b'", "map a V(new'+) 5", "new'+a'5b'\""]);
    assert_eq!(part(&lines, "map [x]", 4), ["map [x]", "[x]", "map o", "o'"]);
    assert_eq!(part(&lines, "map true", 9).last(), Some(&"false 2 b 2 2 2 2.0 2.0"));
}

#[test]
fn returned_values_of_every_type_are_mapped() {
    let mut rows: Vec<_> =
        ["text", "array", "list", "object", "z", "b", "c", "s", "i", "j", "f", "d"].map(map_return).into();
    rows.push(row("text", Op::MapReturn { extra: vec![Param(2), Param(1)] }, "map"));
    rows.extend(["z", "j", "d", "list", "v"].map(|m| leave(m, &[])));
    let Some(lines) = run("Values", &rows) else {
        return;
    };
    assert_eq!(part(&lines, "map new+a5b", 3), ["map new+a5b", "map new+a5b' b 5", "new+a5b''"]);
    assert_eq!(part(&lines, "map [x]", 3), ["map [x]", "leave", "[x]"]);
    assert_eq!(part(&lines, "map true", 2), ["map true", "leave"]);
    assert_eq!(part(&lines, "map 1.0", 4), ["map 1.0", "map 1.0", "leave", "false 2 b 2 2 2 2.0 2.0"]);
    assert_eq!(part(&lines, "body", 2), ["body", "leave"]);
}

/// Every method of Flow, with entry calls of 0 to 3 arguments so that switches land on each alignment.
#[test]
fn control_flow_survives() {
    let Some(plain) = run("Flow", &[enter("main", &[])]) else {
        return;
    };
    let names = [
        "loop",
        "dense",
        "sparse",
        "named",
        "caught",
        "thrown",
        "rethrown",
        "locked",
        "lockedAll",
        "chosen",
        "lambda",
        "endless",
        "name",
        "of",
    ];
    for second in 0..4 {
        let mut rows: Vec<_> = names.map(|n| enter(n, &[])).into();
        for _ in 0..second {
            rows.push(enter("chosen", &[Param(0)]));
            rows.extend(["dense", "sparse", "thrown"].map(|n| enter(n, &[Param(0)])));
        }
        rows.extend(names.map(|n| leave(n, &[])));
        let Some(mut lines) = run("Flow", &rows) else {
            return;
        };
        let entered = lines.iter().filter(|l| *l == "enter").count();
        let left = lines.iter().filter(|l| *l == "leave").count();
        assert_eq!((entered, left), (29, 29), "{lines:#?}");
        lines.retain(|l| !l.starts_with("enter") && l != "leave");
        assert_eq!(lines, plain[1..]);
    }
}

#[test]
fn finally_runs_once_however_the_method_ends() {
    let rows = [
        enter("loop", &[]),
        leave("caught", &[Param(0)]),
        leave("thrown", &[Param(0)]),
        leave("rethrown", &[Param(0)]),
        leave("locked", &[This, Param(0)]),
        row("locked", Op::Finally { args: vec![] }, "second"),
        row("endless", Op::MapReturn { extra: vec![] }, "map"),
        leave("endless", &[Param(0)]),
    ];
    let Some(mut lines) = run("Flow", &rows) else {
        return;
    };
    assert_eq!(part(&lines, "own", 5), ["own finally", "leave 12", "own finally", "leave x", "11"]);
    assert_eq!(
        part(&lines, "11", 7)[1..],
        ["leave 12", "12", "leave x", "threw For input string: \"x\"", "leave x", "threw rethrown"]
    );
    lines.iter_mut().for_each(|l| {
        if let Some(at) = l.find("Flow@") {
            l.replace_range(at..at + l[at..].find(' ').unwrap_or(l.len() - at), "F");
        }
    });
    assert_eq!(
        part(&lines, "leave F", 7),
        ["leave F lock", "second", "2", "leave F lock", "second", "threw negative true", "false"]
    );
    assert_eq!(part(&lines, "leave e", 2), ["leave e", "threw e4"]);
    assert_eq!(part(&lines, "enter", 2), ["enter", "192"], "a jump to pc 0 does not call the entry again");
}

#[test]
fn finally_reads_wide_parameters() {
    let rows = [leave("text", &[This]), enter("main", &[])];
    let Some(lines) = run("Values", &rows) else {
        return;
    };
    assert_eq!(part(&lines, "leave", 2), ["leave V(new+)", "new+a5b"]);
    let mut many = leave("many", &[Param(3), Param(1), Param(2), Param(3)]);
    many.params = ParamMatch::At(&[(3, "Ljava/lang/String;")]);
    let Some(lines) = run("Values", &[many]) else {
        return;
    };
    assert_eq!(part(&lines, "leave", 2), ["leave d 2 3.5 d", "d123.54.5"]);
}

#[test]
fn early_return_skips_the_method_when_there_is_an_answer() {
    let rows = [
        leave("pick", &[Param(0)]),
        map_return("straight"),
        early("pick", &[Param(0)]),
        enter("pick", &[]),
        row("straight", Op::ReturnEarly { args: vec![] }, "none"),
        early("straight", &[]),
        map_arg("straight", 0),
        early("first", &[]),
    ];
    let Some(lines) = run("Early", &rows) else {
        return;
    };
    assert_eq!(
        lines,
        [
            "enter",
            "early [a, bb]",
            "leave [a, bb]",
            "[bb]",
            "map s",
            "none",
            "early",
            "map s'?",
            "s'?'",
            "early",
            "n6",
            "enter",
            "early [a, bb]",
            "leave [a, bb]",
            "[answer]",
            "map s",
            "none",
            "early",
            "map answer",
            "answer'",
            "early",
            "answer",
            "enter",
            "early [a]",
            "leave [a]",
            "cast",
        ]
    );
}

#[test]
fn records_patterns_and_lambdas_survive() {
    let rows = [
        map_arg("<init>", 0),
        enter("show", &[Param(0)]),
        leave("show", &[Param(0)]),
        map_return("show"),
        map_return("level"),
        early("nested", &[Param(0)]),
        map_return("lambda$twice$0"),
        leave("equals", &[]),
    ];
    let rows = rows.map(|mut r| {
        if r.method == "<init>" {
            r.params = ParamMatch::At(&[(0, "Ljava/lang/String;"), (1, "J")]);
        }
        r
    });
    let Some(lines) = run("Modern", &rows) else {
        return;
    };
    assert_eq!(part(&lines, "map  a ", 2), ["map  a ", "Leaf[name=a ', weight=1]"]);
    assert_eq!(part(&lines, "map low", 3), ["map low", "map high", "low'high'"]);
    assert_eq!(part(&lines, "map xx", 3), ["map xx", "map yy", "[xx', yy']"]);
    assert_eq!(part(&lines, "leave", usize::MAX).last(), Some(&"true"));
}

#[test]
fn classes_without_frames_are_checked_the_old_way() {
    let rows = [enter("pick", &[Param(0)]), early("pick", &[Param(0)]), map_return("pick"), leave("pick", &[Param(0)])];
    for (version, frames) in [(49, false), (50, false), (49, true), (50, true), (52, true)] {
        let old = run_changed("Old", &rows, |class| {
            class[7] = version;
            if !frames {
                hide_frames(class);
            }
        });
        let Some(lines) = old else { return };
        assert_eq!(
            lines,
            [
                "enter abc",
                "early abc",
                "map a",
                "leave abc",
                "a'",
                "enter abc",
                "early abc",
                "map a2x",
                "leave abc",
                "a2x'",
                "enter abc",
                "early abc",
                "leave abc",
                "threw big",
            ]
        );
    }
}
