//! The little of protobuf's encoding that health, reflection and status details need.

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// What it holds.
    pub value: Value<'a>,
}

/// A field's value by wire type; groups are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

impl<'a> Field<'a> {
    /// The number of a varint field.
    pub fn varint(self) -> Option<u64> {
        if let Value::Varint(n) = self.value { Some(n) } else { None }
    }

    /// The content of a length-delimited field.
    pub fn bytes(self) -> Option<&'a [u8]> {
        if let Value::Bytes(b) = self.value { Some(b) } else { None }
    }

    /// The content of a string field that is UTF-8.
    pub fn text(self) -> Option<&'a str> {
        self.bytes().and_then(|b| std::str::from_utf8(b).ok())
    }
}

/// Bytes that are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Walks over the fields of one message, not into nested ones; ends after the first malformed place.
pub fn fields(bytes: &[u8]) -> impl Iterator<Item = Result<Field<'_>, Malformed>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next(&mut rest).ok_or(Malformed);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).ok().filter(|n| *n > 0)?;
    let value = match key & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => Value::Fixed64(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?)),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(take(rest, length)?)
        }
        5 => Value::Fixed32(u32::from_le_bytes(take(rest, 4)?.try_into().ok()?)),
        _ => return None,
    };
    Some(Field { number, value })
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    Some(head)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut n = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        n |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}

fn put_number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Appends a varint field; zero is written too.
pub fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    put_number(out, u64::from(number) << 3);
    put_number(out, value);
}

/// Appends a length-delimited field: a string, bytes or a nested message.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_number(out, u64::from(number) << 3 | 2);
    put_number(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_fields_are_read() {
        let mut out = Vec::new();
        put_varint(&mut out, 1, 300);
        put_bytes(&mut out, 2, b"hello");
        put_varint(&mut out, 16, u64::MAX);
        assert_eq!(&out[..3], [0x08, 0xac, 0x02]);
        let all: Vec<_> = fields(&out).map(Result::unwrap).collect();
        assert_eq!(all[0].varint(), Some(300));
        assert_eq!(all[1].text(), Some("hello"));
        assert_eq!((all[2].number, all[2].varint()), (16, Some(u64::MAX)));
    }

    #[test]
    fn malformed_bytes_end_the_walk() {
        for bad in
            [&b"\x08"[..], b"\x12\x05abc", b"\x0b", b"\x00\x00", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
        {
            let all: Vec<_> = fields(bad).collect();
            assert_eq!(all.last(), Some(&Err(Malformed)), "{bad:?}");
        }
    }

    #[test]
    fn fixed_fields_are_skipped_over() {
        let all: Vec<_> = fields(b"\x0d\x01\0\0\0\x11\x02\0\0\0\0\0\0\0\x18\x03").map(Result::unwrap).collect();
        assert_eq!(all[0].value, Value::Fixed32(1));
        assert_eq!(all[1].value, Value::Fixed64(2));
        assert_eq!(all[2].varint(), Some(3));
    }
}
