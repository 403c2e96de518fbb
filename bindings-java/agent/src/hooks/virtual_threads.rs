//! Virtual threads (JDK 21 and later) and executors that start one thread per task. `VirtualThread` itself is never
//! edited: the VM knows that class.

use trilane_classedit::ParamMatch;

use crate::table::{Library, Row, RowOp};

/// Switch `virtual-threads`.
pub(super) const LIBRARY: Library = Library {
    name: "virtual-threads",
    bit: 7,
    rows: &[
        Row::new(
            "java/lang/ThreadBuilders",
            "newVirtualThread",
            ParamMatch::At(&[(3, "Ljava/lang/Runnable;")]),
            RowOp::MapArg(3, &[]),
            ("VirtualThreads", "task"),
        ),
        Row::new(
            "java/util/concurrent/ThreadPerTaskExecutor",
            "newThread",
            ParamMatch::At(&[(0, "Ljava/lang/Runnable;")]),
            RowOp::MapArg(0, &[]),
            ("VirtualThreads", "task"),
        ),
    ],
};
