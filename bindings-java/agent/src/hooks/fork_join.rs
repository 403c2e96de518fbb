//! `ForkJoinPool`: what is handed to a pool from outside keeps its tag; forked subtasks and parallel streams do not.
//!
//! A worker that waits in `join` runs other people's tasks meanwhile. `doExec` is the one door through which every
//! task is run: behind it the thread is clean until the task itself brings a scope.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const POOL: &str = "java/util/concurrent/ForkJoinPool";
const TASK: &str = "java/util/concurrent/ForkJoinTask";
const RUNNABLE: ParamMatch = ParamMatch::At(&[(0, "Ljava/lang/Runnable;")]);
const CALLABLE: ParamMatch = ParamMatch::At(&[(0, "Ljava/util/concurrent/Callable;")]);
const FORK_JOIN: ParamMatch = ParamMatch::At(&[(0, "Ljava/util/concurrent/ForkJoinTask;")]);
const COLLECTION: ParamMatch = ParamMatch::At(&[(0, "Ljava/util/Collection;")]);

/// Switch `fork-join`.
pub(super) const LIBRARY: Library = Library {
    name: "fork-join",
    bit: 4,
    rows: &[
        Row::new(POOL, "execute", RUNNABLE, RowOp::MapArg(0, &[]), ("ForkJoin", "runnable")),
        Row::new(POOL, "submit", RUNNABLE, RowOp::MapArg(0, &[]), ("ForkJoin", "runnable")),
        Row::new(POOL, "submit", CALLABLE, RowOp::MapArg(0, &[]), ("ForkJoin", "runnable")),
        Row::new(POOL, "execute", FORK_JOIN, RowOp::MapArg(0, &[]), ("ForkJoin", "task")),
        Row::new(POOL, "invoke", FORK_JOIN, RowOp::MapArg(0, &[]), ("ForkJoin", "task")),
        Row::new(POOL, "submit", FORK_JOIN, RowOp::MapArg(0, &[]), ("ForkJoin", "task")),
        Row::new(POOL, "submit", FORK_JOIN, RowOp::MapReturn(&[]), ("ForkJoin", "original")),
        Row::new(POOL, "invokeAll", COLLECTION, RowOp::MapArg(0, &[]), ("ForkJoin", "all")),
        // JDK 11 inherits it: there each task comes by `execute`.
        Row::new(POOL, "invokeAny", COLLECTION, RowOp::MapArg(0, &[]), ("ForkJoin", "all")).optional(),
        Row::new(POOL, "schedule", RUNNABLE, RowOp::MapArg(0, &[]), ("ForkJoin", "runnable")).optional(),
        Row::new(POOL, "schedule", CALLABLE, RowOp::MapArg(0, &[]), ("ForkJoin", "runnable")).optional(),
        Row::new(POOL, "scheduleAtFixedRate", RUNNABLE, RowOp::MapArg(0, &[]), ("ForkJoin", "runnable")).optional(),
        Row::new(POOL, "scheduleWithFixedDelay", RUNNABLE, RowOp::MapArg(0, &[]), ("ForkJoin", "runnable")).optional(),
        Row::new(TASK, "invoke", ParamMatch::Exact("()"), RowOp::Enter(&[Arg::This]), ("ForkJoin", "own")),
        Row::new(TASK, "doExec", ParamMatch::Exact("()"), RowOp::Enter(&[Arg::This]), ("ForkJoin", "enter")),
        Row::new(TASK, "doExec", ParamMatch::Exact("()"), RowOp::Finally(&[Arg::This]), ("ForkJoin", "exit")),
    ],
};
