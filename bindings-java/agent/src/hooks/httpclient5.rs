//! Apache HttpClient 5, classic and asynchronous: the last link of the chain, once for every hop, on a request of the
//! call's own.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

/// Switch `httpclient5`.
pub(super) const LIBRARY: Library = Library {
    name: "httpclient5",
    bit: 22,
    rows: &[
        Row::new(
            "org/apache/hc/client5/http/impl/classic/MainClientExec",
            "execute",
            ParamMatch::At(&[(1, "Lorg/apache/hc/client5/http/classic/ExecChain$Scope;")]),
            RowOp::Enter(&[Arg::Param(0), Arg::Param(1)]),
            ("HttpClient5", "write"),
        ),
        Row::new(
            "org/apache/hc/client5/http/async/AsyncExecChain$Scope",
            "<init>",
            ParamMatch::At(&[
                (0, "Ljava/lang/String;"),
                (4, "Lorg/apache/hc/client5/http/protocol/HttpClientContext;"),
            ]),
            RowOp::MapArg(4, &[Arg::Param(0), Arg::Param(1)]),
            ("HttpClient5", "begin"),
        ),
        Row::new(
            "org/apache/hc/client5/http/impl/async/HttpAsyncMainClientExec",
            "execute",
            ParamMatch::At(&[(2, "Lorg/apache/hc/client5/http/async/AsyncExecChain$Scope;")]),
            RowOp::Enter(&[Arg::Param(0), Arg::Param(2)]),
            ("HttpClient5", "writeKept"),
        ),
    ],
};
