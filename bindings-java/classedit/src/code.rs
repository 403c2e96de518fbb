//! Walking over byte code: lengths, jumps, returns, stores.

use crate::error::Error;
use crate::reader::Reader;

pub(crate) const IINC: u8 = 132;
pub(crate) const TABLESWITCH: u8 = 170;
pub(crate) const LOOKUPSWITCH: u8 = 171;
pub(crate) const ARETURN: u8 = 176;
pub(crate) const WIDE: u8 = 196;

/// One instruction: where it stands, how long it is, and its opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) pc: u32,
    pub(crate) len: u32,
    pub(crate) op: u8,
}

impl Instruction {
    pub(crate) fn is_return(&self) -> bool {
        (172..=177).contains(&self.op)
    }

    /// A conditional jump, goto or jsr with a 16-bit offset.
    pub(crate) fn is_jump(&self) -> bool {
        matches!(self.op, 153..=168 | 198 | 199)
    }

    /// goto_w or jsr_w.
    pub(crate) fn is_wide_jump(&self) -> bool {
        matches!(self.op, 200 | 201)
    }

    pub(crate) fn is_switch(&self) -> bool {
        matches!(self.op, TABLESWITCH | LOOKUPSWITCH)
    }

    /// The bytes of this instruction.
    pub(crate) fn bytes<'a>(&self, code: &'a [u8]) -> &'a [u8] {
        let from = self.pc as usize;
        code.get(from..from + self.len as usize).unwrap_or_default()
    }

    /// The slots this instruction writes: the first, and how many.
    pub(crate) fn stores(&self, code: &[u8]) -> Option<(u16, u16)> {
        let b = self.bytes(code);
        let at = |i: usize| u16::from(b.get(i).copied().unwrap_or(0));
        let (op, slot) = match self.op {
            54..=58 | IINC => (self.op, at(1)),
            59..=78 => return Some((u16::from((self.op - 59) % 4), short_store_slots(self.op))),
            WIDE => (b.get(1).copied().unwrap_or(0), at(2) << 8 | at(3)),
            _ => return None,
        };
        match op {
            55 | 57 => Some((slot, 2)),
            54 | 56 | 58 | IINC => Some((slot, 1)),
            _ => None,
        }
    }
}

/// lstore_n and dstore_n write two slots.
fn short_store_slots(op: u8) -> u16 {
    if matches!((op - 59) / 4, 1 | 3) { 2 } else { 1 }
}

/// Zero bytes between a switch's opcode and its operands.
pub(crate) fn switch_padding(pc: u32) -> u32 {
    3 - pc % 4
}

/// All instructions of a method, checked to end where the code ends.
pub(crate) fn walk(code: &[u8]) -> Result<Vec<Instruction>, Error> {
    if code.is_empty() || code.len() > 65_535 {
        return Err(Error::malformed(format!("code of {} bytes", code.len())));
    }
    let mut list = Vec::with_capacity(code.len() / 2);
    let mut r = Reader::new(code);
    while r.left() > 0 {
        let from = r.at();
        let pc = from as u32;
        let op = r.u1()?;
        match op {
            TABLESWITCH => {
                r.take(switch_padding(pc) as usize + 4)?;
                let (low, high) = (r.u4()? as i32, r.u4()? as i32);
                let count = i64::from(high) - i64::from(low) + 1;
                take_switch(&mut r, count, 4)?;
            }
            LOOKUPSWITCH => {
                r.take(switch_padding(pc) as usize + 4)?;
                let count = i64::from(r.u4()? as i32);
                take_switch(&mut r, count, 8)?;
            }
            WIDE => match r.u1()? {
                21..=25 | 54..=58 | 169 => drop(r.take(2)?),
                IINC => drop(r.take(4)?),
                other => return Err(Error::malformed(format!("wide {other} at pc {pc}"))),
            },
            _ => drop(r.take(operands(op).ok_or_else(|| unknown(op, pc))?)?),
        }
        list.push(Instruction { pc, len: (r.at() - from) as u32, op });
    }
    Ok(list)
}

fn unknown(op: u8, pc: u32) -> Error {
    Error::malformed(format!("unknown opcode {op} at pc {pc}"))
}

fn take_switch(r: &mut Reader, count: i64, each: usize) -> Result<(), Error> {
    match usize::try_from(count) {
        Ok(count) if count <= r.left() / each => r.take(count * each).map(drop),
        _ => Err(Error::malformed(format!("a switch of {count} cases"))),
    }
}

/// Operand bytes of an opcode of fixed length.
fn operands(op: u8) -> Option<usize> {
    Some(match op {
        16 | 18 | 21..=25 | 54..=58 | 169 | 188 => 1,
        17 | 19 | 20 | IINC | 153..=168 | 178..=184 | 187 | 189 | 192 | 193 | 198 | 199 => 2,
        197 => 3,
        185 | 186 | 200 | 201 => 4,
        0..=201 => 0,
        _ => return None,
    })
}
