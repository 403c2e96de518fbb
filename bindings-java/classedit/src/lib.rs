//! A class-file editor that puts calls of static bridge methods into methods of other people's classes.
//!
//! It appends to the constant pool and never renumbers it, adds no member, and changes the type of no local
//! variable, so that no frame has to be inferred and other agents can rewrite the same class before or after.
//! The same input always gives the same output. Bytes that are no class file give an [`Error`], never a panic.
//!
//! The way of a class through the files: [`edit`] here -> `reader.rs` cuts the class into parts (`pool.rs` its
//! constants) -> `descriptor.rs` finds the methods -> `plan.rs` makes the bytes to insert -> `code.rs` walks over
//! the instructions -> `relocate.rs` moves them -> `frames.rs` moves the StackMapTable -> `emit.rs` writes the
//! method and the class.
//!
//! # How insertions on one method come together
//!
//! * Entry: all [`Op::Enter`] and [`Op::MapArg`] in table order, then all [`Op::ReturnEarly`] in table order.
//! * Exit: all [`Op::MapReturn`], then all [`Op::Finally`], each in table order. An early return goes the same way.
//! * An exception calls every `Finally` in table order and goes on. What `Enter` and `MapArg` throw does not.
//!
//! # Which methods match
//!
//! Methods with code, by name and parameters. A bridge method that the compiler made only calls the method it stands
//! for (`Object get()` for `String get()`); it is left out where an insertion also matches a method that is none, so
//! that nothing happens twice.
//!
//! # Methods to call
//!
//! They are `public static`, take references as `java.lang.Object` and primitives as they are, and return `void`
//! (`Enter`, `Finally`), `Object` (`ReturnEarly`), or the mapped value (`MapArg`, `MapReturn`: `Object` or the
//! primitive). A cast to the declared type follows.
#![forbid(unsafe_code)]

mod code;
mod descriptor;
mod emit;
mod error;
mod frames;
mod plan;
mod pool;
mod reader;
mod relocate;

pub use error::{Error, ErrorKind};

use descriptor::MethodType;
use plan::Plan;
use reader::{ClassFile, Method};

/// What to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Calls the bridge at the entry.
    Enter {
        /// What to pass.
        args: Vec<Arg>,
    },
    /// At the entry: `param = (T) bridge(param, extra...)`. In constructors this happens before `super()`.
    MapArg {
        /// Which parameter, counted from 0 without `this`.
        param: u16,
        /// What to pass after it.
        extra: Vec<Arg>,
    },
    /// `return (T) bridge(value, extra...)` at every return.
    MapReturn {
        /// What to pass after the value.
        extra: Vec<Arg>,
    },
    /// Calls the bridge at every return and when an exception leaves the method.
    Finally {
        /// What to pass. Parameters that the method assigns are refused.
        args: Vec<Arg>,
    },
    /// At the entry: `r = bridge(args...); if (r != null) return (T) r;`.
    ReturnEarly {
        /// What to pass.
        args: Vec<Arg>,
    },
}

/// An argument of a bridge call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// `this`.
    This,
    /// The parameter of that number, counted from 0 without `this`; a long or double counts once.
    Param(u16),
}

/// Which of the methods of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamMatch<'a> {
    /// All of them.
    Any,
    /// Those whose parameter at each index has the descriptor; other parameters do not matter.
    At(&'a [(usize, &'a str)]),
    /// The one with exactly these parameters, e.g. `(Ljava/lang/Runnable;)`.
    Exact(&'a str),
}

/// One row: where, what, and whom to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion<'a> {
    /// The name of the method, `<init>` for constructors.
    pub method: &'a str,
    /// Which of the methods of that name.
    pub params: ParamMatch<'a>,
    /// What to insert.
    pub op: Op,
    /// The class to call, e.g. `java/trilane/Jdk`.
    pub bridge_class: &'a str,
    /// Its method; the descriptor follows from the operation.
    pub bridge_method: &'a str,
}

/// An edited class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole new class file.
    pub bytes: Vec<u8>,
    /// How many methods each insertion matched. Abstract and native methods never match.
    pub matched: Vec<usize>,
}

/// Applies all insertions in one pass. `None`: nothing matched, the bytes are to be left as they are.
///
/// # Errors
///
/// When the bytes are no class file, or one insertion cannot be made. Then nothing of the class is edited.
pub fn edit(class: &[u8], insertions: &[Insertion]) -> Result<Option<Edited>, Error> {
    let class = ClassFile::read(class)?;
    edit_class(&class, insertions).map_err(|e| e.within(class.name))
}

fn edit_class(class: &ClassFile, insertions: &[Insertion]) -> Result<Option<Edited>, Error> {
    let (wanted, matched) = find(class, insertions);
    if matched.iter().all(|n| *n == 0) {
        return Ok(None);
    }
    let mut pool = class.pool.grow();
    let mut methods = Vec::with_capacity(class.methods.len());
    for (method, wanted) in class.methods.iter().zip(&wanted) {
        methods.push(if wanted.is_empty() {
            None
        } else {
            let place = [method.name, method.descriptor].concat();
            Some(edit_method(class, method, wanted, &mut pool).map_err(|e| e.within(&place))?)
        });
    }
    Ok(Some(Edited { bytes: emit::class(class, pool, &methods), matched }))
}

/// For each method its insertions, and for each insertion how many methods it has.
fn find<'i, 'a>(class: &ClassFile, insertions: &'i [Insertion<'a>]) -> (Vec<Vec<&'i Insertion<'a>>>, Vec<usize>) {
    let mut wanted = vec![Vec::new(); class.methods.len()];
    let mut matched = Vec::with_capacity(insertions.len());
    for insertion in insertions {
        let fits = |m: &Method| m.has_code() && descriptor::matches(insertion, m.name, m.descriptor);
        let real = class.methods.iter().any(|m| !m.is_bridge() && fits(m));
        let mut count = 0;
        for (method, list) in class.methods.iter().zip(&mut wanted) {
            if fits(method) && !(real && method.is_bridge()) {
                list.push(insertion);
                count += 1;
            }
        }
        matched.push(count);
    }
    (wanted, matched)
}

fn edit_method(
    class: &ClassFile,
    method: &Method,
    insertions: &[&Insertion],
    pool: &mut pool::Growth,
) -> Result<Vec<u8>, Error> {
    let types = &MethodType::parse(method.descriptor, method.is_static())?;
    let plan = &Plan::make(method, types, insertions, pool)?;
    emit::Work { class, method, types, plan }.method(pool)
}

/// The internal name of a class, e.g. `java/lang/String`. Reads no further than the constant pool.
///
/// # Errors
///
/// When the bytes are no class file.
pub fn class_name(class: &[u8]) -> Result<String, Error> {
    let name = reader::this_name(class)?;
    descriptor::from_modified_utf8(name).ok_or_else(|| Error::malformed("the class has a name that is no text"))
}

/// A method as [`methods`] lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodInfo {
    /// Its name.
    pub name: String,
    /// Its descriptor, e.g. `(I)V`.
    pub descriptor: String,
    /// Static, and so without `this`.
    pub is_static: bool,
    /// Neither abstract nor native: insertions can match it.
    pub has_code: bool,
}

/// The methods of a class, in its order; for checking rows against a library.
///
/// # Errors
///
/// When the bytes are no class file.
pub fn methods(class: &[u8]) -> Result<Vec<MethodInfo>, Error> {
    let text = |bytes| {
        descriptor::from_modified_utf8(bytes).ok_or_else(|| Error::malformed("a method has a name that is no text"))
    };
    let class = ClassFile::read(class)?;
    let list = class.methods.iter().map(|m| {
        Ok(MethodInfo {
            name: text(m.name)?,
            descriptor: text(m.descriptor)?,
            is_static: m.is_static(),
            has_code: m.has_code(),
        })
    });
    list.collect()
}
