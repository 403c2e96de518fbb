//! Where every instruction goes, and the code written there.

use crate::code::{Instruction, LOOKUPSWITCH, switch_padding};
use crate::error::Error;
use crate::reader::Reader;

const NOWHERE: u32 = u32::MAX;

/// From old positions to new ones. Who jumps to a return lands before what was inserted in front of it, who jumps
/// to 0 lands behind the entry.
pub(crate) struct PcMap {
    /// One per byte of the old code and one for its end; `NOWHERE` inside of instructions.
    new: Vec<u32>,
}

impl PcMap {
    /// Places all instructions behind a prologue, with `exit` bytes before each return.
    pub(crate) fn new(code_len: usize, list: &[Instruction], prologue: u32, exit: u32) -> Result<Self, Error> {
        let mut new = vec![NOWHERE; code_len + 1];
        let mut at = prologue;
        for i in list {
            new[i.pc as usize] = at;
            if i.is_return() {
                at += exit;
            }
            at += i.len;
            if i.is_switch() {
                let start = at - i.len;
                at = at - switch_padding(i.pc) + switch_padding(start);
            }
            // Checked here, so that hostile input cannot overflow the sum.
            if at > 65_535 {
                return Err(Error::refused("the code would grow over 65,535 bytes"));
            }
        }
        new[code_len] = at;
        Ok(Self { new })
    }

    /// The new place of an instruction.
    pub(crate) fn instruction(&self, pc: u32) -> Result<u32, Error> {
        match self.new.split_last() {
            Some((_, inner)) => known(inner, pc),
            None => known(&[], pc),
        }
    }

    /// The new place of an instruction or of the end of the code.
    pub(crate) fn boundary(&self, pc: u32) -> Result<u32, Error> {
        known(&self.new, pc)
    }

    /// Where the old code ends now.
    pub(crate) fn end(&self) -> u32 {
        self.new.last().copied().unwrap_or(0)
    }
}

fn known(list: &[u32], pc: u32) -> Result<u32, Error> {
    match list.get(pc as usize) {
        Some(at) if *at != NOWHERE => Ok(*at),
        _ => Err(Error::malformed(format!("no instruction at pc {pc}"))),
    }
}

/// The code with the insertions.
pub(crate) struct Moved {
    pub(crate) bytes: Vec<u8>,
    /// From finally's call up to behind the return.
    pub(crate) gaps: Vec<(u32, u32)>,
}

/// Writes all instructions to their new places. `exit` are MapReturn's and Finally's bytes.
pub(crate) fn write(
    code: &[u8],
    list: &[Instruction],
    map: &PcMap,
    prologue: &[u8],
    exit: [&[u8]; 2],
) -> Result<Moved, Error> {
    let mut out = Moved { bytes: prologue.to_vec(), gaps: Vec::new() };
    for i in list {
        let old = i.bytes(code);
        if i.is_return() {
            out.bytes.extend(exit[0]);
            let gap = out.bytes.len() as u32;
            out.bytes.extend(exit[1]);
            out.bytes.extend(old);
            out.gaps.push((gap, out.bytes.len() as u32));
        } else if i.is_jump() {
            let mut r = Reader::new(&old[1..]);
            let by = target(map, i, i32::from(r.u2()? as i16), out.bytes.len())?;
            let Ok(by) = i16::try_from(by) else {
                return Err(Error::refused(format!("the jump at pc {} would be longer than 32 KiB", i.pc)));
            };
            out.bytes.push(i.op);
            out.bytes.extend(by.to_be_bytes());
        } else if i.is_wide_jump() {
            let by = target(map, i, Reader::new(&old[1..]).u4()? as i32, out.bytes.len())?;
            out.bytes.push(i.op);
            out.bytes.extend(by.to_be_bytes());
        } else if i.is_switch() {
            write_switch(i, old, map, &mut out.bytes)?;
        } else {
            out.bytes.extend(old);
        }
    }
    Ok(out)
}

/// The new offset of a jump of instruction `i`, which stands at `at` now.
fn target(map: &PcMap, i: &Instruction, by: i32, at: usize) -> Result<i32, Error> {
    let old = i64::from(i.pc) + i64::from(by);
    let Ok(old) = u32::try_from(old) else {
        return Err(Error::malformed(format!("the jump at pc {} leaves the code", i.pc)));
    };
    // Both are at most 65,535.
    Ok(map.instruction(old)? as i32 - at as i32)
}

fn write_switch(i: &Instruction, old: &[u8], map: &PcMap, out: &mut Vec<u8>) -> Result<(), Error> {
    let at = out.len();
    out.push(i.op);
    out.resize(out.len() + switch_padding(at as u32) as usize, 0);
    let mut r = Reader::new(old);
    r.take(1 + switch_padding(i.pc) as usize)?;
    out.extend(target(map, i, r.u4()? as i32, at)?.to_be_bytes());
    if i.op == LOOKUPSWITCH {
        out.extend(r.take(4)?);
        while r.left() > 0 {
            out.extend(r.take(4)?);
            out.extend(target(map, i, r.u4()? as i32, at)?.to_be_bytes());
        }
    } else {
        out.extend(r.take(8)?);
        while r.left() > 0 {
            out.extend(target(map, i, r.u4()? as i32, at)?.to_be_bytes());
        }
    }
    Ok(())
}
