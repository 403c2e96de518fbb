//! `HttpURLConnection`: headers are added where one request line and its headers go to the socket, so that each hop
//! of a redirect is asked about anew, and nothing is left behind in the application's object.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

/// Switch `jdk-url-connection`.
pub(super) const LIBRARY: Library = Library {
    name: "jdk-url-connection",
    bit: 1,
    rows: &[Row::new(
        "sun/net/www/http/HttpClient",
        "writeRequests",
        ParamMatch::At(&[(1, "Lsun/net/www/http/PosterOutputStream;")]),
        RowOp::Enter(&[Arg::Param(0)]),
        ("JdkUrlConnection", "write"),
    )],
};
