//! Why a class was not edited.

use std::fmt;

/// Which of the two reasons an [`Error`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The bytes are not a class file this editor can read.
    Malformed,
    /// The class is fine, but what was asked for cannot be inserted safely.
    Refused,
}

/// A class that could not be edited. The caller leaves its bytes as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    place: String,
    message: String,
}

impl Error {
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Malformed, place: String::new(), message: message.into() }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Refused, place: String::new(), message: message.into() }
    }

    /// Adds where it happened; the outermost place comes first.
    pub(crate) fn within(mut self, place: &[u8]) -> Self {
        let outer = String::from_utf8_lossy(place);
        self.place = if self.place.is_empty() { outer.into_owned() } else { format!("{outer}.{}", self.place) };
        self
    }

    /// Malformed bytes or a refused insertion.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ErrorKind::Malformed => "malformed class file",
            ErrorKind::Refused => "refused",
        };
        if self.place.is_empty() {
            write!(f, "{kind}: {}", self.message)
        } else {
            write!(f, "{kind}: {}: {}", self.place, self.message)
        }
    }
}

impl std::error::Error for Error {}
