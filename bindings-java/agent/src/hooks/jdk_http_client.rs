//! `java.net.http`: each call makes its own copy of the request on the caller's thread, inside `sendAsync`; the
//! headers that this copy reads get ours added. What the application sees of its request stays as it was. Where a
//! redirect leads to a host that gets nothing from us, ours are taken off again on the way to the wire.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const CLIENT: &str = "jdk/internal/net/http/HttpClientImpl";
const REQUEST: &str = "jdk/internal/net/http/ImmutableHttpRequest";

/// Switch `jdk-http-client`.
pub(super) const LIBRARY: Library = Library {
    name: "jdk-http-client",
    bit: 2,
    rows: &[
        Row::new(CLIENT, "sendAsync", ParamMatch::Any, RowOp::Enter(&[]), ("JdkHttpClient", "enter")),
        Row::new(CLIENT, "sendAsync", ParamMatch::Any, RowOp::Finally(&[]), ("JdkHttpClient", "exit")),
        Row::new(
            REQUEST,
            "headers",
            ParamMatch::Exact("()"),
            RowOp::MapReturn(&[Arg::This]),
            ("JdkHttpClient", "headers"),
        ),
        Row::new(
            "jdk/internal/net/http/HttpRequestImpl",
            "getUserHeaders",
            ParamMatch::Exact("()"),
            RowOp::MapReturn(&[Arg::This]),
            ("JdkHttpClient", "wire"),
        ),
    ],
};
