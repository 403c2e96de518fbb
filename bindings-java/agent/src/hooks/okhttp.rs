//! OkHttp 3.14, 4 and 5: the scope where a call is made, the headers where each hop goes to the socket.

use trilane_classedit::ParamMatch;

use crate::table::{Library, Row, RowOp};

const REQUEST_SECOND: ParamMatch = ParamMatch::At(&[(1, "Lokhttp3/Request;")]);

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
        Row::new(
            "okhttp3/internal/connection/Exchange",
            "writeRequestHeaders",
            ParamMatch::At(&[(0, "Lokhttp3/Request;")]),
            RowOp::MapArg(0, &[]),
            ("OkHttp", "headers"),
        ),
    ],
};
