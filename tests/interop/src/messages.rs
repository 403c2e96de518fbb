//! `grpc/testing/messages.proto`, by hand: one struct for the requests, whose fields have the same numbers in all.

use bytes::Bytes;
use trilane_wire::proto::{self, Malformed};
use trilane_wire::{Code, Status};

/// The first header of `custom_metadata`.
pub const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
/// The trailer of `custom_metadata`.
pub const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// Dubbo's group that one method is hosted for beside the others.
pub const GROUP: &str = "red";
/// Its version.
pub const VERSION: &str = "2.0";
/// The trailer that says `group/version` where it was this method that answered.
pub const HOSTED: &str = "x-hosted";

/// What a client asks for: `SimpleRequest` and `StreamingOutputCallRequest`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Request {
    /// Bytes of the reply (`SimpleRequest`).
    pub response_size: u64,
    /// The replies of a stream.
    pub responses: Vec<Response>,
    /// Length of the payload that came along.
    pub payload: usize,
    /// Whether the reply is to be compressed.
    pub response_compressed: bool,
    /// Whether this request must have been compressed.
    pub expect_compressed: Option<bool>,
    /// The status to end with.
    pub status: Option<(u32, String)>,
}

/// One asked reply of a stream: `ResponseParameters`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Response {
    /// Bytes of its payload.
    pub size: u64,
    /// Microseconds to wait before it.
    pub interval_us: u64,
    /// Whether it is to be compressed.
    pub compressed: bool,
}

impl Request {
    /// Reads either message; the two differ in field 2 and share the rest.
    pub fn read(bytes: &[u8]) -> Result<Request, Status> {
        Self::fields(bytes).map_err(|_| Status::new(Code::InvalidArgument, "the message is no request of grpc.testing"))
    }

    fn fields(bytes: &[u8]) -> Result<Request, Malformed> {
        let mut request = Request::default();
        for field in proto::fields(bytes) {
            let field = field?;
            let inner = field.bytes().unwrap_or_default();
            match (field.number, field.varint()) {
                (2, Some(size)) => request.response_size = size,
                (2, None) => request.responses.push(Response::read(inner)?),
                (3, None) => request.payload = payload(inner)?,
                (6, None) => request.response_compressed = flag(inner)?,
                (7, None) => request.status = Some(status(inner)?),
                (8, None) => request.expect_compressed = Some(flag(inner)?),
                _ => {}
            }
        }
        Ok(request)
    }

    /// Writes the message.
    pub fn write(&self) -> Bytes {
        let mut out = Vec::new();
        if self.response_size > 0 {
            proto::put_varint(&mut out, 2, self.response_size);
        }
        for response in &self.responses {
            let mut one = Vec::new();
            proto::put_varint(&mut one, 1, response.size);
            proto::put_varint(&mut one, 2, response.interval_us);
            proto::put_bytes(&mut one, 3, &bool_value(response.compressed));
            proto::put_bytes(&mut out, 2, &one);
        }
        if self.payload > 0 {
            proto::put_bytes(&mut out, 3, &payload_of(self.payload as u64));
        }
        if self.response_compressed {
            proto::put_bytes(&mut out, 6, &bool_value(true));
        }
        if let Some((code, message)) = &self.status {
            let mut one = Vec::new();
            proto::put_varint(&mut one, 1, u64::from(*code));
            proto::put_bytes(&mut one, 2, message.as_bytes());
            proto::put_bytes(&mut out, 7, &one);
        }
        if let Some(expected) = self.expect_compressed {
            proto::put_bytes(&mut out, 8, &bool_value(expected));
        }
        out.into()
    }
}

impl Response {
    fn read(bytes: &[u8]) -> Result<Response, Malformed> {
        let mut response = Response::default();
        for field in proto::fields(bytes) {
            let field = field?;
            match field.number {
                1 => response.size = field.varint().unwrap_or_default(),
                2 => response.interval_us = field.varint().unwrap_or_default(),
                3 => response.compressed = flag(field.bytes().unwrap_or_default())?,
                _ => {}
            }
        }
        Ok(response)
    }
}

fn flag(bytes: &[u8]) -> Result<bool, Malformed> {
    let all: Result<Vec<_>, _> = proto::fields(bytes).collect();
    Ok(all?.iter().any(|f| f.number == 1 && f.varint() == Some(1)))
}

fn bool_value(on: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if on {
        proto::put_varint(&mut out, 1, 1);
    }
    out
}

fn payload(bytes: &[u8]) -> Result<usize, Malformed> {
    let all: Result<Vec<_>, _> = proto::fields(bytes).collect();
    Ok(all?.iter().filter(|f| f.number == 2).filter_map(|f| f.bytes()).map(<[u8]>::len).sum())
}

fn status(bytes: &[u8]) -> Result<(u32, String), Malformed> {
    let (mut code, mut message) = (0, String::new());
    for field in proto::fields(bytes) {
        let field = field?;
        match field.number {
            1 => code = field.varint().unwrap_or_default() as u32,
            2 => message = field.text().unwrap_or_default().to_string(),
            _ => {}
        }
    }
    Ok((code, message))
}

fn payload_of(size: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(size as usize + 8);
    proto::put_bytes(&mut out, 2, &vec![0; size as usize]);
    out
}

/// A reply with a payload of that many zeros: `SimpleResponse` and `StreamingOutputCallResponse`.
pub fn reply(size: u64) -> Bytes {
    let mut out = Vec::new();
    proto::put_bytes(&mut out, 1, &payload_of(size));
    out.into()
}

/// The length of a reply's payload; `None` if it is no reply or holds other bytes than zeros.
pub fn reply_size(bytes: &[u8]) -> Option<usize> {
    let mut size = 0;
    for field in proto::fields(bytes) {
        let field = field.ok()?;
        if field.number == 1 {
            let body = proto::fields(field.bytes()?).flatten().find(|f| f.number == 2).and_then(|f| f.bytes());
            if body.unwrap_or_default().iter().any(|b| *b != 0) {
                return None;
            }
            size = body.map_or(0, <[u8]>::len);
        }
    }
    Some(size)
}

/// A `StreamingInputCallRequest`.
pub fn input(size: usize, expect_compressed: Option<bool>) -> Bytes {
    let mut out = Vec::new();
    proto::put_bytes(&mut out, 1, &payload_of(size as u64));
    if let Some(expected) = expect_compressed {
        proto::put_bytes(&mut out, 2, &bool_value(expected));
    }
    out.into()
}

/// The payload's length and the expectation of a `StreamingInputCallRequest`.
pub fn read_input(bytes: &[u8]) -> Result<(usize, Option<bool>), Status> {
    let bad = |_| Status::new(Code::InvalidArgument, "the message is no StreamingInputCallRequest");
    let (mut size, mut expected) = (0, None);
    for field in proto::fields(bytes) {
        let field = field.map_err(bad)?;
        match field.number {
            1 => size = payload(field.bytes().unwrap_or_default()).map_err(bad)?,
            2 => expected = Some(flag(field.bytes().unwrap_or_default()).map_err(bad)?),
            _ => {}
        }
    }
    Ok((size, expected))
}

/// A `StreamingInputCallResponse`.
pub fn aggregated(size: usize) -> Bytes {
    let mut out = Vec::new();
    proto::put_varint(&mut out, 1, size as u64);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back() {
        let request = Request {
            responses: vec![Response { size: 31415, interval_us: 7, compressed: true }, Response::default()],
            payload: 27182,
            response_compressed: true,
            expect_compressed: Some(false),
            status: Some((2, "test".into())),
            ..Request::default()
        };
        assert_eq!(Request::read(&request.write()).unwrap(), request);
        assert_eq!(reply_size(&reply(314)), Some(314));
        assert_eq!(read_input(&input(9, Some(true))).unwrap(), (9, Some(true)));
        assert!(Request::read(b"\x12\x7f").is_err());
    }
}
