//! `java.util.Timer`: a task cannot be wrapped, because the queue reads its private state. The scope is kept beside
//! the task and set when the timer's thread takes that task from the head of its queue.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const QUEUE: &str = "java/util/TaskQueue";

/// Switch `timer`.
pub(super) const LIBRARY: Library = Library {
    name: "timer",
    bit: 6,
    rows: &[
        Row::new(
            "java/util/Timer",
            "sched",
            ParamMatch::At(&[(0, "Ljava/util/TimerTask;")]),
            RowOp::Enter(&[Arg::Param(0)]),
            ("Timers", "scheduled"),
        ),
        Row::new(QUEUE, "getMin", ParamMatch::Exact("()"), RowOp::MapReturn(&[]), ("Timers", "head")),
        Row::new(QUEUE, "removeMin", ParamMatch::Exact("()"), RowOp::Enter(&[]), ("Timers", "taken")),
        Row::new(QUEUE, "rescheduleMin", ParamMatch::Any, RowOp::Enter(&[]), ("Timers", "taken")),
    ],
};
