//! Tomcat 9, 10.1 and 11: the adapter is the one door for HTTP/1.1, HTTP/2 and AJP; an asynchronous request passes it
//! again at `asyncDispatch`.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const ADAPTER: &str = "org/apache/catalina/connector/CoyoteAdapter";
const REQUEST: ParamMatch = ParamMatch::At(&[(0, "Lorg/apache/coyote/Request;")]);

/// Switch `tomcat`.
pub(super) const LIBRARY: Library = Library {
    name: "tomcat",
    bit: 16,
    rows: &[
        Row::new(ADAPTER, "service", REQUEST, RowOp::Enter(&[Arg::Param(0)]), ("Tomcat", "enter")),
        Row::new(ADAPTER, "service", REQUEST, RowOp::Finally(&[Arg::Param(0)]), ("Tomcat", "exit")),
        Row::new(ADAPTER, "asyncDispatch", REQUEST, RowOp::Enter(&[Arg::Param(0)]), ("Tomcat", "again")),
        Row::new(ADAPTER, "asyncDispatch", REQUEST, RowOp::Finally(&[Arg::Param(0)]), ("Tomcat", "exit")),
        Row::new(
            "org/apache/catalina/core/AsyncContextImpl",
            "start",
            ParamMatch::At(&[(0, "Ljava/lang/Runnable;")]),
            RowOp::MapArg(0, &[]),
            ("Tomcat", "task"),
        ),
    ],
};
