//! What `content-type` says about a request or an answer.

/// The protocol a content type names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `application/grpc`, with or without a `+codec` or parameters: gRPC framing.
    Grpc,
    /// `application/grpc-web…`: another framing, which dubbo-java takes for gRPC by mistake.
    GrpcWeb,
    /// Everything else, and none at all.
    Other,
}

/// Reads a content type. The codec behind `+` is not judged: bytes are bytes here.
pub fn kind(value: Option<&[u8]>) -> Kind {
    const GRPC: &[u8] = b"application/grpc";
    let Some(value) = value else { return Kind::Other };
    if value.len() < GRPC.len() || !value[..GRPC.len()].eq_ignore_ascii_case(GRPC) {
        return Kind::Other;
    }
    match value.get(GRPC.len()) {
        None | Some(b'+' | b';') => Kind::Grpc,
        Some(b'-') => Kind::GrpcWeb,
        Some(_) => Kind::Other,
    }
}

/// The codec behind `application/grpc+`: `proto` where none is named.
pub fn codec(value: &[u8]) -> &[u8] {
    let bare = value.split(|b| *b == b';').next().unwrap_or(value).trim_ascii();
    match bare.iter().position(|b| *b == b'+') {
        Some(at) if at + 1 < bare.len() => &bare[at + 1..],
        _ => b"proto",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for grpc in
            ["application/grpc", "application/grpc+proto", "application/grpc+json; charset=utf-8", "Application/gRPC"]
        {
            assert_eq!(kind(Some(grpc.as_bytes())), Kind::Grpc, "{grpc}");
        }
        assert_eq!(kind(Some(b"application/grpc-web+proto")), Kind::GrpcWeb);
        for other in ["application/json", "application/grpcx", "text/html", ""] {
            assert_eq!(kind(Some(other.as_bytes())), Kind::Other, "{other}");
        }
        assert_eq!(kind(None), Kind::Other);
    }

    #[test]
    fn codecs() {
        for (value, want) in
            [("application/grpc", "proto"), ("application/grpc+json; a=b", "json"), ("application/grpc+", "proto")]
        {
            assert_eq!(codec(value.as_bytes()), want.as_bytes());
        }
    }
}
