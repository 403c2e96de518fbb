//! Finds the name in the JSON form of a tag without decoding or allocating: `[{"name":"gray",…},…]`.

use std::ops::Range;

/// Values nested deeper are refused: no sender nests at all.
const MAX_DEPTH: u8 = 16;

/// What the text is.
pub(crate) enum Name {
    /// Nothing, or an empty list.
    None,
    /// No JSON, or no list whose element 0 is an object with a text called `name`.
    Malformed,
    /// The name's bytes, as they stand between its quotes.
    At(Range<usize>),
}

/// The `name` of element 0; its place among other fields does not matter.
pub(crate) fn name(text: &[u8]) -> Name {
    let mut at = Cursor { text, pos: 0 };
    at.spaces();
    if at.done() {
        return Name::None;
    }
    at.list_with_name().unwrap_or(Name::Malformed)
}

struct Cursor<'a> {
    text: &'a [u8],
    pos: usize,
}

impl Cursor<'_> {
    fn list_with_name(&mut self) -> Option<Name> {
        self.expect(b'[')?;
        if self.expect(b']').is_some() {
            return self.done().then_some(Name::None);
        }
        let name = self.object(1)?;
        while self.expect(b',').is_some() {
            self.value(1)?;
        }
        self.expect(b']')?;
        self.done().then_some(name.map_or(Name::Malformed, Name::At))
    }

    /// One object; answers its first text called `name`.
    fn object(&mut self, depth: u8) -> Option<Option<Range<usize>>> {
        self.expect(b'{')?;
        let mut name = None;
        if self.expect(b'}').is_some() {
            return Some(name);
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            let wanted = name.is_none() && &self.text[key] == b"name" && self.peek() == Some(b'"');
            if wanted {
                name = Some(self.string()?);
            } else {
                self.value(depth + 1)?;
            }
            if self.expect(b',').is_none() {
                self.expect(b'}')?;
                return Some(name);
            }
        }
    }

    fn value(&mut self, depth: u8) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(depth).map(|_| ()),
            b'[' => {
                self.expect(b'[')?;
                if self.expect(b']').is_some() {
                    return Some(());
                }
                loop {
                    self.value(depth + 1)?;
                    if self.expect(b',').is_none() {
                        return self.expect(b']');
                    }
                }
            }
            _ => self.word(),
        }
    }

    /// A number or one of JSON's three words. Numbers are not checked digit by digit.
    fn word(&mut self) -> Option<()> {
        let rest = &self.text[self.pos..];
        let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
        let length = rest.iter().position(|b| !part(b)).unwrap_or(rest.len());
        let word = &rest[..length];
        let number = matches!(word.first()?, b'-' | b'0'..=b'9');
        if !number && !matches!(word, b"true" | b"false" | b"null") {
            return None;
        }
        self.pos += length;
        self.spaces();
        Some(())
    }

    /// The bytes between two quotes, escapes as they stand.
    fn string(&mut self) -> Option<Range<usize>> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.pos + 1;
        let mut end = start;
        while *self.text.get(end)? != b'"' {
            end += if self.text[end] == b'\\' { 2 } else { 1 };
        }
        self.pos = end + 1;
        self.spaces();
        Some(start..end)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.pos += 1;
        self.spaces();
        Some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    fn done(&self) -> bool {
        self.pos == self.text.len()
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.pos += 1;
        }
    }
}
