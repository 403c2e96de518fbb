//! A flat arena of headers: one buffer of bytes and one table of places.

use std::fmt;

/// Names and values in the order they were added; a name may occur several times. Names are compared as bytes and
/// are expected in lower case, as HTTP/2 has them. Nothing is validated here: who writes to a wire checks with
/// [`crate::metadata::key_problem`] and [`crate::metadata::value_problem`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    bytes: Vec<u8>,
    /// Start of the name, start of the value, end of the value.
    entries: Vec<(u32, u32, u32)>,
}

impl Headers {
    /// An empty arena; allocates nothing.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), entries: Vec::new() }
    }

    /// Adds one header. A name or value that would make the arena larger than 4 GiB is dropped.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        let end = start + name.len() + value.len();
        if u32::try_from(end).is_err() {
            return;
        }
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.entries.push((start as u32, (start + name.len()) as u32, end as u32));
    }

    /// Removes every header of that name and adds this one.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.push(name, value);
    }

    /// Removes every header of that name; its bytes stay in the arena until it is dropped.
    pub fn remove(&mut self, name: &[u8]) {
        let bytes = &self.bytes;
        self.entries.retain(|&(n, v, _)| &bytes[n as usize..v as usize] != name);
    }

    /// The first value of that name.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// The first value of that name, if it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name.as_bytes()).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// Every value of that name, in order.
    pub fn all<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(n, _)| *n == name).map(|(_, v)| v)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|&(n, v, e)| (&self.bytes[n as usize..v as usize], &self.bytes[v as usize..e as usize]))
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The size that HTTP/2 counts against a limit: names and values and 32 for each (RFC 9113 6.5.2).
    pub fn list_size(&self) -> usize {
        self.iter().map(|(n, v)| n.len() + v.len() + 32).sum()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        f.debug_map().entries(self.iter().map(|(n, v)| (text(n), text(v)))).finish()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(iter: T) -> Self {
        let mut headers = Headers::new();
        for (name, value) in iter {
            headers.push(name.as_ref(), value.as_ref());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_repetitions() {
        let mut h = Headers::new();
        h.push(b"a", b"1");
        h.push(b"b", b"2");
        h.push(b"a", b"3");
        assert_eq!(h.get(b"a"), Some(&b"1"[..]));
        assert_eq!(h.all(b"a").collect::<Vec<_>>(), [b"1", b"3"]);
        h.set(b"a", b"");
        assert_eq!(h.iter().collect::<Vec<_>>(), [(&b"b"[..], &b"2"[..]), (b"a", b"")]);
        assert_eq!(h.list_size(), 2 + 32 + 1 + 32);
        h.remove(b"a");
        assert_eq!((h.len(), h.text("b"), h.text("a")), (1, Some("2"), None));
    }
}
