//! StackMapTable: read with absolute positions, moved, written with new deltas.

use crate::descriptor::Kind;
use crate::error::Error;
use crate::reader::Reader;
use crate::relocate::PcMap;

/// A verification type. Class indices stay valid, because the pool is never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VType {
    Top,
    Int,
    Float,
    Double,
    Long,
    Null,
    UninitializedThis,
    Object(u16),
    /// The result of the `new` at that position.
    Uninitialized(u32),
}

impl VType {
    /// What a parameter of that kind is; `class` is its class for a reference.
    pub(crate) fn of(kind: Kind, class: u16) -> Self {
        match kind {
            Kind::Int => VType::Int,
            Kind::Long => VType::Long,
            Kind::Float => VType::Float,
            Kind::Double => VType::Double,
            Kind::Reference => VType::Object(class),
        }
    }

    fn slots(self) -> u16 {
        if matches!(self, VType::Double | VType::Long) { 2 } else { 1 }
    }

    /// Can a value of this type be loaded as that kind, a reference as java.lang.Object?
    fn loads_as(self, kind: Kind) -> bool {
        match self {
            VType::Object(_) | VType::Null => kind == Kind::Reference,
            VType::Int => kind == Kind::Int,
            VType::Float => kind == Kind::Float,
            VType::Double => kind == Kind::Double,
            VType::Long => kind == Kind::Long,
            VType::Top | VType::UninitializedThis | VType::Uninitialized(_) => false,
        }
    }

    fn read(r: &mut Reader) -> Result<Self, Error> {
        Ok(match r.u1()? {
            0 => VType::Top,
            1 => VType::Int,
            2 => VType::Float,
            3 => VType::Double,
            4 => VType::Long,
            5 => VType::Null,
            6 => VType::UninitializedThis,
            7 => VType::Object(r.u2()?),
            8 => VType::Uninitialized(u32::from(r.u2()?)),
            other => return Err(Error::malformed(format!("verification type {other}"))),
        })
    }

    fn write(self, out: &mut Vec<u8>) -> Result<(), Error> {
        let (tag, operand) = match self {
            VType::Top => (0, None),
            VType::Int => (1, None),
            VType::Float => (2, None),
            VType::Double => (3, None),
            VType::Long => (4, None),
            VType::Null => (5, None),
            VType::UninitializedThis => (6, None),
            VType::Object(class) => (7, Some(class)),
            VType::Uninitialized(pc) => (8, Some(u16::try_from(pc).map_err(|_| too_long())?)),
        };
        out.push(tag);
        if let Some(operand) = operand {
            out.extend(operand.to_be_bytes());
        }
        Ok(())
    }

    fn list(r: &mut Reader, count: u16) -> Result<Vec<Self>, Error> {
        (0..count).map(|_| Self::read(r)).collect()
    }
}

fn too_long() -> Error {
    Error::refused("the code would grow over 65,535 bytes")
}

/// How a frame differs from the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    Same,
    SameOnStack(VType),
    Chop(u8),
    Append(Vec<VType>),
    Full(Vec<VType>, Vec<VType>),
}

/// One frame and where it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) at: u32,
    pub(crate) shape: Shape,
}

/// Reads the body of a StackMapTable attribute.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Frame>, Error> {
    let mut r = Reader::new(body);
    let count = r.u2()?;
    let mut frames: Vec<Frame> = Vec::with_capacity(usize::from(count).min(body.len()));
    for _ in 0..count {
        let tag = r.u1()?;
        let mut delta = u32::from(tag % 64);
        if tag >= 247 {
            delta = u32::from(r.u2()?);
        }
        let shape = match tag {
            0..=63 | 251 => Shape::Same,
            64..=127 | 247 => Shape::SameOnStack(VType::read(&mut r)?),
            248..=250 => Shape::Chop(251 - tag),
            252..=254 => Shape::Append(VType::list(&mut r, u16::from(tag - 251))?),
            255 => {
                let locals = r.u2()?;
                let locals = VType::list(&mut r, locals)?;
                let stack = r.u2()?;
                Shape::Full(locals, VType::list(&mut r, stack)?)
            }
            other => return Err(Error::malformed(format!("frame type {other}"))),
        };
        let at = frames.last().map_or(delta, |f| f.at + delta + 1);
        frames.push(Frame { at, shape });
    }
    r.done("StackMapTable")?;
    Ok(frames)
}

/// Moves frames and the `new` positions they name to where the code went.
pub(crate) fn relocate(frames: &mut [Frame], map: &PcMap) -> Result<(), Error> {
    let moved = |v: &mut VType| {
        if let VType::Uninitialized(pc) = v {
            *pc = map.instruction(*pc)?;
        }
        Ok(())
    };
    for frame in frames {
        frame.at = map.instruction(frame.at)?;
        match &mut frame.shape {
            Shape::Same | Shape::Chop(_) => {}
            Shape::SameOnStack(v) => moved(v)?,
            Shape::Append(list) => list.iter_mut().try_for_each(moved)?,
            Shape::Full(locals, stack) => locals.iter_mut().chain(stack).try_for_each(moved)?,
        }
    }
    Ok(())
}

/// Writes the body of a StackMapTable attribute; the frames stand in ascending order.
pub(crate) fn write(frames: &[Frame]) -> Result<Vec<u8>, Error> {
    let count = |n: usize| u16::try_from(n).map_err(|_| Error::refused("more than 65,535 frames"));
    let mut out = count(frames.len())?.to_be_bytes().to_vec();
    let mut next = 0;
    for frame in frames {
        let delta = frame.at.checked_sub(next).and_then(|d| u16::try_from(d).ok());
        let delta = delta.ok_or_else(|| Error::malformed("frames do not ascend"))?;
        next = frame.at + 1;
        let mut head = |tag: u8| {
            out.push(tag);
            out.extend(delta.to_be_bytes());
        };
        match &frame.shape {
            Shape::Same if delta < 64 => out.push(delta as u8),
            Shape::Same => head(251),
            Shape::SameOnStack(v) => {
                if delta < 64 {
                    out.push(64 + delta as u8);
                } else {
                    head(247);
                }
                v.write(&mut out)?;
            }
            Shape::Chop(n) => head(251 - n),
            Shape::Append(list) => {
                head(251 + list.len() as u8);
                list.iter().try_for_each(|v| v.write(&mut out))?;
            }
            Shape::Full(locals, stack) => {
                head(255);
                for list in [locals, stack] {
                    out.extend(count(list.len())?.to_be_bytes());
                    list.iter().try_for_each(|v| v.write(&mut out))?;
                }
            }
        }
    }
    Ok(out)
}

/// A slot that code inserted after the entry reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needed {
    pub(crate) slot: u16,
    pub(crate) kind: Kind,
}

/// How many of `locals` it takes to find every needed slot with its kind.
fn covering(locals: &[VType], needed: &[Needed]) -> Option<usize> {
    let mut covered = 0;
    let mut found = 0;
    let mut slot = 0u32;
    for (i, v) in locals.iter().enumerate() {
        for n in needed.iter().filter(|n| u32::from(n.slot) == slot) {
            if !v.loads_as(n.kind) {
                return None;
            }
            covered = i + 1;
            found += 1;
        }
        slot += u32::from(v.slots());
    }
    (found == needed.len()).then_some(covered)
}

/// Do all frames still declare the needed parameters? A compiler may drop a parameter it no longer reads.
pub(crate) fn keep(frames: &[Frame], initial: &[VType], needed: &[Needed]) -> bool {
    if needed.is_empty() {
        return true;
    }
    let Some(mut covered) = covering(initial, needed) else {
        return false;
    };
    let mut count = initial.len();
    for frame in frames {
        match &frame.shape {
            Shape::Same | Shape::SameOnStack(_) => {}
            Shape::Chop(n) => {
                count = count.saturating_sub(usize::from(*n));
                if count < covered {
                    return false;
                }
            }
            Shape::Append(list) => count += list.len(),
            Shape::Full(locals, _) => {
                let Some(now) = covering(locals, needed) else {
                    return false;
                };
                covered = now;
                count = locals.len();
            }
        }
    }
    true
}
