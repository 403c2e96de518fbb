//! What is refused, which methods match, and what happens to bytes that are no class. No JDK needed.

mod support;

use support::asm::{Asm, Code, STATIC, class_of};
use trilane_classedit::Arg::{Param, This};
use trilane_classedit::{Arg, Edited, Error, ErrorKind, Insertion, Op, ParamMatch, class_name, edit, methods};

const NOP: u8 = 0;
const RETURN: u8 = 177;

fn row(op: Op) -> Insertion<'static> {
    Insertion { method: "m", params: ParamMatch::Any, op, bridge_class: "B", bridge_method: "b" }
}

fn enter(args: &[Arg]) -> Op {
    Op::Enter { args: args.to_vec() }
}

fn finally(args: &[Arg]) -> Op {
    Op::Finally { args: args.to_vec() }
}

fn try_edit(class: &[u8], op: Op) -> Result<Option<Edited>, Error> {
    edit(class, &[row(op)])
}

/// The error has to be a refusal with that text.
fn refusal(class: &[u8], op: Op, text: &str) {
    match try_edit(class, op) {
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::Refused);
            assert!(e.to_string().contains(text), "{e}");
        }
        Ok(edited) => panic!("expected a refusal: {text}; matched {:?}", edited.map(|e| e.matched)),
    }
}

fn malformed(class: &[u8], text: &str) {
    let e = try_edit(class, finally(&[])).expect_err(text);
    assert_eq!(e.kind(), ErrorKind::Malformed);
    assert!(e.to_string().contains(text), "{e}");
}

fn code(bytes: &[u8]) -> Code {
    Code::new(2, 8, bytes)
}

#[test]
fn constructors_take_only_entry_operations_without_this() {
    let class = Asm::new("C", 52).method(0, "<init>", "(I)V", Some(code(&[RETURN]))).finish();
    let on = |op| edit(&class, &[Insertion { method: "<init>", ..row(op) }]);
    for (op, text) in [
        (finally(&[]), "Finally on a constructor"),
        (Op::MapReturn { extra: vec![] }, "MapReturn on a constructor"),
        (Op::ReturnEarly { args: vec![] }, "ReturnEarly on a constructor"),
        (enter(&[This]), "super() has not been called"),
        (Op::MapArg { param: 0, extra: vec![This] }, "super() has not been called"),
    ] {
        let e = on(op).expect_err(text).to_string();
        assert!(e.starts_with("refused: C.<init>(I)V: ") && e.contains(text), "{e}");
    }
    assert!(on(enter(&[Param(0)])).unwrap().is_some());
    assert!(on(Op::MapArg { param: 0, extra: vec![] }).unwrap().is_some());
}

#[test]
fn operations_that_do_not_fit_the_descriptor_are_refused() {
    let class = class_of(52, "(I)V", code(&[RETURN]));
    refusal(&class, enter(&[This]), "static");
    refusal(&class, enter(&[Param(1)]), "parameter 1 of a method that has 1");
    refusal(&class, Op::MapArg { param: 7, extra: vec![] }, "parameter 7");
    refusal(&class, Op::MapReturn { extra: vec![] }, "returns nothing");
    refusal(&class, Op::ReturnEarly { args: vec![] }, "does not return an object");
    let class = class_of(52, "(I)I", code(&[3, 172]));
    refusal(&class, Op::ReturnEarly { args: vec![] }, "does not return an object");
    assert!(try_edit(&class, Op::MapReturn { extra: vec![] }).unwrap().is_some());
    let wide = class_of(52, "(J)V", code(&[RETURN]));
    refusal(&wide, enter(&[Param(0); 128]), "256 slots");
}

/// Each of these writes a slot of parameter 1, a long in slots 1 and 2 behind an int.
#[test]
fn parameters_that_are_assigned_cannot_be_passed_at_the_exit() {
    let stores: [&[u8]; 10] = [
        &[3, 54, 1],
        &[9, 55, 1],
        &[9, 64],
        &[3, 61],
        &[1, 58, 2],
        &[9, 63],
        &[132, 2, 1],
        &[196, 132, 0, 1, 0, 5],
        &[3, 196, 54, 0, 2],
        &[9, 196, 55, 0, 0],
    ];
    for store in stores {
        let class = class_of(49, "(IJI)V", code(&[store, &[RETURN]].concat()));
        refusal(&class, finally(&[Param(1)]), "parameter 1 is assigned in the method");
        assert!(try_edit(&class, finally(&[Param(2)])).unwrap().is_some());
        assert!(try_edit(&class, enter(&[Param(1)])).unwrap().is_some());
        assert!(try_edit(&class, finally(&[])).unwrap().is_some());
    }
    let others: [&[u8]; 4] = [&[3, 54, 3], &[9, 55, 4], &[3, 59], &[1, 78]];
    for store in others {
        let class = class_of(49, "(IJ)V", code(&[store, &[RETURN]].concat()));
        assert!(try_edit(&class, finally(&[Param(1)])).unwrap().is_some());
    }
    let class = Asm::new("C", 49).method(0, "m", "()V", Some(code(&[1, 75, RETURN]))).finish();
    refusal(&class, finally(&[This]), "this is assigned in the method");
    let class = class_of(49, "(I)I", code(&[3, 59, 26, 172]));
    refusal(&class, Op::MapReturn { extra: vec![Param(0)] }, "parameter 0 is assigned");
}

#[test]
fn parameters_that_frames_give_up_cannot_be_passed_at_the_exit() {
    let with = |frames: &[u8]| {
        class_of(52, "(JLjava/lang/String;)V", code(&[NOP, NOP, RETURN]).attribute("StackMapTable", frames))
    };
    let lost = "given up by the compiler";
    for (frames, last_is_lost) in [
        ([0, 1, 250, 0, 0].as_slice(), true),
        (&[0, 1, 255, 0, 0, 0, 1, 4, 0, 0], true),
        (&[0, 1, 255, 0, 0, 0, 3, 4, 0, 1, 0, 0], true),
        (&[0, 1, 255, 0, 0, 0, 2, 4, 8, 0, 0, 0, 0], true),
        (&[0, 1, 255, 0, 0, 0, 3, 0, 0, 7, 0, 2, 0, 0], false),
        (&[0, 1, 255, 0, 0, 0, 2, 4, 5, 0, 0], false),
        (&[0, 2, 252, 0, 0, 1, 250, 0, 0], false),
        (&[0, 2, 252, 0, 0, 1, 249, 0, 0], true),
    ] {
        let class = with(frames);
        if last_is_lost {
            refusal(&class, finally(&[Param(1)]), lost);
        } else {
            assert!(try_edit(&class, finally(&[Param(1)])).unwrap().is_some(), "{frames:?}");
        }
        assert!(try_edit(&class, finally(&[])).unwrap().is_some());
    }
    refusal(&with(&[0, 1, 255, 0, 0, 0, 3, 0, 0, 7, 0, 2, 0, 0]), finally(&[Param(0)]), lost);
}

#[test]
fn code_that_would_grow_too_long_is_refused() {
    let nops = |len: usize| {
        let mut bytes = vec![NOP; len];
        bytes[len - 1] = RETURN;
        class_of(49, "()V", code(&bytes))
    };
    assert!(try_edit(&nops(65_532), enter(&[])).unwrap().is_some());
    refusal(&nops(65_533), enter(&[]), "65,535 bytes");
    assert!(try_edit(&nops(65_528), finally(&[])).unwrap().is_some());
    refusal(&nops(65_529), finally(&[]), "65,535 bytes");
}

#[test]
fn jumps_that_would_grow_too_long_are_refused() {
    // 0: goto `by`; 3: return; nops; return
    let jump = |by: u16| {
        let mut bytes = vec![NOP; 32_900];
        bytes[..4].copy_from_slice(&[167, (by >> 8) as u8, by as u8, RETURN]);
        bytes[32_899] = RETURN;
        class_of(49, "()V", code(&bytes))
    };
    assert!(try_edit(&jump(32_764), finally(&[])).unwrap().is_some());
    refusal(&jump(32_765), finally(&[]), "the jump at pc 0 would be longer than 32 KiB");
    assert!(try_edit(&jump(32_767), enter(&[])).unwrap().is_some(), "both ends move by the same");
}

#[test]
fn a_full_constant_pool_is_refused() {
    let filled = |to: u16| {
        let mut asm = Asm::new("C", 49).method(STATIC, "m", "()V", Some(code(&[RETURN])));
        // The name and the superclass come at the end: two more.
        while asm.count < to - 2 {
            asm.utf8(b"x");
        }
        asm.finish()
    };
    assert!(try_edit(&filled(65_535 - 6), enter(&[])).unwrap().is_some());
    refusal(&filled(65_535 - 5), enter(&[]), "constant pool is full");
    assert_eq!(edit(&filled(65_535), &[]), Ok(None));
}

#[test]
fn methods_match_by_name_and_parameters() {
    let body = || Some(code(&[1, 176]));
    let o = "Ljava/lang/Object;";
    let class = Asm::new("C", 52)
        .method(STATIC, "m", &format!("({o}J[I)V"), Some(code(&[RETURN])))
        .method(STATIC, "m", &format!("(J{o})V"), Some(code(&[RETURN])))
        .method(STATIC, "m", "()Ljava/lang/String;", body())
        .method(STATIC | 0x1040, "m", &format!("(){o}"), body())
        .method(STATIC | 0x1040, "m", &format!("(){o}"), None)
        .method(STATIC | 0x1040, "m", "(Z)V", Some(code(&[RETURN])))
        .finish();
    let count = |params: ParamMatch| {
        let row = Insertion { params, ..row(enter(&[])) };
        edit(&class, &[row]).unwrap().map_or(0, |e| e.matched[0])
    };
    assert_eq!(count(ParamMatch::Any), 3, "all but the bridge methods");
    assert_eq!(count(ParamMatch::Exact("()")), 1, "the bridge to it is left out");
    assert_eq!(count(ParamMatch::Exact("(Z)")), 1, "a bridge method alone matches");
    assert_eq!(count(ParamMatch::Exact("(Ljava/lang/Object;J[I)")), 1);
    assert_eq!(count(ParamMatch::Exact("(Ljava/lang/Object;J)")), 0);
    assert_eq!(count(ParamMatch::At(&[(1, "J")])), 1);
    assert_eq!(count(ParamMatch::At(&[(1, "J"), (2, "[I")])), 1);
    assert_eq!(count(ParamMatch::At(&[(1, "Ljava/lang/Object;")])), 1);
    assert_eq!(count(ParamMatch::At(&[(0, "J"), (1, "J")])), 0);
    assert_eq!(count(ParamMatch::At(&[(3, "J")])), 0);
    assert_eq!(count(ParamMatch::At(&[])), 3);
    let rows = [row(enter(&[])), Insertion { method: "absent", ..row(enter(&[])) }];
    assert_eq!(edit(&class, &rows).unwrap().unwrap().matched, [3, 0]);
    let all = methods(&class).unwrap();
    assert_eq!((all.len(), all[4].has_code, all[2].descriptor.as_str()), (6, false, "()Ljava/lang/String;"));
}

#[test]
fn names_outside_ascii_are_found() {
    // U+00FC has the same bytes as in UTF-8, U+1F600 is written as two surrogates of three bytes.
    let mut asm = Asm::new("C", 52);
    asm = asm.method(STATIC, "\u{fc}", "()V", Some(code(&[RETURN])));
    let class = asm.finish();
    assert!(edit(&class, &[Insertion { method: "\u{fc}", ..row(enter(&[])) }]).unwrap().is_some());
    assert_eq!(class_name(&class).unwrap(), "C");
    let smile = [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80];
    let at = class.windows(4).position(|w| w == [1, 0, 1, b'C']).unwrap();
    let named = [&class[..at], &[1, 0, 6], &smile, &class[at + 4..]].concat();
    assert_eq!(class_name(&named).unwrap(), "\u{1F600}");
    let named = [&class[..at], &[1, 0, 3], &smile[..3], &class[at + 4..]].concat();
    assert_eq!(class_name(&named).unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn broken_code_is_an_error() {
    malformed(&class_of(49, "()V", code(&[])), "code of 0 bytes");
    malformed(&class_of(49, "()V", code(&[202])), "unknown opcode 202 at pc 0");
    malformed(&class_of(49, "()V", code(&[17, 0])), "more bytes were expected");
    malformed(&class_of(49, "()V", code(&[196, 0, 0, 0])), "wide 0 at pc 0");
    malformed(&class_of(49, "()V", code(&[167, 0, 9, RETURN])), "no instruction at pc 9");
    malformed(&class_of(49, "()V", code(&[167, 0, 1, RETURN])), "no instruction at pc 1");
    malformed(&class_of(49, "()V", code(&[167, 0, 3])), "no instruction at pc 3");
    malformed(&class_of(49, "()V", code(&[NOP, 167, 128, 0])), "the jump at pc 1 leaves the code");
    let endless = [170, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 127, 255, 255, 255];
    malformed(&class_of(49, "()V", code(&endless)), "a switch of 4294967296 cases");
    malformed(&class_of(49, "()V", code(&[171, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255])), "a switch of -1 cases");
    malformed(&class_of(49, "()V", code(&[RETURN]).handler([0, 0, 0, 0])), "an exception range from 0 to 0");
    malformed(&class_of(49, "()V", code(&[RETURN]).handler([0, 2, 0, 0])), "no instruction at pc 2");
    malformed(&class_of(49, "()V", code(&[RETURN]).handler([0, 1, 1, 0])), "no instruction at pc 1");
    malformed(&class_of(49, "(V)V", code(&[RETURN])), "not a method descriptor");
    malformed(&class_of(49, "(JJJJJ)V", code(&[RETURN])), "fewer locals than parameters");
    let frames = |body: &[u8]| class_of(52, "()V", code(&[NOP, RETURN]).attribute("StackMapTable", body));
    malformed(&frames(&[0, 1, 128]), "frame type 128");
    malformed(&frames(&[0, 1, 5]), "no instruction at pc 5");
    malformed(&frames(&[0, 1, 64, 9]), "verification type 9");
    malformed(&frames(&[0, 1, 64, 8, 0, 9]), "no instruction at pc 9");
    malformed(&frames(&[0, 1, 0, 0]), "StackMapTable has 1 bytes too many");
    let twice = code(&[RETURN]).attribute("StackMapTable", &[0, 0]).attribute("StackMapTable", &[0, 0]);
    malformed(&class_of(52, "()V", twice), "two StackMapTable attributes");
}

#[test]
fn every_cut_of_a_class_is_an_error() {
    let class = class_of(52, "(J)V", code(&[NOP, RETURN]).attribute("StackMapTable", &[0, 1, 1]).handler([0, 1, 1, 0]));
    assert!(try_edit(&class, finally(&[Param(0)])).unwrap().is_some());
    for len in 0..class.len() {
        let e = try_edit(&class[..len], finally(&[Param(0)])).expect_err("a cut");
        assert_eq!(e.kind(), ErrorKind::Malformed);
    }
    malformed(&[&class[..], &[0]].concat(), "1 bytes too many");
    malformed(b"\xCA\xFE\xBA\xBF", "CAFEBABE");
}
