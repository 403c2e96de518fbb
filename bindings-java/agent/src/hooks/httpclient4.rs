//! Apache HttpClient 4.3 and later: the last link of the chain, once for every hop, on a request of the call's own.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const WITH_COPY: ParamMatch = ParamMatch::At(&[
    (0, "Lorg/apache/http/conn/routing/HttpRoute;"),
    (1, "Lorg/apache/http/client/methods/HttpRequestWrapper;"),
]);

const fn link(class: &'static str) -> Row {
    let op = RowOp::Enter(&[Arg::Param(0), Arg::Param(1)]);
    Row::new(class, "execute", WITH_COPY, op, ("HttpClient4", "write"))
}

/// Switch `httpclient4`.
pub(super) const LIBRARY: Library = Library {
    name: "httpclient4",
    bit: 21,
    rows: &[
        link("org/apache/http/impl/execchain/MainClientExec"),
        link("org/apache/http/impl/execchain/MinimalClientExec"),
    ],
};
