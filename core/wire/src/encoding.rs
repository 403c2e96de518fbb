//! Compression as headers name it.

use crate::{Code, Status};

/// What a message may be compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Not at all.
    #[default]
    Identity,
    /// RFC 1952.
    Gzip,
}

/// What we accept, as `grpc-accept-encoding` says it.
pub const ACCEPTED: &str = "gzip";

impl Encoding {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Identity => "identity",
            Encoding::Gzip => "gzip",
        }
    }

    /// Reads `grpc-encoding`. Absent means identity; an unknown name is UNIMPLEMENTED, and says what is known.
    pub fn read(value: Option<&[u8]>) -> Result<Encoding, Status> {
        match value {
            None | Some(b"identity" | b"") => Ok(Encoding::Identity),
            Some(b"gzip") => Ok(Encoding::Gzip),
            Some(other) => {
                let name = String::from_utf8_lossy(&other[..other.len().min(32)]).into_owned();
                Err(Status::new(
                    Code::Unimplemented,
                    format!(
                        "grpc-encoding {name} is not known here; identity and gzip are: have the peer send one of them"
                    ),
                ))
            }
        }
    }

    /// Whether a peer that sent this `grpc-accept-encoding` takes this encoding.
    pub fn accepted_by(self, accept: Option<&[u8]>) -> bool {
        self == Encoding::Identity
            || accept.is_some_and(|list| list.split(|b| *b == b',').any(|n| n.trim_ascii() == self.name().as_bytes()))
    }
}

/// The status of a compressed flag on a stream that named no encoding.
pub fn flag_without_encoding() -> Status {
    Status::new(
        Code::Internal,
        "a message has the compressed flag, but the stream named no grpc-encoding; look at the peer or a proxy",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(Encoding::read(None), Ok(Encoding::Identity));
        assert_eq!(Encoding::read(Some(b"gzip")), Ok(Encoding::Gzip));
        let refused = Encoding::read(Some(b"snappy")).unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented);
        assert!(refused.message().contains("snappy") && refused.message().contains("gzip"));
    }

    #[test]
    fn lists() {
        assert!(Encoding::Gzip.accepted_by(Some(b"identity, gzip ,snappy")));
        assert!(!Encoding::Gzip.accepted_by(Some(b"xgzip")));
        assert!(!Encoding::Gzip.accepted_by(None) && Encoding::Identity.accepted_by(None));
    }
}
