//! Where instructions, handlers, frames and tables go. Classes made by hand, no JDK needed.

mod support;

use support::asm::{Asm, Code, Read, STATIC, class_of};
use trilane_classedit::Arg::{Param, This};
use trilane_classedit::{Arg, Insertion, Op, ParamMatch, edit};

const NOP: u8 = 0;
const GOTO: u8 = 167;
const RETURN: u8 = 177;
const CALL: u8 = 184;

fn row(op: Op) -> Insertion<'static> {
    Insertion { method: "m", params: ParamMatch::Any, op, bridge_class: "java/trilane/B", bridge_method: "b" }
}

fn enter(args: &[Arg]) -> Insertion<'static> {
    row(Op::Enter { args: args.to_vec() })
}

fn finally(args: &[Arg]) -> Insertion<'static> {
    row(Op::Finally { args: args.to_vec() })
}

fn early() -> Insertion<'static> {
    row(Op::ReturnEarly { args: vec![] })
}

/// The edited method and what became of the constants.
fn edited(class: &[u8], rows: &[Insertion]) -> (Code, Read) {
    let edited = edit(class, rows).expect("an edit").expect("a match");
    let read = Read::class(&edited.bytes);
    let code = read.methods.iter().find(|(name, _)| name.starts_with("m(")).expect("the method").1.clone();
    (code, read)
}

/// The code with the operands of calls and casts taken out, and what they were.
fn calls(code: &Code, read: &Read) -> (Vec<u8>, Vec<String>) {
    let mut bytes = code.bytes.clone();
    let mut found = Vec::new();
    for at in 0..bytes.len() {
        if matches!(bytes[at], CALL | 192) && at + 2 < bytes.len() {
            found.push(read.text(u16::from_be_bytes([bytes[at + 1], bytes[at + 2]])));
            bytes[at + 1..at + 3].fill(0xEE);
        }
    }
    (bytes, found)
}

const C: [u8; 3] = [CALL, 0xEE, 0xEE];

fn code(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn jumps_to_a_return_land_before_the_exit_and_jumps_to_the_start_behind_the_entry() {
    // 0: iload_0; 1: ifeq 8; 4: goto 0; 7: nop; 8: return
    let class = class_of(49, "(I)V", Code::new(1, 1, &[26, 153, 0, 7, GOTO, 255, 252, NOP, RETURN]));
    let (m, read) = edited(&class, &[enter(&[]), finally(&[])]);
    let (bytes, found) = calls(&m, &read);
    let expected = code(&[&C, &[26, 153, 0, 7, GOTO, 255, 252, NOP], &C, &[RETURN], &C, &[191]]);
    assert_eq!(bytes, expected);
    assert_eq!(found, ["java/trilane/B.b ()V"; 3]);
    assert_eq!(m.handlers, [[3, 11, 15, 0]], "neither the entry nor finally's own call is covered");
    assert_eq!(m.get("StackMapTable"), None, "no frames before version 50");
}

#[test]
fn returns_in_the_middle_move_the_jumps_over_them() {
    // 0: iload_0; 1: ifne 5; 4: return; 5: goto 4; 8: goto_w 4
    let old = [26, 154, 0, 4, RETURN, GOTO, 255, 255, 200, 255, 255, 255, 252];
    let (m, read) = edited(&class_of(49, "(I)V", Code::new(1, 1, &old)), &[finally(&[])]);
    let expected = code(&[&[26, 154, 0, 7], &C, &[RETURN, GOTO, 255, 252, 200, 255, 255, 255, 249], &C, &[191]]);
    assert_eq!(calls(&m, &read).0, expected);
    assert_eq!(m.handlers, [[0, 4, 16, 0], [8, 16, 16, 0]]);
}

#[test]
fn switches_are_padded_anew() {
    // 0: iload_0; 1: tableswitch 1..2 -> 24, 25, default 26; 24: nop; 25: nop; 26: iload_0;
    // 27: lookupswitch 7 -> 44, default 45; 44: return; 45: return
    let table = [170, 0, 0, 0, 0, 0, 25, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 23, 0, 0, 0, 24];
    let lookup = [171, 0, 0, 0, 18, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 17];
    let old = code(&[&[26], &table, &[NOP, NOP, 26], &lookup, &[RETURN, RETURN]]);
    let class = class_of(49, "(I)V", Code::new(1, 1, &old));
    // The entry call takes 4 bytes: iload_0 and the call; nothing shifts. Twice and more with 3 bytes each it does.
    let (m, read) = edited(&class, &[enter(&[Param(0)])]);
    assert_eq!(calls(&m, &read).0, code(&[&[26], &C, &old]));
    let (m, read) = edited(&class, &[enter(&[])]);
    let table = [170, 0, 0, 0, 0, 0, 0, 26, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 24, 0, 0, 0, 25];
    let lookup = [171, 0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 20];
    // The table's opcode stands at 4, three bytes of padding; the lookup's at 31, none.
    let moved = code(&[&C, &[26], &[170, 0, 0, 0], &table[4..], &[NOP, NOP, 26]]);
    assert_eq!(calls(&m, &read).0[..31], moved);
    let lookup = [&lookup[..1], &[0, 0, 0, 18], &lookup[8..16], &[0, 0, 0, 17]].concat();
    assert_eq!(calls(&m, &read).0[31..], code(&[&lookup, &[RETURN, RETURN]]));
}

#[test]
fn wide_instructions_and_old_subroutines_are_copied() {
    // wide iload 300; pop; wide iinc 300, 1; jsr 17; return; 17: wide astore 301; wide ret 301
    let old = [196, 21, 1, 44, 87, 196, 132, 1, 44, 0, 1, 168, 0, 6, RETURN, NOP, NOP, 196, 58, 1, 45, 196, 169, 1, 45];
    let (m, read) = edited(&class_of(48, "()V", Code::new(1, 302, &old)), &[enter(&[])]);
    assert_eq!(calls(&m, &read).0, code(&[&C, &old]));
    let (m, _) = edited(&class_of(48, "()V", Code::new(1, 302, &old)), &[finally(&[])]);
    assert_eq!(m.bytes[11..14], [168, 0, 9]);
}

#[test]
fn arguments_maps_and_early_return_become_these_instructions() {
    // static String m(long, String): aload_2; areturn
    let class = class_of(52, "(JLjava/lang/String;)Ljava/lang/String;", Code::new(1, 3, &[44, 176]));
    let map_arg = row(Op::MapArg { param: 1, extra: vec![Param(0)] });
    let map_return = row(Op::MapReturn { extra: vec![Param(0)] });
    let (m, read) = edited(&class, &[early(), map_arg, map_return, finally(&[Param(1)])]);
    let (bytes, found) = calls(&m, &read);
    let exit = code(&[&[30], &C, &[192, 0xEE, 0xEE], &[44], &C, &[176]]);
    let expected = code(&[
        &[44, 30],
        &C,
        &[192, 0xEE, 0xEE, 77],
        &C,
        &[89, 198, 0, 18, 192, 0xEE, 0xEE],
        &exit,
        &[87, 44],
        &exit,
        &[44],
        &C,
        &[191],
    ]);
    assert_eq!(bytes, expected);
    let object = "Ljava/lang/Object;";
    let map = format!("java/trilane/B.b ({object}J){object}");
    let (string, last) = ("java/lang/String", format!("java/trilane/B.b ({object})V"));
    let early = format!("java/trilane/B.b (){object}");
    assert_eq!(found, [&map, string, &early, string, &map, string, &last, &map, string, &last, &last]);
    // After the argument maps, up to finally's first call, and behind the early return.
    assert_eq!(m.handlers, [[9, 26, 45, 0], [31, 40, 45, 0]]);
    assert_eq!((m.stack, m.locals), (3, 3));
    // 31: same locals, one object; 45: full, top, top, object; throwable on the stack.
    let frames = m.get("StackMapTable").expect("frames");
    assert_eq!(frames[..4], [0, 2, 64 + 31, 7]);
    assert_eq!(frames[6..14], [255, 0, 13, 0, 3, 0, 0, 7]);
    assert_eq!(frames[16..19], [0, 1, 7]);
    let name = |at: usize| read.text(u16::from_be_bytes([frames[at], frames[at + 1]]));
    assert_eq!([name(4), name(14), name(19)], ["java/lang/Object", "java/lang/Object", "java/lang/Throwable"]);
}

#[test]
fn all_kinds_of_frames_move() {
    // 62 times nop; 62: new; 65: return; 66: nops up to 199; 199: return
    let mut old = vec![NOP; 200];
    old[62..66].copy_from_slice(&[187, 0, 2, RETURN]);
    old[199] = RETURN;
    let frames = [
        [0, 9].as_slice(),
        &[10],                                             // 10: same
        &[64 + 51, 8, 0, 62],                              // 62: one on the stack, uninitialized by 62
        &[252, 0, 2, 1],                                   // 65: append int
        &[253, 0, 0, 4, 3],                                // 66: append long, double
        &[250, 0, 0],                                      // 67: chop 1
        &[247, 0, 62, 5],                                  // 130: one on the stack, far
        &[251, 0, 0],                                      // 131: same, spelt long
        &[63],                                             // 195: same
        &[255, 0, 1, 0, 2, 0, 8, 0, 62, 0, 2, 7, 0, 2, 2], // 197: full
    ]
    .concat();
    let class = class_of(52, "()V", Code::new(2, 6, &old).attribute("StackMapTable", &frames));
    let (m, read) = edited(&class, &[enter(&[]), finally(&[])]);
    let new = [
        [0, 10].as_slice(),
        &[13],
        &[64 + 51, 8, 0, 65],
        &[252, 0, 2, 1],
        &[253, 0, 3, 4, 3], // The exit before the return at 65 lies between.
        &[250, 0, 0],
        &[64 + 62, 5],
        &[0],
        &[63],
        &[255, 0, 1, 0, 2, 0, 8, 0, 65, 0, 2, 7, 0, 2, 2],
        &[255, 0, 5, 0, 0, 0, 1, 7],
    ]
    .concat();
    let table = m.get("StackMapTable").expect("frames");
    assert_eq!(table[..new.len()], new);
    let [.., high, low] = *table else { panic!() };
    assert_eq!(
        (table.len(), read.text(u16::from_be_bytes([high, low]))),
        (new.len() + 2, "java/lang/Throwable".into())
    );
}

#[test]
fn a_frame_that_moves_away_gets_the_long_form_and_back() {
    // 0: return; nops; 64: return. A short frame at 63 and one on the stack at 64; each of them moves by 3.
    let mut old = vec![NOP; 66];
    old[0] = RETURN;
    old[65] = RETURN;
    let class = class_of(52, "()V", Code::new(1, 0, &old).attribute("StackMapTable", &[0, 2, 63, 64, 1]));
    let (m, _) = edited(&class, &[finally(&[])]);
    assert_eq!(m.get("StackMapTable").unwrap()[..7], [0, 3, 251, 0, 66, 64, 1]);
    let mut one = vec![NOP; 66];
    one[0] = RETURN;
    one[65] = RETURN;
    let class = class_of(52, "()V", Code::new(1, 0, &one).attribute("StackMapTable", &[0, 1, 64 + 63, 1]));
    let (m, _) = edited(&class, &[finally(&[])]);
    assert_eq!(m.get("StackMapTable").unwrap()[..6], [0, 2, 247, 0, 66, 1]);
}

#[test]
fn handlers_of_the_method_stay_first_and_tables_move() {
    // 0: nop; 1: nop; 2: return; 3: pop; 4: return
    let lines = [0, 3, 0, 0, 0, 10, 0, 2, 0, 11, 0, 3, 0, 12];
    let variables = [0, 2, 0, 0, 0, 5, 0, 9, 0, 9, 0, 0, 0, 3, 0, 1, 0, 8, 0, 8, 0, 1];
    let old = Code::new(1, 2, &[NOP, NOP, RETURN, 87, RETURN])
        .handler([0, 2, 3, 0])
        .handler([1, 3, 3, 0])
        .attribute("LineNumberTable", &lines)
        .attribute("LocalVariableTable", &variables)
        .attribute("RuntimeVisibleTypeAnnotations", &[0, 0])
        .attribute("LocalVariableTypeTable", &variables)
        .attribute("StackMapTable", &[0, 1, 67, 7, 0, 2])
        .attribute("Unknown", &[1, 2, 3]);
    let (m, _) = edited(&class_of(52, "(I)V", old), &[enter(&[]), finally(&[])]);
    // 3: nop; 4: nop; 5: exit; 8: return; 9: pop; 10: exit; 13: return; 14: handler
    assert_eq!(m.handlers, [[3, 5, 9, 0], [4, 9, 9, 0], [3, 5, 14, 0], [9, 10, 14, 0]]);
    assert_eq!(m.get("LineNumberTable").unwrap(), [0, 3, 0, 0, 0, 10, 0, 5, 0, 11, 0, 9, 0, 12]);
    let moved = [0, 2, 0, 0, 0, 14, 0, 9, 0, 9, 0, 0, 0, 9, 0, 1, 0, 8, 0, 8, 0, 1];
    assert_eq!(m.get("LocalVariableTable").unwrap(), moved);
    assert_eq!(m.get("LocalVariableTypeTable"), m.get("LocalVariableTable"));
    let names: Vec<_> = m.attributes.iter().map(|a| a.0.as_str()).collect();
    assert_eq!(names, ["LineNumberTable", "LocalVariableTable", "LocalVariableTypeTable", "StackMapTable"]);
}

#[test]
fn the_stack_grows_by_what_the_calls_need() {
    let class = |descriptor: &str, bytes: &[u8], stack: u16| class_of(49, descriptor, Code::new(stack, 5, bytes));
    let stack = |class: &[u8], rows: &[Insertion]| edited(class, rows).0.stack;
    let plain = class("(JD)V", &[RETURN], 0);
    assert_eq!(stack(&plain, &[enter(&[])]), 0);
    assert_eq!(stack(&plain, &[enter(&[Param(0), Param(1)]), enter(&[Param(0)])]), 4);
    assert_eq!(stack(&plain, &[finally(&[])]), 1);
    assert_eq!(stack(&plain, &[finally(&[Param(0)])]), 3);
    let deep = class("(JD)V", &[RETURN], 7);
    assert_eq!(stack(&deep, &[enter(&[Param(0)])]), 7);
    assert_eq!(stack(&deep, &[finally(&[Param(0)])]), 9, "a return may leave things on the stack");
    let object = class("(JD)Ljava/lang/Object;", &[1, 176], 1);
    assert_eq!(stack(&object, &[early()]), 2);
    assert_eq!(stack(&object, &[row(Op::MapReturn { extra: vec![] })]), 1);
    assert_eq!(stack(&object, &[row(Op::MapReturn { extra: vec![Param(0)] })]), 3);
    assert_eq!(stack(&class("(J)J", &[30, 173], 2), &[row(Op::MapReturn { extra: vec![Param(0)] })]), 4);
    assert_eq!(stack(&plain, &[row(Op::MapArg { param: 1, extra: vec![Param(0), Param(1)] })]), 6);
}

#[test]
fn nothing_else_of_the_class_changes() {
    let make = |m: Code| {
        let mut asm = Asm::new("some/Name", 52);
        asm.long();
        asm.method(STATIC, "other", "()V", Some(Code::new(0, 0, &[NOP, RETURN])))
            .method(0, "m", "()V", Some(m))
            .method(0x401, "m", "(I)V", None)
            .finish()
    };
    let class = make(Code::new(0, 1, &[RETURN]));
    let first = edit(&class, &[enter(&[This])]).unwrap().unwrap();
    assert_eq!(first.matched, [1], "the abstract one does not count");
    assert_eq!(edit(&class, &[enter(&[This])]).unwrap().unwrap(), first);
    let before = u16::from_be_bytes([class[8], class[9]]);
    let (old, new) = (Read::class(&class), Read::class(&first.bytes));
    assert_eq!(old.methods["other()V"], new.methods["other()V"]);
    for index in 1..before {
        assert_eq!(old.text(index), new.text(index));
    }
    let mut twice = enter(&[This]);
    twice.method = "other";
    assert!(edit(&class, &[twice]).is_err(), "This in a static method");
    let mut nothing = enter(&[]);
    nothing.method = "absent";
    assert_eq!(edit(&class, &[nothing]), Ok(None));
}
