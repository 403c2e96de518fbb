//! Damaged classes: an answer or an error, never a panic, and never a hang.

mod support;

use std::hash::{DefaultHasher, Hash, Hasher};

use support::asm::{Asm, Code, STATIC};
use support::{Jdk, Scratch, classes};
use trilane_classedit::Arg::{Param, This};
use trilane_classedit::{Insertion, Op, ParamMatch, class_name, edit, methods};

const MUTANTS: usize = 20_000;

/// Marsaglia's xorshift: the same mutants in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// One to four changes: a byte, a bit, a 16-bit number at an edge, a cut, a piece moved within the class.
fn mutate(class: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = class.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(10) {
            0..=3 => bytes[at] = random.next() as u8,
            4..=5 => bytes[at] ^= 1 << random.below(8),
            6..=7 => {
                let edge = [0, 1, 0x7FFF, 0x8000, 0xFFFF, bytes.len() as u16][random.below(6)];
                bytes[at..].iter_mut().zip(edge.to_be_bytes()).for_each(|(b, e)| *b = e);
            }
            8 => {
                let from = random.below(bytes.len());
                let piece = bytes[from..].iter().take(1 + random.below(8)).copied().collect::<Vec<_>>();
                bytes[at..].iter_mut().zip(piece).for_each(|(b, p)| *b = p);
            }
            _ if random.below(4) == 0 => bytes.truncate(at.max(1)),
            _ => drop(bytes.splice(at..at, [random.next() as u8])),
        }
    }
    bytes
}

/// All operations on all methods that have these names.
fn rows<'a>(names: &'a [String]) -> Vec<Insertion<'a>> {
    let ops = |n: usize| match n % 4 {
        0 => vec![Op::Enter { args: vec![] }, Op::Finally { args: vec![] }],
        1 => vec![Op::ReturnEarly { args: vec![] }, Op::Finally { args: vec![Param(0)] }],
        2 => vec![Op::MapArg { param: 0, extra: vec![] }, Op::MapReturn { extra: vec![This] }],
        _ => vec![Op::Finally { args: vec![This] }, Op::Enter { args: vec![Param(0)] }],
    };
    let all = names.iter().enumerate().flat_map(|(n, name)| ops(n).into_iter().map(move |op| (name, op)));
    all.map(|(method, op)| Insertion { method, params: ParamMatch::Any, op, bridge_class: "B", bridge_method: "b" })
        .collect()
}

/// Edits `count` mutants, each with the rows of one method; how many were edited, and a hash of all outputs.
fn edit_mutants(originals: &[Vec<u8>], count: usize, seed: u64) -> (usize, u64) {
    let mut random = Random(seed);
    let mut hash = DefaultHasher::new();
    let mut edited = 0;
    for n in 0..count {
        let original = &originals[n % originals.len()];
        let list = methods(original).expect("the original");
        let at = random.below(list.len());
        let names = vec![list[at].name.clone(); 4];
        let all = rows(&names);
        let kind = 2 * random.below(4);
        let mutant = mutate(original, &mut random);
        let result = edit(&mutant, &all[kind..kind + 2]);
        if let Ok(Some(done)) = &result {
            edited += 1;
            done.bytes.hash(&mut hash);
            // What came out can be read again.
            assert_eq!(edit(&done.bytes, &[]), Ok(None));
        }
        let _ = (class_name(&mutant), methods(&mutant));
    }
    (edited, hash.finish())
}

#[test]
fn mutants_of_compiled_classes_never_panic() {
    let Some(jdk) = Jdk::find() else { return };
    let scratch = Scratch::new();
    jdk.compile(&["Bridge", "Values", "Flow", "Modern", "Early", "Old"], &["-g"], scratch.path());
    let compiled = classes(scratch.path()).into_values();
    let originals: Vec<_> = compiled.filter(|c| !methods(c).expect("the original").is_empty()).collect();
    let (edited, _) = edit_mutants(&originals, MUTANTS, 0x5EED);
    println!("mutants={MUTANTS} edited={edited}");
    assert!(edited > MUTANTS / 20 && edited < MUTANTS, "{edited} of {MUTANTS} mutants were edited");
}

/// Without a JDK: a class made by hand, small enough that most changes hit something.
#[test]
fn mutants_of_a_small_class_never_panic_and_come_out_alike() {
    let code =
        [26, 170, 0, 0, 0, 0, 0, 25, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 23, 0, 0, 0, 24, 0, 0, 167, 255, 254, 1, 176];
    let code = Code::new(2, 4, &code)
        .handler([0, 24, 26, 0])
        .attribute("LineNumberTable", &[0, 1, 0, 0, 0, 1])
        .attribute("LocalVariableTable", &[0, 1, 0, 0, 0, 31, 0, 5, 0, 5, 0, 0])
        .attribute("StackMapTable", &[0, 3, 24, 64, 7, 0, 2, 255, 0, 0, 0, 2, 1, 8, 0, 1, 0, 0]);
    let class = Asm::new("C", 52).method(STATIC, "m", "(ILjava/lang/String;)Ljava/lang/Object;", Some(code)).finish();
    let first = edit_mutants(std::slice::from_ref(&class), MUTANTS, 7);
    assert!(first.0 > MUTANTS / 50, "{first:?}");
    assert_eq!(edit_mutants(&[class], MUTANTS, 7), first);
}
