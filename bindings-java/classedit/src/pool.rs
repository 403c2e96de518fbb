//! The constant pool: read by index, grown at its end, never renumbered.

use crate::error::Error;
use crate::reader::Reader;

const UTF8: u8 = 1;
const CLASS: u8 = 7;
const METHOD: u8 = 10;
const NAME_AND_TYPE: u8 = 12;

/// The pool of the class as it came.
pub(crate) struct Pool<'a> {
    bytes: &'a [u8],
    /// Where each entry starts in `bytes`; index 0 and the second half of a long or double are `None`.
    entries: Vec<Option<u32>>,
}

impl<'a> Pool<'a> {
    /// Reads the count and all entries.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Error> {
        let count = usize::from(r.u2()?);
        let mut all = r.clone();
        let from = r.at();
        let mut entries = Vec::with_capacity(count);
        entries.push(None);
        while entries.len() < count {
            let at = r.at() - from;
            let tag = r.u1()?;
            let len = match tag {
                UTF8 => usize::from(r.u2()?),
                CLASS | 8 | 16 | 19 | 20 => 2,
                15 => 3,
                3 | 4 | 9 | METHOD | 11 | NAME_AND_TYPE | 17 | 18 => 4,
                5 | 6 => 8,
                other => return Err(Error::malformed(format!("unknown constant tag {other}"))),
            };
            r.take(len)?;
            entries.push(u32::try_from(at).ok());
            if len == 8 && tag != UTF8 {
                if entries.len() >= count {
                    return Err(Error::malformed("a long constant stands at the last index"));
                }
                entries.push(None);
            }
        }
        let len = r.at() - from;
        Ok(Self { bytes: all.take(len)?, entries })
    }

    /// A reader at the entry's content, when the entry has that tag.
    fn entry(&self, index: u16, tag: u8) -> Result<Reader<'a>, Error> {
        let at = self.entries.get(usize::from(index)).copied().flatten();
        let content = at.and_then(|at| self.bytes.get(at as usize..));
        if let Some(content) = content {
            let mut r = Reader::new(content);
            if r.u1()? == tag {
                return Ok(r);
            }
        }
        Err(Error::malformed(format!("constant {index} is not of tag {tag}")))
    }

    /// The bytes of a Utf8 entry.
    pub(crate) fn utf8(&self, index: u16) -> Result<&'a [u8], Error> {
        let mut r = self.entry(index, UTF8)?;
        let len = r.u2()?;
        r.take(usize::from(len))
    }

    /// The name of a Class entry.
    pub(crate) fn class(&self, index: u16) -> Result<&'a [u8], Error> {
        self.utf8(self.entry(index, CLASS)?.u2()?)
    }

    /// The entries without the count.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Starts a list of entries to be appended.
    pub(crate) fn grow(&self) -> Growth {
        Growth { first: self.entries.len(), entries: Vec::new() }
    }
}

/// Entries to be written after those of a [`Pool`]; each distinct entry once.
pub(crate) struct Growth {
    first: usize,
    /// Whole entries, none of them takes two indices.
    entries: Vec<Vec<u8>>,
}

impl Growth {
    fn add(&mut self, entry: Vec<u8>) -> Result<u16, Error> {
        let at = match self.entries.iter().position(|e| *e == entry) {
            Some(at) => at,
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        // The count, one more than the last index, has to fit as well.
        match u16::try_from(self.first + at) {
            Ok(index) if index < u16::MAX => Ok(index),
            _ => Err(Error::refused("the constant pool is full: 65,535 entries")),
        }
    }

    fn pair(&mut self, tag: u8, a: u16, b: u16) -> Result<u16, Error> {
        let mut entry = vec![tag];
        entry.extend(a.to_be_bytes());
        entry.extend(b.to_be_bytes());
        self.add(entry)
    }

    /// A Utf8 entry; `text` is modified UTF-8.
    pub(crate) fn utf8(&mut self, text: &[u8]) -> Result<u16, Error> {
        let Ok(len) = u16::try_from(text.len()) else {
            return Err(Error::refused("a name is longer than 65,535 bytes"));
        };
        let mut entry = vec![UTF8];
        entry.extend(len.to_be_bytes());
        entry.extend(text);
        self.add(entry)
    }

    /// A Class entry.
    pub(crate) fn class(&mut self, name: &[u8]) -> Result<u16, Error> {
        let name = self.utf8(name)?;
        let mut entry = vec![CLASS];
        entry.extend(name.to_be_bytes());
        self.add(entry)
    }

    /// A Methodref entry.
    pub(crate) fn method(&mut self, class: &[u8], name: &[u8], descriptor: &[u8]) -> Result<u16, Error> {
        let class = self.class(class)?;
        let name = self.utf8(name)?;
        let descriptor = self.utf8(descriptor)?;
        let name_and_type = self.pair(NAME_AND_TYPE, name, descriptor)?;
        self.pair(METHOD, class, name_and_type)
    }

    /// The count of the grown pool, and what to append.
    pub(crate) fn finish(self) -> (u16, Vec<u8>) {
        // `add` has made sure that it fits.
        let count = u16::try_from(self.first + self.entries.len()).unwrap_or(u16::MAX);
        (count, self.entries.concat())
    }
}
