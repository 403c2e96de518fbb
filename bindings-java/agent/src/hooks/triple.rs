//! Our own gRPC transport (`bindings-java/client`): its native side finds tags, writes carriers and chooses instances.
//! What is left are its calls' threads: the three empty methods of its class `Lane`.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const LANE: &str = "io/github/trilane/grpc/Lane";

/// Switch `triple`.
pub(super) const LIBRARY: Library = Library {
    name: "triple",
    bit: 25,
    rows: &[
        Row::new(LANE, "ofThread", ParamMatch::Any, RowOp::MapReturn(&[]), ("Triple", "tag")),
        Row::new(LANE, "enter", ParamMatch::Any, RowOp::Enter(&[Arg::Param(0), Arg::Param(1)]), ("Triple", "enter")),
        Row::new(LANE, "leave", ParamMatch::Any, RowOp::Enter(&[Arg::Param(0)]), ("Triple", "leave")),
    ],
};
