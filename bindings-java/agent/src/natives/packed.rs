//! The form in which the bridge passes several texts at once: each is a big-endian `int` length and that many bytes;
//! length -1 is "absent". What follows a broken length is taken as absent.

/// Reads the texts and numbers of one packed array in order.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next number; `None` at the end.
    pub(crate) fn number(&mut self) -> Option<i32> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(i32::from_be_bytes(*head))
    }

    /// The next bytes: outer `None` at the end, inner `None` when absent.
    pub(crate) fn bytes(&mut self) -> Option<Option<&'a [u8]>> {
        let len = self.number()?;
        let Ok(len) = usize::try_from(len) else { return Some(None) };
        if len > self.rest.len() {
            self.rest = &[];
            return None;
        }
        let (head, rest) = self.rest.split_at(len);
        self.rest = rest;
        Some(Some(head))
    }

    /// The next text; absent and broken ones are empty.
    pub(crate) fn text(&mut self) -> &'a str {
        self.bytes().flatten().and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

/// Reads positional values into `out`; gives how many there were.
pub(super) fn values<'a>(bytes: &'a [u8], out: &mut [Option<&'a [u8]>]) -> usize {
    let mut reader = Reader::new(bytes);
    let mut count = 0;
    while count < out.len() {
        let Some(value) = reader.bytes() else { break };
        out[count] = value;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_position_when_some_are_absent() {
        let packed = [0, 0, 0, 1, b'a', 255, 255, 255, 255, 0, 0, 0, 0];
        let mut out = [None; 4];
        assert_eq!(values(&packed, &mut out), 3);
        assert_eq!(out, [Some(&b"a"[..]), None, Some(&b""[..]), None]);
    }

    #[test]
    fn a_length_beyond_the_end_ends_the_values() {
        let mut out = [None; 4];
        assert_eq!(values(&[0, 0, 0, 9, b'a'], &mut out), 0);
        assert_eq!(values(&[0, 0], &mut out), 0);
        assert_eq!(values(&[127, 255, 255, 255], &mut out), 0);
    }
}
