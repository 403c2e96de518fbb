//! Thread pools of `java.util.concurrent`. `FutureTask` takes its inner task over, which covers `submit` and every
//! `schedule` without changing what lies in the queue; `execute` wraps the task itself where that is safe.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const FUTURE_TASK: &str = "java/util/concurrent/FutureTask";
const POOL: &str = "java/util/concurrent/ThreadPoolExecutor";
const SEQUENTIAL: &str = "com/google/common/util/concurrent/SequentialExecutor";
const RUNNABLE: ParamMatch = ParamMatch::At(&[(0, "Ljava/lang/Runnable;")]);

/// Switch `executors`.
pub(super) const LIBRARY: Library = Library {
    name: "executors",
    bit: 3,
    rows: &[
        Row::new(
            FUTURE_TASK,
            "<init>",
            ParamMatch::Exact("(Ljava/util/concurrent/Callable;)"),
            RowOp::MapArg(0, &[]),
            ("Executors", "inner"),
        ),
        Row::new(FUTURE_TASK, "<init>", RUNNABLE, RowOp::MapArg(0, &[]), ("Executors", "inner")),
        Row::new(POOL, "execute", RUNNABLE, RowOp::MapArg(0, &[Arg::This]), ("Executors", "execute")),
        Row::new(POOL, "remove", RUNNABLE, RowOp::MapArg(0, &[]), ("Executors", "probe")),
        Row::new(POOL, "reject", RUNNABLE, RowOp::MapArg(0, &[]), ("Executors", "unwrap")),
        // Guava's: one run on a pool's thread takes whatever has been queued by then.
        Row::new(SEQUENTIAL, "execute", RUNNABLE, RowOp::MapArg(0, &[]), ("Executors", "queued")),
        Row::new(POOL, "shutdownNow", ParamMatch::Any, RowOp::MapReturn(&[]), ("Executors", "unwrapAll")),
    ],
};
