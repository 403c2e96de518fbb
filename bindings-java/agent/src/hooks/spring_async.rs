//! Spring's executor that starts a thread per task; its pools stand on those of the JDK.

use trilane_classedit::ParamMatch;

use crate::table::{Library, Row, RowOp};

/// Switch `spring-async`.
pub(super) const LIBRARY: Library = Library {
    name: "spring-async",
    bit: 20,
    rows: &[Row::new(
        "org/springframework/core/task/SimpleAsyncTaskExecutor",
        "doExecute",
        ParamMatch::At(&[(0, "Ljava/lang/Runnable;")]),
        RowOp::MapArg(0, &[]),
        ("SpringAsync", "task"),
    )],
};
