//! gzip with a limit on what comes out.

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzEncoder, MultiGzDecoder};
use std::io::Read;
use trilane_wire::{Code, Status};

/// Compresses a message.
pub fn compress(message: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(message.len() / 2 + 32);
    // Reading from memory into memory cannot fail.
    let _ = GzEncoder::new(message, Compression::fast()).read_to_end(&mut out);
    out.into()
}

/// Inflates a message of at most `limit` bytes; stops reading as soon as there are more.
pub fn inflate(message: &[u8], limit: u32) -> Result<Bytes, Status> {
    let mut out = Vec::with_capacity(message.len().saturating_mul(2).min(limit as usize));
    let read = MultiGzDecoder::new(message).take(u64::from(limit) + 1).read_to_end(&mut out);
    if out.len() > limit as usize {
        return Err(Status::new(
            Code::ResourceExhausted,
            format!(
                "a message of {} bytes inflates to more than {limit} bytes; send less, or raise max_message_size",
                message.len()
            ),
        ));
    }
    match read {
        Ok(_) => Ok(out.into()),
        Err(e) => Err(Status::new(
            Code::Internal,
            format!("a message is not gzip as grpc-encoding says: {e}; look at the peer, or a proxy between"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        for text in [&b""[..], b"hello", &[7; 100_000]] {
            assert_eq!(inflate(&compress(text), 100_000).unwrap(), text);
        }
    }

    #[test]
    fn a_zip_bomb_is_stopped_at_the_limit() {
        let bomb = compress(&vec![0; 50 << 20]);
        let status = inflate(&bomb, 1 << 20).unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("max_message_size"), "{status}");
    }

    #[test]
    fn garbage_is_said_to_be_none() {
        for bad in [&b"garbage"[..], &compress(b"hello")[..9], b""] {
            let told = inflate(bad, 100);
            assert!(bad.is_empty() || told.unwrap_err().code() == Code::Internal, "{bad:?}");
        }
    }
}
