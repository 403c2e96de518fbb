//! The JDK's own HTTP server: the tag comes in where a request enters its chain of filters.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const CHAIN: &str = "com/sun/net/httpserver/Filter$Chain";

/// Switch `jdk-http-server`.
pub(super) const LIBRARY: Library = Library {
    name: "jdk-http-server",
    bit: 0,
    rows: &[
        Row::new(CHAIN, "doFilter", ParamMatch::Any, RowOp::Enter(&[Arg::Param(0)]), ("JdkHttpServer", "enter")),
        Row::new(CHAIN, "doFilter", ParamMatch::Any, RowOp::Finally(&[Arg::Param(0)]), ("JdkHttpServer", "exit")),
    ],
};
