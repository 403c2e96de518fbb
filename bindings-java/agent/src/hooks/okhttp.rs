//! OkHttp 3.14, 4 and 5: the scope where a call is made, the headers where each hop goes to the socket.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const REQUEST_SECOND: ParamMatch = ParamMatch::At(&[(1, "Lokhttp3/Request;")]);

const fn enters(class: &'static str, method: &'static str) -> Row {
    Row::new(class, method, ParamMatch::Exact("()"), RowOp::Enter(&[Arg::This]), ("OkHttp", "enter")).optional()
}

const fn exits(class: &'static str, method: &'static str) -> Row {
    Row::new(class, method, ParamMatch::Exact("()"), RowOp::Finally(&[Arg::This]), ("OkHttp", "exit")).optional()
}

const fn queues(method: &'static str, call: &'static [(usize, &'static str)]) -> Row {
    let op = RowOp::Enter(&[Arg::Param(0)]);
    Row::new("okhttp3/Dispatcher", method, ParamMatch::At(call), op, ("OkHttp", "queued")).optional()
}

/// Switch `okhttp`.
pub(super) const LIBRARY: Library = Library {
    name: "okhttp",
    bit: 23,
    rows: &[
        // Version 3 has the first of these classes, 4 and 5 the second.
        Row::new("okhttp3/RealCall", "<init>", REQUEST_SECOND, RowOp::MapArg(1, &[]), ("OkHttp", "begin")),
        Row::new(
            "okhttp3/internal/connection/RealCall",
            "<init>",
            REQUEST_SECOND,
            RowOp::MapArg(1, &[]),
            ("OkHttp", "begin"),
        ),
        // 3.14; 4.3 and later.
        queues("enqueue", &[(0, "Lokhttp3/RealCall$AsyncCall;")]),
        queues("enqueue$okhttp", &[(0, "Lokhttp3/internal/connection/RealCall$AsyncCall;")]),
        enters("okhttp3/RealCall$AsyncCall", "execute"),
        exits("okhttp3/RealCall$AsyncCall", "execute"),
        enters("okhttp3/internal/connection/RealCall$AsyncCall", "run"),
        exits("okhttp3/internal/connection/RealCall$AsyncCall", "run"),
        Row::new(
            "okhttp3/internal/connection/Exchange",
            "writeRequestHeaders",
            ParamMatch::At(&[(0, "Lokhttp3/Request;")]),
            RowOp::MapArg(0, &[]),
            ("OkHttp", "headers"),
        ),
    ],
};
