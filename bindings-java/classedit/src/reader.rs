//! Bounded reading of big-endian bytes, and the skeleton of a class file.

use crate::error::Error;
use crate::pool::Pool;

/// A cursor that answers `Err` instead of reading past the end.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(Error::malformed(format!(
                "ends at byte {} where {len} more bytes were expected at {}",
                self.bytes.len(),
                self.at
            )));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn u1(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u2(&mut self) -> Result<u16, Error> {
        let b = self.take(2)?;
        Ok(u16::from_be_bytes([b[0], b[1]]))
    }

    pub(crate) fn u4(&mut self) -> Result<u32, Error> {
        let b = self.take(4)?;
        Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// Everything must have been read: a table longer than its attribute is an error.
    pub(crate) fn done(&self, what: &str) -> Result<(), Error> {
        match self.left() {
            0 => Ok(()),
            n => Err(Error::malformed(format!("{what} has {n} bytes too many"))),
        }
    }
}

/// One attribute: its whole text and its parts.
#[derive(Clone, Copy)]
pub(crate) struct Attribute<'a> {
    /// With the six bytes of name and length.
    pub(crate) whole: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) name_index: u16,
    pub(crate) body: &'a [u8],
}

/// Reads a counted list of attributes.
pub(crate) fn attributes<'a>(r: &mut Reader<'a>, pool: &Pool<'a>) -> Result<Vec<Attribute<'a>>, Error> {
    let count = r.u2()?;
    let mut list = Vec::with_capacity(usize::from(count).min(16));
    for _ in 0..count {
        let start = r.clone();
        let name_index = r.u2()?;
        let len = r.u4()? as usize;
        let body = r.take(len)?;
        let whole = start.bytes.get(start.at..r.at).unwrap_or_default();
        list.push(Attribute { whole, name: pool.utf8(name_index)?, name_index, body });
    }
    Ok(list)
}

/// One method; `whole` is its text from the access flags to its last attribute.
pub(crate) struct Method<'a> {
    pub(crate) whole: &'a [u8],
    pub(crate) access: u16,
    pub(crate) name: &'a [u8],
    pub(crate) descriptor: &'a [u8],
    pub(crate) attributes: Vec<Attribute<'a>>,
}

impl Method<'_> {
    pub(crate) fn is_static(&self) -> bool {
        self.access & 0x0008 != 0
    }

    /// Made by the compiler to call another method under a second descriptor.
    pub(crate) fn is_bridge(&self) -> bool {
        self.access & 0x0040 != 0
    }

    pub(crate) fn has_code(&self) -> bool {
        self.attributes.iter().any(|a| a.name == b"Code")
    }

    pub(crate) fn is_constructor(&self) -> bool {
        self.name == b"<init>"
    }
}

/// A class file cut into the parts the editor copies and those it rewrites.
pub(crate) struct ClassFile<'a> {
    /// Magic and version: bytes 0..8.
    pub(crate) head: &'a [u8],
    pub(crate) major: u16,
    pub(crate) pool: Pool<'a>,
    pub(crate) name: &'a [u8],
    /// Access flags up to the last field.
    pub(crate) middle: &'a [u8],
    pub(crate) methods: Vec<Method<'a>>,
    /// The attributes of the class.
    pub(crate) tail: &'a [u8],
}

const MAGIC: u32 = 0xCAFE_BABE;

/// Reads magic, version and constant pool.
fn start<'a>(bytes: &'a [u8]) -> Result<(Reader<'a>, u16, Pool<'a>), Error> {
    let mut r = Reader::new(bytes);
    if r.u4()? != MAGIC {
        return Err(Error::malformed("does not begin with CAFEBABE"));
    }
    let _minor = r.u2()?;
    let major = r.u2()?;
    let pool = Pool::read(&mut r)?;
    Ok((r, major, pool))
}

/// The internal name of the class, without reading further than it stands.
pub(crate) fn this_name(bytes: &[u8]) -> Result<&[u8], Error> {
    let (mut r, _, pool) = start(bytes)?;
    r.u2()?;
    pool.class(r.u2()?)
}

impl<'a> ClassFile<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let (mut r, major, pool) = start(bytes)?;
        let from = r.at();
        r.u2()?;
        let name = pool.class(r.u2()?)?;
        r.u2()?;
        let interfaces = r.u2()?;
        r.take(usize::from(interfaces) * 2)?;
        for _ in 0..r.u2()? {
            r.take(6)?;
            attributes(&mut r, &pool)?;
        }
        let middle = &bytes[from..r.at()];
        let count = r.u2()?;
        let mut methods = Vec::with_capacity(usize::from(count).min(256));
        for _ in 0..count {
            let from = r.at();
            let access = r.u2()?;
            let name = pool.utf8(r.u2()?)?;
            let descriptor = pool.utf8(r.u2()?)?;
            let attributes = attributes(&mut r, &pool)?;
            methods.push(Method { whole: &bytes[from..r.at()], access, name, descriptor, attributes });
        }
        let from = r.at();
        attributes(&mut r, &pool)?;
        r.done("the class file")?;
        Ok(Self { head: &bytes[..8], major, pool, name, middle, methods, tail: &bytes[from..] })
    }
}
