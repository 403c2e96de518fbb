//! `HttpURLConnection`: headers are added where one request line and its headers go to the socket, so that each hop
//! of a redirect is asked about anew, and nothing is left behind in the application's object.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const CLIENT: &str = "sun/net/www/http/HttpClient";
const WITH_POSTER: ParamMatch = ParamMatch::At(&[(1, "Lsun/net/www/http/PosterOutputStream;")]);

/// Switch `jdk-url-connection`.
pub(super) const LIBRARY: Library = Library {
    name: "jdk-url-connection",
    bit: 1,
    rows: &[
        Row::new(CLIENT, "writeRequests", WITH_POSTER, RowOp::Enter(&[Arg::Param(0)]), ("JdkUrlConnection", "write")),
        Row::new(
            CLIENT,
            "writeRequests",
            WITH_POSTER,
            RowOp::Finally(&[Arg::Param(0)]),
            ("JdkUrlConnection", "written"),
        ),
    ],
};
