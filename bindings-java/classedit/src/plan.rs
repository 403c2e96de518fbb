//! What the insertions of one method come to: the byte strings to be put in, checked beforehand.

use crate::code::ARETURN;
use crate::descriptor::{Kind, MethodType, modified_utf8};
use crate::error::Error;
use crate::frames::Needed;
use crate::pool::Growth;
use crate::reader::Method;
use crate::{Arg, Insertion, Op};

const OBJECT: &[u8] = b"java/lang/Object";
const POP: u8 = 87;
const DUP: u8 = 89;
const INVOKESTATIC: u8 = 184;
const CHECKCAST: u8 = 192;
const IFNULL: u8 = 198;

/// The pieces to insert into one method. No piece has a jump in it or changes the type of a local.
#[derive(Default)]
pub(crate) struct Plan {
    /// Enter and MapArg, in table order.
    entry: Vec<u8>,
    /// The call of each ReturnEarly.
    early: Vec<Vec<u8>>,
    /// The cast from java.lang.Object to the returned type.
    cast: Vec<u8>,
    /// MapReturn.
    pub(crate) map_return: Vec<u8>,
    /// Finally; `None` when there is no such insertion.
    pub(crate) finally: Option<Vec<u8>>,
    /// Stack that the entry needs; it starts with an empty one.
    entry_stack: u16,
    /// Stack that map_return needs above the returned value, and finally above everything.
    map_extra: u16,
    finally_extra: u16,
    /// What map_return and finally read.
    pub(crate) needed: Vec<Needed>,
    /// What finally alone reads, and so the handler.
    pub(crate) needed_by_finally: Vec<Needed>,
}

/// What stands before the first instruction of the method.
pub(crate) struct Prologue {
    pub(crate) bytes: Vec<u8>,
    /// Each needs a frame with the first locals and one object on the stack.
    pub(crate) frames: Vec<u32>,
    /// From here on an exception calls finally.
    pub(crate) protect_from: u32,
    /// Finally's own calls and the return behind them: not protected.
    pub(crate) gaps: Vec<(u32, u32)>,
}

impl Plan {
    /// Makes the pieces. `insertions` are those that match, in table order.
    pub(crate) fn make(
        method: &Method,
        types: &MethodType,
        insertions: &[&Insertion],
        pool: &mut Growth,
    ) -> Result<Self, Error> {
        let mut plan = Self::default();
        let mut maker = Maker { method, types, pool };
        for insertion in insertions {
            maker.check(&insertion.op)?;
            match &insertion.op {
                Op::Enter { args } => {
                    let call = maker.call(insertion, None, args, b"V")?;
                    plan.entry_needs(call.slots);
                    plan.entry.extend(call.bytes);
                }
                Op::MapArg { param, extra } => maker.map_arg(&mut plan, insertion, *param, extra)?,
                Op::MapReturn { extra } => {
                    let call = maker.call(insertion, Some(types.returns), extra, types.returns)?;
                    plan.map_extra = plan.map_extra.max(call.slots - Kind::of(types.returns).slots());
                    plan.map_return.extend(call.bytes);
                    plan.map_return.extend(maker.cast(types.returns)?);
                    plan.needed.extend(call.reads);
                }
                Op::Finally { args } => {
                    let call = maker.call(insertion, None, args, b"V")?;
                    plan.finally_extra = plan.finally_extra.max(call.slots);
                    plan.finally.get_or_insert_default().extend(call.bytes);
                    plan.needed_by_finally.extend(call.reads);
                }
                Op::ReturnEarly { args } => {
                    let call = maker.call(insertion, None, args, OBJECT_TYPE)?;
                    plan.entry_needs(call.slots.max(2));
                    plan.early.push(call.bytes);
                    plan.cast = maker.cast(types.returns)?;
                }
            }
        }
        for list in [&mut plan.needed_by_finally, &mut plan.needed] {
            list.sort_by_key(|n| n.slot);
            list.dedup();
        }
        let mut all = plan.needed.clone();
        all.extend(&plan.needed_by_finally);
        all.sort_by_key(|n| n.slot);
        all.dedup();
        plan.needed = all;
        Ok(plan)
    }

    fn entry_needs(&mut self, slots: u16) {
        self.entry_stack = self.entry_stack.max(slots);
    }

    /// The length of what stands before each return.
    pub(crate) fn exit_len(&self) -> u32 {
        (self.map_return.len() + self.finally.as_ref().map_or(0, Vec::len)) as u32
    }

    /// The stack the method needs, when it needed `old` before. What lies under a returned value is not known, it
    /// may be anything up to `old`.
    pub(crate) fn max_stack(&self, old: u16) -> Result<u16, Error> {
        let exit = self.map_extra.max(self.finally_extra);
        let early = if self.early.is_empty() { 0 } else { 1 + exit };
        let handler = if self.finally.is_some() { 1 + self.finally_extra } else { 0 };
        let at_return = old.checked_add(exit).ok_or_else(|| Error::refused("the stack would be over 65,535"))?;
        Ok(at_return.max(self.entry_stack).max(early).max(handler))
    }

    /// Does the method get a jump or a handler, and so frames?
    pub(crate) fn has_frames(&self) -> bool {
        self.finally.is_some() || !self.early.is_empty()
    }

    /// Puts the entry together. An early return goes through MapReturn and Finally like every other return.
    pub(crate) fn prologue(&self) -> Result<Prologue, Error> {
        let mut out = Prologue {
            bytes: self.entry.clone(),
            frames: Vec::new(),
            protect_from: self.entry.len() as u32,
            gaps: Vec::new(),
        };
        let finally = self.finally.as_deref().unwrap_or_default();
        for call in &self.early {
            let skipped = self.cast.len() + self.map_return.len() + finally.len() + 1;
            let Ok(offset) = i16::try_from(3 + skipped) else {
                return Err(Error::refused("too many insertions for one method"));
            };
            out.bytes.extend(call);
            out.bytes.extend([DUP, IFNULL]);
            out.bytes.extend(offset.to_be_bytes());
            out.bytes.extend(&self.cast);
            out.bytes.extend(&self.map_return);
            let gap = out.bytes.len() as u32;
            out.bytes.extend(finally);
            out.bytes.push(ARETURN);
            out.gaps.push((gap, out.bytes.len() as u32));
            out.frames.push(out.bytes.len() as u32);
            out.bytes.push(POP);
        }
        Ok(out)
    }
}

const OBJECT_TYPE: &[u8] = b"Ljava/lang/Object;";

/// A call as bytes, the stack it needs, and the slots it reads.
struct Call {
    bytes: Vec<u8>,
    slots: u16,
    reads: Vec<Needed>,
}

struct Maker<'m, 'a, 'p> {
    method: &'m Method<'a>,
    types: &'m MethodType<'a>,
    pool: &'p mut Growth,
}

impl<'a> Maker<'_, 'a, '_> {
    /// Is the operation possible in such a method at all?
    fn check(&self, op: &Op) -> Result<(), Error> {
        let name = match op {
            Op::Enter { .. } | Op::MapArg { .. } => return Ok(()),
            Op::MapReturn { .. } => "MapReturn",
            Op::Finally { .. } => "Finally",
            Op::ReturnEarly { .. } => "ReturnEarly",
        };
        if self.method.is_constructor() {
            return Err(Error::refused(format!("{name} on a constructor; only Enter and MapArg can be used there")));
        }
        match (op, self.types.return_kind()) {
            (Op::MapReturn { .. }, None) => Err(Error::refused("MapReturn on a method that returns nothing")),
            (Op::ReturnEarly { .. }, kind) if kind != Some(Kind::Reference) => {
                Err(Error::refused("ReturnEarly on a method that does not return an object"))
            }
            _ => Ok(()),
        }
    }

    /// Where an argument is, and its descriptor.
    fn find(&self, arg: Arg) -> Result<(u16, &'a [u8]), Error> {
        match arg {
            Arg::This if self.method.is_static() => Err(Error::refused("This as an argument in a static method")),
            Arg::This if self.method.is_constructor() => {
                Err(Error::refused("This as an argument in a constructor, where super() has not been called yet"))
            }
            Arg::This => Ok((0, OBJECT_TYPE)),
            Arg::Param(index) => match self.types.params.get(usize::from(index)) {
                Some(param) => Ok((param.slot, param.descriptor)),
                None => Err(Error::refused(format!(
                    "parameter {index} of a method that has {}; count from 0 and match by parameter types",
                    self.types.params.len()
                ))),
            },
        }
    }

    /// Calls the bridge with `first`, which is on the stack already, and `args`.
    fn call(
        &mut self,
        insertion: &Insertion,
        first: Option<&[u8]>,
        args: &[Arg],
        returns: &[u8],
    ) -> Result<Call, Error> {
        let mut call = Call { bytes: Vec::new(), slots: 0, reads: Vec::new() };
        let mut descriptor = b"(".to_vec();
        let mut slots = 0u32;
        if let Some(first) = first {
            descriptor.extend(erased(first));
            slots += u32::from(Kind::of(first).slots());
        }
        for arg in args {
            let (slot, wanted) = self.find(*arg)?;
            let kind = Kind::of(wanted);
            load(kind, slot, &mut call.bytes);
            call.reads.push(Needed { slot, kind });
            descriptor.extend(erased(wanted));
            slots += u32::from(kind.slots());
        }
        if slots > 255 {
            return Err(Error::refused(format!("a bridge call with {slots} slots of arguments; 255 are allowed")));
        }
        call.slots = slots as u16;
        descriptor.push(b')');
        descriptor.extend(erased(returns));
        let class = modified_utf8(insertion.bridge_class);
        let method = self.pool.method(&class, &modified_utf8(insertion.bridge_method), &descriptor)?;
        call.bytes.push(INVOKESTATIC);
        call.bytes.extend(method.to_be_bytes());
        Ok(call)
    }

    fn map_arg(&mut self, plan: &mut Plan, insertion: &Insertion, param: u16, extra: &[Arg]) -> Result<(), Error> {
        let (slot, descriptor) = self.find(Arg::Param(param))?;
        let kind = Kind::of(descriptor);
        let call = self.call(insertion, Some(descriptor), extra, descriptor)?;
        plan.entry_needs(call.slots);
        load(kind, slot, &mut plan.entry);
        plan.entry.extend(call.bytes);
        plan.entry.extend(self.cast(descriptor)?);
        store(kind, slot, &mut plan.entry);
        Ok(())
    }

    /// From java.lang.Object to the declared type; nothing for primitives.
    fn cast(&mut self, descriptor: &[u8]) -> Result<Vec<u8>, Error> {
        let class = match descriptor {
            [b'L', name @ .., b';'] => name,
            [b'[', ..] => descriptor,
            _ => return Ok(Vec::new()),
        };
        if class == OBJECT {
            return Ok(Vec::new());
        }
        let [high, low] = self.pool.class(class)?.to_be_bytes();
        Ok(vec![CHECKCAST, high, low])
    }
}

/// The type by which a bridge method takes or returns a value.
fn erased(descriptor: &[u8]) -> &[u8] {
    if Kind::of(descriptor) == Kind::Reference { OBJECT_TYPE } else { descriptor }
}

fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Int => 0,
        Kind::Long => 1,
        Kind::Float => 2,
        Kind::Double => 3,
        Kind::Reference => 4,
    }
}

/// A load in its shortest form. Parameters end at slot 255, so `wide` is never needed.
fn load(kind: Kind, slot: u16, out: &mut Vec<u8>) {
    match slot {
        0..=3 => out.push(26 + kind_number(kind) * 4 + slot as u8),
        _ => out.extend([21 + kind_number(kind), slot as u8]),
    }
}

fn store(kind: Kind, slot: u16, out: &mut Vec<u8>) {
    match slot {
        0..=3 => out.push(59 + kind_number(kind) * 4 + slot as u8),
        _ => out.extend([54 + kind_number(kind), slot as u8]),
    }
}
