//! Writing an edited method and the class around it.

use crate::code::walk;
use crate::descriptor::{Kind, MethodType};
use crate::error::Error;
use crate::frames::{self, Frame, Needed, Shape, VType};
use crate::plan::{Plan, Prologue};
use crate::pool::Growth;
use crate::reader::{Attribute, ClassFile, Method, Reader, attributes};
use crate::relocate::{self, PcMap};

const ATHROW: u8 = 191;
/// The first class version whose code is checked by frames.
const FRAMES_SINCE: u16 = 50;

/// One row of an exception table: from, to, handler, caught class.
type Handler = [u16; 4];

/// The Code attribute taken apart.
struct Code<'a> {
    max_stack: u16,
    max_locals: u16,
    code: &'a [u8],
    handlers: Vec<Handler>,
    attributes: Vec<Attribute<'a>>,
}

impl<'a> Code<'a> {
    fn read(class: &ClassFile<'a>, body: &'a [u8]) -> Result<Self, Error> {
        let mut r = Reader::new(body);
        let (max_stack, max_locals) = (r.u2()?, r.u2()?);
        let len = r.u4()? as usize;
        let code = r.take(len)?;
        let count = r.u2()?;
        let mut handlers = Vec::with_capacity(usize::from(count).min(r.left() / 8));
        for _ in 0..count {
            handlers.push([r.u2()?, r.u2()?, r.u2()?, r.u2()?]);
        }
        let attributes = attributes(&mut r, &class.pool)?;
        r.done("Code")?;
        Ok(Self { max_stack, max_locals, code, handlers, attributes })
    }

    fn frames(&self) -> Result<Option<(u16, Vec<Frame>)>, Error> {
        let mut found = None;
        for a in self.attributes.iter().filter(|a| a.name == b"StackMapTable") {
            if found.replace((a.name_index, frames::read(a.body)?)).is_some() {
                return Err(Error::malformed("two StackMapTable attributes"));
            }
        }
        Ok(found)
    }
}

/// What [`method`] needs to know.
pub(crate) struct Work<'m, 'a> {
    pub(crate) class: &'m ClassFile<'a>,
    pub(crate) method: &'m Method<'a>,
    pub(crate) types: &'m MethodType<'a>,
    pub(crate) plan: &'m Plan,
}

impl<'a> Work<'_, 'a> {
    /// The method with its insertions, from the access flags to the last attribute.
    pub(crate) fn method(&self, pool: &mut Growth) -> Result<Vec<u8>, Error> {
        // Access flags, name, descriptor and the count of attributes stay.
        let mut out = self.method.whole.get(..8).unwrap_or_default().to_vec();
        let mut done = false;
        for a in &self.method.attributes {
            if a.name != b"Code" {
                out.extend(a.whole);
            } else if done {
                return Err(Error::malformed("two Code attributes"));
            } else {
                done = true;
                let code = Code::read(self.class, a.body)?;
                push_attribute(&mut out, a.name_index, &self.code(&code, pool)?)?;
            }
        }
        Ok(out)
    }

    fn code(&self, old: &Code<'a>, pool: &mut Growth) -> Result<Vec<u8>, Error> {
        if old.max_locals < self.types.slots {
            return Err(Error::malformed("fewer locals than parameters"));
        }
        let list = walk(old.code)?;
        let stored = |n: &Needed| {
            list.iter()
                .filter_map(|i| i.stores(old.code))
                .any(|(slot, count)| slot < n.slot + n.kind.slots() && n.slot < slot.saturating_add(count))
        };
        if let Some(n) = self.plan.needed.iter().find(|n| stored(n)) {
            return Err(self.lost(n, "is assigned in the method"));
        }
        let prologue = self.plan.prologue()?;
        let map = PcMap::new(old.code.len(), &list, prologue.bytes.len() as u32, self.plan.exit_len())?;
        let finally = self.plan.finally.as_deref();
        let exit = [self.plan.map_return.as_slice(), finally.unwrap_or_default()];
        let mut new = relocate::write(old.code, &list, &map, &prologue.bytes, exit)?;
        let mut handlers = move_handlers(&old.handlers, &map)?;
        if let Some(finally) = finally {
            let mut gaps = prologue.gaps.clone();
            gaps.append(&mut new.gaps);
            protect(prologue.protect_from, map.end(), &gaps, &mut handlers);
            new.bytes.extend(finally);
            new.bytes.push(ATHROW);
        }
        let len = new.bytes.len();
        if len > 65_535 {
            return Err(Error::refused("the code would grow over 65,535 bytes"));
        }
        let mut out = self.plan.max_stack(old.max_stack)?.to_be_bytes().to_vec();
        out.extend(old.max_locals.to_be_bytes());
        out.extend((len as u32).to_be_bytes());
        out.extend(new.bytes);
        push_count(&mut out, handlers.len(), "exception handlers")?;
        out.extend(handlers.iter().flatten().flat_map(|v| v.to_be_bytes()));
        let attributes = self.attributes(old, &map, &prologue, pool)?;
        push_count(&mut out, attributes.len(), "attributes")?;
        for (name, body) in attributes {
            push_attribute(&mut out, name, &body)?;
        }
        Ok(out)
    }

    /// The attributes of Code that can be kept. Type annotations and unknown ones may hold positions: dropped.
    fn attributes(
        &self,
        old: &Code<'a>,
        map: &PcMap,
        prologue: &Prologue,
        pool: &mut Growth,
    ) -> Result<Vec<(u16, Vec<u8>)>, Error> {
        let mut list = Vec::new();
        for a in &old.attributes {
            let body = match a.name {
                b"LineNumberTable" => move_lines(a.body, map)?,
                b"LocalVariableTable" | b"LocalVariableTypeTable" => move_variables(a.body, map)?,
                _ => continue,
            };
            list.push((a.name_index, body));
        }
        if self.class.major >= FRAMES_SINCE
            && let Some(table) = self.frames(old, map, prologue, pool)?
        {
            list.push(table);
        }
        Ok(list)
    }

    /// The new StackMapTable, when there was one or one is needed.
    fn frames(
        &self,
        old: &Code,
        map: &PcMap,
        prologue: &Prologue,
        pool: &mut Growth,
    ) -> Result<Option<(u16, Vec<u8>)>, Error> {
        let (name, mut moved) = match old.frames()? {
            Some(found) => found,
            None if self.plan.has_frames() => (pool.utf8(b"StackMapTable")?, Vec::new()),
            None => return Ok(None),
        };
        for n in &self.plan.needed {
            if !frames::keep(&moved, &self.initial_locals(), std::slice::from_ref(n)) {
                return Err(self.lost(n, "is given up by the compiler before the end of the method"));
            }
        }
        frames::relocate(&mut moved, map)?;
        let mut all = Vec::with_capacity(moved.len() + prologue.frames.len() + 1);
        if self.plan.has_frames() {
            let object = pool.class(b"java/lang/Object")?;
            let shape = Shape::SameOnStack(VType::Object(object));
            all.extend(prologue.frames.iter().map(|at| Frame { at: *at, shape: shape.clone() }));
            all.append(&mut moved);
            if self.plan.finally.is_some() {
                let stack = vec![VType::Object(pool.class(b"java/lang/Throwable")?)];
                let locals = handler_locals(&self.plan.needed_by_finally, object);
                all.push(Frame { at: map.end(), shape: Shape::Full(locals, stack) });
            }
        } else {
            all = moved;
        }
        Ok(Some((name, frames::write(&all)?)))
    }

    /// The locals at the entry. Which class a reference is of does not matter here.
    fn initial_locals(&self) -> Vec<VType> {
        let this = (!self.method.is_static()).then_some(VType::Object(0));
        this.into_iter().chain(self.types.params.iter().map(|p| VType::of(Kind::of(p.descriptor), 0))).collect()
    }

    fn lost(&self, n: &Needed, why: &str) -> Error {
        let what = match self.types.params.iter().position(|p| p.slot == n.slot) {
            Some(index) => format!("parameter {index}"),
            None => "this".to_owned(),
        };
        Error::refused(format!("{what} {why}, so it cannot be passed at the exit; pass it at the entry instead"))
    }
}

/// The locals of the handler's frame: only what its call reads, as the types it reads them by.
fn handler_locals(needed: &[Needed], object: u16) -> Vec<VType> {
    let mut locals = Vec::new();
    let mut slot = 0;
    for n in needed {
        for _ in slot..n.slot {
            locals.push(VType::Top);
        }
        locals.push(VType::of(n.kind, object));
        slot = n.slot + n.kind.slots();
    }
    locals
}

fn push_count(out: &mut Vec<u8>, count: usize, what: &str) -> Result<(), Error> {
    let count = u16::try_from(count).map_err(|_| Error::refused(format!("more than 65,535 {what}")))?;
    out.extend(count.to_be_bytes());
    Ok(())
}

fn push_attribute(out: &mut Vec<u8>, name: u16, body: &[u8]) -> Result<(), Error> {
    let len = u32::try_from(body.len()).map_err(|_| Error::refused("an attribute of 4 GiB"))?;
    out.extend(name.to_be_bytes());
    out.extend(len.to_be_bytes());
    out.extend(body);
    Ok(())
}

/// Positions that have been checked to be at most 65,535.
fn short(pc: u32) -> u16 {
    u16::try_from(pc).unwrap_or(u16::MAX)
}

fn move_handlers(old: &[Handler], map: &PcMap) -> Result<Vec<Handler>, Error> {
    let moved = old.iter().map(|[from, to, handler, class]| {
        if from >= to {
            return Err(Error::malformed(format!("an exception range from {from} to {to}")));
        }
        Ok([
            short(map.instruction(u32::from(*from))?),
            short(map.boundary(u32::from(*to))?),
            short(map.instruction(u32::from(*handler))?),
            *class,
        ])
    });
    moved.collect()
}

/// Adds our handler at `end` for everything before it but the gaps, behind the handlers of the application.
fn protect(from: u32, end: u32, gaps: &[(u32, u32)], handlers: &mut Vec<Handler>) {
    let mut from = from;
    for (gap, after) in gaps.iter().copied().chain([(end, end)]) {
        if from < gap {
            handlers.push([short(from), short(gap), short(end), 0]);
        }
        from = after;
    }
}

/// LineNumberTable. Line information of pc 0 holds for the entry too. Rows without an instruction are dropped:
/// the table is for people, and not worth a refusal.
fn move_lines(body: &[u8], map: &PcMap) -> Result<Vec<u8>, Error> {
    let mut r = Reader::new(body);
    let mut rows = Vec::new();
    let mut kept = 0u16;
    for _ in 0..r.u2()? {
        let (pc, line) = (u32::from(r.u2()?), r.u2()?);
        let Some(at) = start_of(pc, map) else {
            continue;
        };
        kept += 1;
        rows.extend(short(at).to_be_bytes());
        rows.extend(line.to_be_bytes());
    }
    r.done("LineNumberTable")?;
    Ok([kept.to_be_bytes().to_vec(), rows].concat())
}

/// LocalVariableTable and LocalVariableTypeTable.
fn move_variables(body: &[u8], map: &PcMap) -> Result<Vec<u8>, Error> {
    let mut r = Reader::new(body);
    let mut rows = Vec::new();
    let mut kept = 0u16;
    for _ in 0..r.u2()? {
        let pc = u32::from(r.u2()?);
        let end = pc + u32::from(r.u2()?);
        let rest = r.take(6)?;
        let (Some(at), Ok(end)) = (start_of(pc, map), map.boundary(end)) else {
            continue;
        };
        kept += 1;
        rows.extend(short(at).to_be_bytes());
        rows.extend(short(end - at).to_be_bytes());
        rows.extend(rest);
    }
    r.done("a table of local variables")?;
    Ok([kept.to_be_bytes().to_vec(), rows].concat())
}

fn start_of(pc: u32, map: &PcMap) -> Option<u32> {
    if pc == 0 { Some(0) } else { map.instruction(pc).ok() }
}

/// Puts the class together again: the pool grown, the methods replaced.
pub(crate) fn class(class: &ClassFile, pool: Growth, methods: &[Option<Vec<u8>>]) -> Vec<u8> {
    let (count, added) = pool.finish();
    let mut out = class.head.to_vec();
    out.extend(count.to_be_bytes());
    out.extend(class.pool.bytes());
    out.extend(added);
    out.extend(class.middle);
    out.extend((methods.len() as u16).to_be_bytes());
    for (new, old) in methods.iter().zip(&class.methods) {
        out.extend(new.as_deref().unwrap_or(old.whole));
    }
    out.extend(class.tail);
    out
}
