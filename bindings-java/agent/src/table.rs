//! The hook table: which class gets which call. Data only; the rows are in `hooks`, one file per library.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use trilane_engine::Hook;

use trilane_classedit::{Arg, Insertion, Op, ParamMatch};

/// What is inserted; the same words as `trilane_classedit::Op`, as constants.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RowOp {
    /// Call the bridge at entry; what it returns is dropped.
    Enter(&'static [Arg]),
    /// Replace parameter `n` at entry by what the bridge makes of it (and of the further arguments).
    MapArg(u16, &'static [Arg]),
    /// Replace the returned object by what the bridge makes of it (and of the further arguments).
    MapReturn(&'static [Arg]),
    /// Call the bridge at every return and on every throw.
    Finally(&'static [Arg]),
    /// Return what the bridge gives, unless that is null.
    ReturnEarly(&'static [Arg]),
}

impl RowOp {
    fn to_op(self) -> Op {
        match self {
            RowOp::Enter(args) => Op::Enter { args: args.to_vec() },
            RowOp::MapArg(param, extra) => Op::MapArg { param, extra: extra.to_vec() },
            RowOp::MapReturn(extra) => Op::MapReturn { extra: extra.to_vec() },
            RowOp::Finally(args) => Op::Finally { args: args.to_vec() },
            RowOp::ReturnEarly(args) => Op::ReturnEarly { args: args.to_vec() },
        }
    }
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// Binary name of the hooked class, with slashes.
    pub class: &'static str,
    /// Name of the hooked method.
    pub method: &'static str,
    /// Which of the methods of that name.
    pub params: ParamMatch<'static>,
    /// What is inserted.
    pub op: RowOp,
    /// Bridge class without its package: `Jdk` for `java/trilane/Jdk`.
    pub bridge: (&'static str, &'static str),
    /// The row need not match in every supported version of the library: no match is not worth a line.
    pub optional: bool,
}

impl Row {
    /// A row that is expected to match in every supported version.
    pub(crate) const fn new(
        class: &'static str,
        method: &'static str,
        params: ParamMatch<'static>,
        op: RowOp,
        bridge: (&'static str, &'static str),
    ) -> Row {
        Row { class, method, params, op, bridge, optional: false }
    }

    /// The same row for a method that only some supported versions have.
    pub(crate) const fn optional(self) -> Row {
        Row { optional: true, ..self }
    }

    /// How many methods of a class the row is inserted into.
    #[cfg(test)]
    pub(crate) fn matches_in(&self, class: &[u8]) -> Result<usize, trilane_classedit::Error> {
        let edited = trilane_classedit::edit(class, &[self.insertion("java/trilane/Any")])?;
        Ok(edited.map_or(0, |edited| edited.matched[0]))
    }

    fn insertion<'a>(&'a self, bridge_class: &'a str) -> Insertion<'a> {
        Insertion {
            method: self.method,
            params: self.params.clone(),
            op: self.op.to_op(),
            bridge_class,
            bridge_method: self.bridge.1,
        }
    }
}

/// One hooked library: a switch, a bit of `java.trilane.Trilane`, and rows.
#[derive(Debug)]
pub(crate) struct Library {
    /// The name of its switch: `trilane.hook.<name>`, `hooks: {<name>: off}`.
    pub name: &'static str,
    /// Its bit; the same constant stands in `Trilane.java`.
    pub bit: u32,
    /// What is inserted where.
    pub rows: &'static [Row],
}

/// What has happened with a library since the start.
#[derive(Debug, Default)]
struct Seen {
    /// Classes that got at least one call.
    edited: AtomicU32,
    /// Expected rows that matched nothing, and classes that could not be edited.
    failed: AtomicU32,
}

/// The library that sleeps until the first tag: its bridge extends a class that it hooks, so that the bridge must be
/// there before any class is hooked, and most programs never see a tag.
pub(crate) const SLEEPER: &str = "fork-join";

/// The rows by class, sorted, with the libraries that are switched in.
pub(crate) struct Table {
    libraries: &'static [Library],
    /// Sorted by class name; one entry per (class, library).
    entries: Vec<Entry>,
    /// Which lengths of names occur, so that most classes leave after one test.
    lengths: [u64; 4],
    /// Bits of the libraries whose rows are inserted. Grows only: what is inserted stays.
    installed: AtomicU64,
    /// Bits of those whose rows wait for the first tag all the same.
    asleep: AtomicU64,
    seen: Vec<Seen>,
}

struct Entry {
    class: &'static str,
    /// Index into `libraries`.
    library: usize,
    rows: Vec<&'static Row>,
}

/// What became of one class.
pub(crate) enum Outcome {
    /// Not in the table, or switched off: leave it.
    Untouched,
    /// The new bytes.
    Edited(Vec<u8>),
}

/// Something worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// The library's name.
    pub library: &'static str,
    /// The class it is about.
    pub class: String,
    /// What happened and what it means.
    pub message: String,
}

impl Table {
    /// Sorts the rows of all libraries.
    pub(crate) fn new(libraries: &'static [Library]) -> Table {
        let mut entries: Vec<Entry> = Vec::new();
        let mut lengths = [0u64; 4];
        for (library, data) in libraries.iter().enumerate() {
            for row in data.rows {
                let len = row.class.len().min(255);
                lengths[len / 64] |= 1 << (len % 64);
                match entries.iter_mut().find(|e| e.class == row.class && e.library == library) {
                    Some(entry) => entry.rows.push(row),
                    None => entries.push(Entry { class: row.class, library, rows: vec![row] }),
                }
            }
        }
        entries.sort_unstable_by(|a, b| a.class.cmp(b.class).then(a.library.cmp(&b.library)));
        let seen = libraries.iter().map(|_| Seen::default()).collect();
        let asleep = libraries.iter().filter(|library| library.name == SLEEPER).map(|library| 1 << library.bit).sum();
        Table { libraries, entries, lengths, installed: AtomicU64::new(0), asleep: AtomicU64::new(asleep), seen }
    }

    /// The process's table.
    pub(crate) fn global() -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Table::new(crate::hooks::LIBRARIES))
    }

    /// Libraries whose hooks do nothing until there is a scope. All of them hook classes of the JDK.
    pub(crate) fn hand_over(&self) -> u64 {
        const NAMES: [&str; 7] = [
            "executors",
            "fork-join",
            "completable-future",
            "timer",
            "virtual-threads",
            "jdk-url-connection",
            "jdk-http-client",
        ];
        let of = self.libraries.iter().filter(|library| NAMES.contains(&library.name));
        of.map(|library| 1 << library.bit).sum()
    }

    /// The libraries, in the order of their bits.
    pub(crate) fn libraries(&self) -> &'static [Library] {
        self.libraries
    }

    /// Adds libraries to those whose rows are inserted; gives the ones that are new.
    pub(crate) fn install(&self, bits: u64) -> u64 {
        bits & !self.installed.fetch_or(bits, Ordering::AcqRel)
    }

    /// The libraries that were switched in.
    pub(crate) fn installed(&self) -> u64 {
        self.installed.load(Ordering::Acquire)
    }

    /// Those whose rows are inserted now.
    fn awake(&self) -> u64 {
        self.installed() & !self.asleep.load(Ordering::Acquire)
    }

    /// From now on no library sleeps; gives the classes that those concern that did.
    pub(crate) fn wake(&self) -> Vec<&'static str> {
        let slept = self.asleep.swap(0, Ordering::AcqRel) & self.installed();
        let entries = self.entries.iter().filter(|e| slept >> self.libraries[e.library].bit & 1 == 1);
        entries.map(|entry| entry.class).collect()
    }

    /// True if a class of this name gets a call from one of the libraries in `bits`.
    pub(crate) fn concerns(&self, class: &[u8], bits: u64) -> bool {
        self.find(class).iter().any(|e| bits >> self.libraries[e.library].bit & 1 == 1)
    }

    /// The entries of a class. Some tens of nanoseconds and no allocation.
    fn find(&self, class: &[u8]) -> &[Entry] {
        let len = class.len().min(255);
        if self.lengths[len / 64] >> (len % 64) & 1 == 0 {
            return &[];
        }
        let Ok(at) = self.entries.binary_search_by(|e| e.class.as_bytes().cmp(class)) else { return &[] };
        let mut from = at;
        while from > 0 && self.entries[from - 1].class.as_bytes() == class {
            from -= 1;
        }
        let mut to = at + 1;
        while to < self.entries.len() && self.entries[to].class.as_bytes() == class {
            to += 1;
        }
        &self.entries[from..to]
    }

    /// The bridge classes that the rows of a class call.
    pub(crate) fn bridges(&self, class: &[u8]) -> impl Iterator<Item = &'static str> {
        let awake = self.awake();
        let entries = self.find(class).iter().filter(move |e| awake >> self.libraries[e.library].bit & 1 == 1);
        entries.flat_map(|entry| entry.rows.iter().map(|row| row.bridge.0))
    }

    /// Inserts the calls of one class.
    pub(crate) fn edit(&self, class: &[u8], bytes: &[u8], complain: &mut dyn FnMut(Complaint)) -> Outcome {
        let awake = self.awake();
        let mut current: Option<Vec<u8>> = None;
        for entry in self.find(class) {
            let library = &self.libraries[entry.library];
            if awake >> library.bit & 1 == 0 {
                continue;
            }
            let before = current.as_deref().unwrap_or(bytes);
            match self.edit_one(entry, before, complain) {
                Some(after) => {
                    self.seen[entry.library].edited.fetch_add(1, Ordering::Relaxed);
                    current = Some(after);
                }
                None => continue,
            }
        }
        current.map_or(Outcome::Untouched, Outcome::Edited)
    }

    fn edit_one(&self, entry: &Entry, bytes: &[u8], complain: &mut dyn FnMut(Complaint)) -> Option<Vec<u8>> {
        let library = self.libraries[entry.library].name;
        let mut complaint = |message: String| {
            self.seen[entry.library].failed.fetch_add(1, Ordering::Relaxed);
            complain(Complaint { library, class: entry.class.to_owned(), message });
        };
        let names: Vec<String> = entry.rows.iter().map(|row| format!("java/trilane/{}", row.bridge.0)).collect();
        let insertions: Vec<Insertion> = entry.rows.iter().zip(&names).map(|(row, name)| row.insertion(name)).collect();
        match trilane_classedit::edit(bytes, &insertions) {
            Err(error) => {
                complaint(format!("the class cannot be edited and stays as it is: {error}"));
                None
            }
            Ok(None) => {
                for row in entry.rows.iter().filter(|row| !row.optional) {
                    complaint(format!("no method {} fits: this version of the library is not covered", row.method));
                }
                None
            }
            Ok(Some(edited)) => {
                for (row, matched) in entry.rows.iter().zip(&edited.matched) {
                    if *matched == 0 && !row.optional {
                        complaint(format!("no method {} fits: this version of the library is not covered", row.method));
                    }
                }
                Some(edited.bytes)
            }
        }
    }

    /// The libraries behind the name that a bridge class gives to what failed: `dubbo-list` is a hook of `dubbo`.
    pub(crate) fn libraries_of(&self, hook: &str) -> Vec<&'static str> {
        if hook == "inbound" {
            return vec!["tomcat", "jdk-http-server"]; // what both of them share
        }
        let own = |name: &str| hook.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        self.libraries.iter().map(|library| library.name).filter(|name| own(name)).collect()
    }

    /// Every library as status shows it.
    pub(crate) fn report(&self) -> Vec<Hook> {
        let installed = self.installed.load(Ordering::Acquire);
        let one = |(library, seen): (&Library, &Seen)| {
            let (classes, misfits) = (seen.edited.load(Ordering::Relaxed), seen.failed.load(Ordering::Relaxed));
            let state = match () {
                () if installed >> library.bit & 1 == 0 => "off",
                () if misfits > 0 => "failed",
                () if classes > 0 => "active",
                () => "waiting",
            };
            Hook { name: library.name, state, classes, misfits }
        };
        self.libraries.iter().zip(&self.seen).map(one).collect()
    }

    /// One word per library for the start line and for `seen`: `executors active; okhttp failed`.
    pub(crate) fn summary(&self) -> String {
        let installed = self.installed.load(Ordering::Acquire);
        let mut active = Vec::new();
        let mut failed = Vec::new();
        for (library, seen) in self.libraries.iter().zip(&self.seen) {
            if installed >> library.bit & 1 == 0 {
                continue;
            }
            if seen.failed.load(Ordering::Relaxed) > 0 { failed.push(library.name) } else { active.push(library.name) }
        }
        match (active.is_empty(), failed.is_empty()) {
            (true, true) => "none".to_owned(),
            (false, true) => format!("{} active", active.join(",")),
            (true, false) => format!("{} failed", failed.join(",")),
            (false, false) => format!("{} active; {} failed", active.join(","), failed.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTER: RowOp = RowOp::Enter(&[]);
    static LIBRARIES: &[Library] = &[
        Library { name: "a", bit: 3, rows: &[Row::new("x/One", "m", ParamMatch::Any, ENTER, ("A", "m"))] },
        Library {
            name: "b",
            bit: 5,
            rows: &[
                Row::new("x/One", "m", ParamMatch::Any, ENTER, ("B", "m")),
                Row::new("x/Two", "m", ParamMatch::Any, ENTER, ("B", "m")),
            ],
        },
    ];

    fn edit(table: &Table, class: &[u8]) -> (bool, Vec<Complaint>) {
        let mut said = Vec::new();
        let outcome = table.edit(class, b"no class file", &mut |complaint| said.push(complaint));
        (matches!(outcome, Outcome::Untouched), said)
    }

    #[test]
    fn only_libraries_that_are_switched_in_touch_their_classes() {
        let table = Table::new(LIBRARIES);
        assert_eq!(edit(&table, b"x/One"), (true, vec![]));
        assert_eq!(table.summary(), "none");
        assert_eq!(table.install(1 << 5), 1 << 5);
        assert_eq!(table.install(1 << 5 | 1 << 3), 1 << 3, "only what is new");
        assert_eq!(table.bridges(b"x/One").collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(table.bridges(b"x/Two").collect::<Vec<_>>(), ["B"]);
        assert_eq!(edit(&table, b"x/Six"), (true, vec![]));
        assert_eq!(edit(&table, b"x/Twofold"), (true, vec![]));
    }

    #[test]
    fn a_library_that_sleeps_touches_nothing_until_it_is_woken() {
        static SLEEPING: &[Library] =
            &[Library { name: SLEEPER, bit: 4, rows: &[Row::new("x/One", "m", ParamMatch::Any, ENTER, ("A", "m"))] }];
        let table = Table::new(SLEEPING);
        table.install(1 << 4);
        assert_eq!(edit(&table, b"x/One"), (true, vec![]));
        assert_eq!((table.bridges(b"x/One").count(), table.wake(), table.wake()), (0, vec!["x/One"], vec![]));
        assert_eq!((table.bridges(b"x/One").count(), edit(&table, b"x/One").1.len()), (1, 1));
    }

    #[test]
    fn a_class_that_cannot_be_edited_stays_as_it_is_and_is_said() {
        let table = Table::new(LIBRARIES);
        table.install(1 << 5);
        let (untouched, said) = edit(&table, b"x/Two");
        assert!(untouched);
        assert_eq!((said.len(), said[0].library, said[0].class.as_str()), (1, "b", "x/Two"));
        assert_eq!(table.summary(), "b failed");
    }

    #[test]
    fn what_failed_leads_to_its_library() {
        let table = Table::new(crate::hooks::LIBRARIES);
        assert_eq!(table.libraries_of("dubbo-list"), ["dubbo"]);
        assert_eq!(table.libraries_of("httpclient5"), ["httpclient5"]);
        assert_eq!(table.libraries_of("inbound"), ["tomcat", "jdk-http-server"]);
        assert!(table.libraries_of("dubbox").is_empty());
    }

    #[test]
    fn a_class_concerns_only_the_libraries_that_name_it() {
        let table = Table::new(LIBRARIES);
        assert!(table.concerns(b"x/One", 1 << 3) && table.concerns(b"x/One", 1 << 5));
        assert!(!table.concerns(b"x/Two", 1 << 3) && table.concerns(b"x/Two", 1 << 5));
        assert!(!table.concerns(b"", u64::MAX) && !table.concerns(&[b'x'; 300], u64::MAX));
    }
}
