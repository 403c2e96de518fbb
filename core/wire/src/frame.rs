//! gRPC message frames: one flag byte, a big-endian length of 32 bits, the message.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use crate::{Code, Status};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes in front of each message.
pub const PREFIX: usize = 5;

/// One message as it came, not yet inflated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The flag: the bytes are compressed with the stream's `grpc-encoding`.
    pub compressed: bool,
    /// The message without its prefix.
    pub data: Bytes,
}

/// Why a stream's bytes are not messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// A flag byte other than 0 or 1.
    Flag(u8),
    /// A message longer than the limit: its length, the limit.
    TooLong(u32, u32),
    /// The stream ended inside a message: bytes that were there, bytes that were announced.
    Cut(usize, usize),
}

impl FrameError {
    /// The status that says this; `side` is what was read: "request" or "response".
    pub fn status(&self, side: &str) -> Status {
        match self {
            FrameError::Flag(flag) => Status::new(
                Code::Internal,
                format!(
                    "the {side}'s message starts with flag byte {flag}; gRPC has 0 (plain) and 1 (compressed); look \
                     at the peer, or a proxy between"
                ),
            ),
            FrameError::TooLong(length, limit) => Status::new(
                Code::ResourceExhausted,
                format!(
                    "the {side}'s message of {length} bytes is larger than the limit of {limit}; send less, or raise \
                     max_message_size"
                ),
            ),
            FrameError::Cut(have, want) => Status::new(
                Code::Internal,
                format!(
                    "the {side} ended inside a message: {have} of {want} bytes came; look at the peer, or a proxy \
                     between"
                ),
            ),
        }
    }
}

/// Cuts a stream's bytes into messages, whatever pieces they come in. Holds at most one message of `limit` bytes and
/// the last piece that was given; a message that lies within one piece is not copied.
#[derive(Debug)]
pub struct Reader {
    limit: u32,
    /// A piece that is not used up.
    piece: Bytes,
    /// A message (with prefix) that spans pieces.
    partial: BytesMut,
    failed: Option<FrameError>,
}

impl Reader {
    /// A reader that refuses messages longer than `limit` bytes.
    pub fn new(limit: u32) -> Self {
        Self { limit, piece: Bytes::new(), partial: BytesMut::new(), failed: None }
    }

    /// Gives the next piece; call [`Reader::next`] until it has no more before giving another.
    pub fn push(&mut self, piece: Bytes) {
        if self.piece.is_empty() {
            self.piece = piece;
        } else {
            // Not the usual case: two pieces were given in a row.
            let mut both = BytesMut::with_capacity(self.piece.len() + piece.len());
            both.put(std::mem::take(&mut self.piece));
            both.put(piece);
            self.piece = both.freeze();
        }
    }

    /// The next whole message, `None` when more bytes are needed. An error stays.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would have to end, this goes on with the next piece"
    )]
    pub fn next(&mut self) -> Result<Option<Message>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let step = self.step();
        if let Err(error) = &step {
            self.failed = Some(error.clone());
            self.piece = Bytes::new();
            self.partial = BytesMut::new();
        }
        step
    }

    fn step(&mut self) -> Result<Option<Message>, FrameError> {
        if self.partial.is_empty() {
            if self.piece.len() < PREFIX {
                self.keep(self.piece.len());
                return Ok(None);
            }
            let (compressed, length) = self.prefix(&self.piece[..PREFIX])?;
            if self.piece.len() >= PREFIX + length {
                self.piece.advance(PREFIX);
                return Ok(Some(Message { compressed, data: self.piece.split_to(length) }));
            }
            self.keep(self.piece.len());
            return Ok(None);
        }
        if self.partial.len() < PREFIX {
            self.keep(PREFIX - self.partial.len());
            if self.partial.len() < PREFIX {
                return Ok(None);
            }
        }
        let (compressed, length) = self.prefix(&self.partial[..PREFIX])?;
        self.keep((PREFIX + length).saturating_sub(self.partial.len()));
        if self.partial.len() < PREFIX + length {
            return Ok(None);
        }
        let mut whole = std::mem::take(&mut self.partial);
        whole.advance(PREFIX);
        Ok(Some(Message { compressed, data: whole.freeze() }))
    }

    /// Moves up to `n` bytes of the piece behind the partial message. Grows with what came, never with what was
    /// announced: a length alone costs the peer nothing and must cost us nothing.
    fn keep(&mut self, n: usize) {
        let n = n.min(self.piece.len());
        self.partial.put_slice(&self.piece[..n]);
        self.piece.advance(n);
        if self.piece.is_empty() {
            self.piece = Bytes::new();
        }
    }

    fn prefix(&self, bytes: &[u8]) -> Result<(bool, usize), FrameError> {
        let length = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
        match bytes[0] {
            0 | 1 if length > self.limit => Err(FrameError::TooLong(length, self.limit)),
            flag @ (0 | 1) => Ok((flag == 1, length as usize)),
            flag => Err(FrameError::Flag(flag)),
        }
    }

    /// The stream has ended: an error if it did so inside a message.
    pub fn end(&self) -> Result<(), FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let have = self.partial.len() + self.piece.len();
        if have == 0 {
            return Ok(());
        }
        let start = if self.partial.is_empty() { &self.piece[..] } else { &self.partial[..] };
        let want = match start.get(..PREFIX) {
            Some(p) => PREFIX + u32::from_be_bytes([p[1], p[2], p[3], p[4]]) as usize,
            None => PREFIX,
        };
        Err(FrameError::Cut(have, want))
    }

    /// Bytes held at the moment.
    pub fn held(&self) -> usize {
        self.partial.len() + self.piece.len()
    }
}

/// The prefix of a message of that length.
pub fn prefix(compressed: bool, length: u32) -> [u8; PREFIX] {
    let [a, b, c, d] = length.to_be_bytes();
    [u8::from(compressed), a, b, c, d]
}

/// Writes one message behind what `out` holds. `None` if it is longer than 32 bits can say.
pub fn write(out: &mut BytesMut, compressed: bool, message: &[u8]) -> Option<()> {
    let length = u32::try_from(message.len()).ok()?;
    out.reserve(PREFIX + message.len());
    out.put_slice(&prefix(compressed, length));
    out.put_slice(message);
    Some(())
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
