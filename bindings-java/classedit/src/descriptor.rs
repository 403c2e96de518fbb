//! Method descriptors, names, and how an insertion finds its methods.

use crate::error::Error;
use crate::{Insertion, ParamMatch};

/// What a value is to the verifier and to the load, store and return instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Long,
    Float,
    Double,
    Reference,
}

impl Kind {
    /// The kind of a field descriptor that [`MethodType::parse`] has accepted.
    pub(crate) fn of(descriptor: &[u8]) -> Self {
        match descriptor.first() {
            Some(b'J') => Kind::Long,
            Some(b'F') => Kind::Float,
            Some(b'D') => Kind::Double,
            Some(b'L' | b'[') => Kind::Reference,
            _ => Kind::Int,
        }
    }

    /// Slots taken in the locals and on the stack.
    pub(crate) fn slots(self) -> u16 {
        if matches!(self, Kind::Long | Kind::Double) { 2 } else { 1 }
    }
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Param<'a> {
    pub(crate) descriptor: &'a [u8],
    pub(crate) slot: u16,
}

/// A parsed method descriptor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MethodType<'a> {
    pub(crate) params: Vec<Param<'a>>,
    /// `V` for void.
    pub(crate) returns: &'a [u8],
    /// Slots of all parameters, with `this`.
    pub(crate) slots: u16,
}

/// The length of the field descriptor at the start of `text`.
fn field_len(text: &[u8]) -> Option<usize> {
    let dims = text.iter().take_while(|b| **b == b'[').count();
    match text.get(dims)? {
        b'B' | b'C' | b'D' | b'F' | b'I' | b'J' | b'S' | b'Z' => Some(dims + 1),
        b'L' => {
            let name = text[dims + 1..].iter().position(|b| *b == b';')?;
            (name > 0).then_some(dims + name + 2)
        }
        _ => None,
    }
}

impl<'a> MethodType<'a> {
    pub(crate) fn parse(descriptor: &'a [u8], is_static: bool) -> Result<Self, Error> {
        let parsed = || {
            let mut rest = descriptor.strip_prefix(b"(")?;
            let mut params = Vec::new();
            let mut slot = u16::from(!is_static);
            while rest.first() != Some(&b')') {
                let (param, after) = rest.split_at(field_len(rest)?);
                params.push(Param { descriptor: param, slot });
                slot += Kind::of(param).slots();
                if slot > 255 {
                    return None;
                }
                rest = after;
            }
            let returns = &rest[1..];
            let fits = returns == b"V" || field_len(returns) == Some(returns.len());
            fits.then_some(Self { params, returns, slots: slot })
        };
        parsed().ok_or_else(|| Error::malformed("not a method descriptor"))
    }

    /// The kind of the returned value, `None` for void.
    pub(crate) fn return_kind(&self) -> Option<Kind> {
        (self.returns != b"V").then(|| Kind::of(self.returns))
    }
}

/// Does the insertion name this method?
pub(crate) fn matches(insertion: &Insertion, name: &[u8], descriptor: &[u8]) -> bool {
    if !same(insertion.method, name) {
        return false;
    }
    let parts = descriptor.iter().rposition(|b| *b == b')').map(|at| &descriptor[..=at]);
    match &insertion.params {
        ParamMatch::Any => true,
        ParamMatch::Exact(text) => parts.is_some_and(|p| same(text, p)),
        ParamMatch::At(list) => {
            let Ok(parsed) = MethodType::parse(descriptor, true) else {
                return false;
            };
            list.iter().all(|(index, wanted)| parsed.params.get(*index).is_some_and(|p| same(wanted, p.descriptor)))
        }
    }
}

/// Is `bytes` how a class file spells `text`? Plain text is compared without a copy.
fn same(text: &str, bytes: &[u8]) -> bool {
    let plain = text.bytes().all(|b| matches!(b, 1..=0x7F));
    if plain { text.as_bytes() == bytes } else { modified_utf8(text) == bytes }
}

/// A Java string as class files spell it: NUL as two bytes, surrogates one by one.
pub(crate) fn modified_utf8(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        match unit {
            1..=0x7F => out.push(unit as u8),
            0 | 0x80..=0x7FF => out.extend([0xC0 | (unit >> 6) as u8, 0x80 | (unit & 0x3F) as u8]),
            _ => out.extend([0xE0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3F) as u8, 0x80 | (unit & 0x3F) as u8]),
        }
    }
    out
}

/// The reverse of [`modified_utf8`].
pub(crate) fn from_modified_utf8(bytes: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(first) = rest.next() {
        let mut low = || rest.next().filter(|b| b & 0xC0 == 0x80).map(|b| u16::from(b & 0x3F));
        units.push(match first {
            1..=0x7F => u16::from(first),
            0xC0..=0xDF => u16::from(first & 0x1F) << 6 | low()?,
            0xE0..=0xEF => u16::from(first & 0x0F) << 12 | low()? << 6 | low()?,
            _ => return None,
        });
    }
    String::from_utf16(&units).ok()
}
