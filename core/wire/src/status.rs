//! The end of a call: a code, a message, details.

use crate::{Headers, metadata, percent, proto};
use bytes::Bytes;
use std::fmt;

/// gRPC's status codes. <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[allow(missing_docs, reason = "gRPC's own names")]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

const CODES: [Code; 17] = [
    Code::Ok,
    Code::Cancelled,
    Code::Unknown,
    Code::InvalidArgument,
    Code::DeadlineExceeded,
    Code::NotFound,
    Code::AlreadyExists,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::FailedPrecondition,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
    Code::Unauthenticated,
];

impl Code {
    /// The code of that number, if gRPC has it.
    pub fn from_number(number: u32) -> Option<Code> {
        CODES.get(number as usize).copied()
    }

    /// The number on the wire.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The code that a value of `grpc-status` says; `None` if gRPC has none for it. dubbo-go ends with 17 for every
    /// ordinary Go error: UNKNOWN, the message alone speaks.
    pub fn read(value: &[u8]) -> Option<Code> {
        match std::str::from_utf8(value).ok()?.parse().ok()? {
            17 => Some(Code::Unknown),
            number => Code::from_number(number),
        }
    }

    /// What an HTTP answer that is not gRPC means.
    /// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
    pub fn from_http(status: u16) -> Code {
        match status {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502 | 503 | 504 => Code::Unavailable,
            _ => Code::Unknown,
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    code: Code,
    message: String,
    /// A serialized `google.rpc.Status`, as `grpc-status-details-bin` carries it; empty if there is none.
    details: Bytes,
}

impl Status {
    /// A status with a message that says what, where and what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Bytes::new() }
    }

    /// Success.
    pub fn ok() -> Self {
        Self::new(Code::Ok, "")
    }

    /// With a serialized `google.rpc.Status` for `grpc-status-details-bin`.
    pub fn with_details(mut self, details: Bytes) -> Self {
        self.details = details;
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message, decoded.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A serialized `google.rpc.Status`; empty if there is none.
    pub fn details(&self) -> &Bytes {
        &self.details
    }

    /// Whether the call succeeded.
    pub fn is_ok(&self) -> bool {
        self.code == Code::Ok
    }

    /// Puts a place in front of the message: which peer, which method.
    pub fn at(mut self, place: &str) -> Self {
        self.message.insert_str(0, ": ");
        self.message.insert_str(0, place);
        self
    }

    /// Writes `grpc-status` and, where there is something to say, `grpc-message` and `grpc-status-details-bin`.
    pub fn write(&self, trailers: &mut Headers) {
        let mut number = [0u8; 2];
        trailers.push(b"grpc-status", digits(self.code.number(), &mut number));
        if !self.message.is_empty() {
            trailers.push(b"grpc-message", percent::encode(&self.message).as_bytes());
        }
        if !self.details.is_empty() {
            trailers.push(b"grpc-status-details-bin", metadata::encode_bin(&self.details).as_bytes());
        }
    }

    /// Reads a status from trailers, `None` where there is no `grpc-status`. Details that contradict `grpc-status` or
    /// cannot be read are dropped.
    pub fn read(trailers: &Headers) -> Option<Status> {
        let value = trailers.get(b"grpc-status")?;
        let message = trailers.get(b"grpc-message").map(percent::decode).unwrap_or_default();
        let mut status = Self::from_value(value, message);
        if let Some(details) = trailers.get(b"grpc-status-details-bin").and_then(metadata::decode_bin) {
            let named = proto::fields(&details).flatten().find(|f| f.number == 1).and_then(|f| f.varint());
            if named.unwrap_or(0) == u64::from(status.code.number()) {
                status.details = details.into();
            }
        }
        Some(status)
    }

    /// What a value of `grpc-status` says. A number that gRPC does not have is UNKNOWN and kept in the message.
    fn from_value(value: &[u8], message: String) -> Status {
        match Code::read(value) {
            Some(code) => Status::new(code, message),
            None => {
                let text = percent::encode(&String::from_utf8_lossy(&value[..value.len().min(32)]));
                let why = "which is none (gRPC has 0 to 16); look at the server. Its message";
                Status::new(Code::Unknown, format!("the peer ended with grpc-status {text}, {why}: {message}"))
            }
        }
    }

    /// The status of an answer that is not gRPC: the peer is a proxy, a web server, or something in between.
    pub fn not_grpc(http_status: u16, content_type: Option<&[u8]>) -> Status {
        let kind = content_type.map(|c| String::from_utf8_lossy(&c[..c.len().min(64)]).into_owned());
        let kind = kind.unwrap_or_else(|| "no content-type".into());
        Status::new(
            Code::from_http(http_status),
            format!(
                "the answer is not gRPC (application/grpc was expected): HTTP status {http_status}, {kind}; does a proxy \
                 or another server answer?"
            ),
        )
    }
}

fn digits(number: u32, out: &mut [u8; 2]) -> &[u8] {
    out[0] = b'0' + (number / 10) as u8;
    out[1] = b'0' + (number % 10) as u8;
    if number < 10 { &out[1..] } else { &out[..] }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({}): {}", self.code, self.code.number(), self.message)
    }
}

impl std::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Option<Status> {
        Status::read(&pairs.iter().copied().collect())
    }

    #[test]
    fn every_code_comes_back() {
        for code in CODES {
            let sent = Status::new(code, "why, 你好\n");
            let mut trailers = Headers::new();
            sent.write(&mut trailers);
            assert_eq!(Status::read(&trailers), Some(sent));
            assert_eq!(trailers.text("grpc-status"), Some(code.number().to_string().as_str()));
        }
    }

    #[test]
    fn trap_2_status_17_of_dubbo_go() {
        let status = read(&[("grpc-status", "17"), ("grpc-message", "no stock")]).unwrap();
        assert_eq!((status.code(), status.message()), (Code::Unknown, "no stock"));
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        for bad in ["18", "-1", "", "ok", "999999999999"] {
            let status = read(&[("grpc-status", bad)]).unwrap();
            assert_eq!(status.code(), Code::Unknown, "{bad}");
            assert!(status.message().contains("which is none"), "{status}");
        }
        assert_eq!(read(&[("grpc-message", "x")]), None);
    }

    #[test]
    fn details_go_along_unless_they_contradict() {
        // google.rpc.Status{code: 5, message: "gone"}
        let details = Bytes::from_static(b"\x08\x05\x12\x04gone");
        let sent = Status::new(Code::NotFound, "gone").with_details(details.clone());
        let mut trailers = Headers::new();
        sent.write(&mut trailers);
        assert_eq!(Status::read(&trailers).unwrap().details(), &details);
        trailers.set(b"grpc-status", b"6");
        assert!(Status::read(&trailers).unwrap().details().is_empty());
        trailers.set(b"grpc-status-details-bin", b"!!");
        assert!(Status::read(&trailers).unwrap().details().is_empty());
    }

    #[test]
    fn html_from_a_proxy_is_a_clear_status() {
        let status = Status::not_grpc(502, Some(b"text/html"));
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("502") && status.message().contains("text/html"), "{status}");
    }
}
