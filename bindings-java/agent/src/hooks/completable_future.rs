//! `CompletableFuture`: each stage keeps the scope of the thread that wrote it down, whoever completes the future and
//! on whichever executor the stage runs. The stages stay what they are; only the application's function is wrapped.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const FUNCTION: &str = "Ljava/util/function/Function;";

const fn stage(class: &'static str, param: u16) -> Row {
    Row::new(class, "<init>", ParamMatch::Any, RowOp::MapArg(param, &[]), ("CompletableFutures", "stage"))
}

/// The first parameter is the executor, or null.
const fn on(class: &'static str, param: u16) -> Row {
    let op = RowOp::MapArg(param, &[Arg::Param(0)]);
    Row::new(class, "<init>", ParamMatch::Any, op, ("CompletableFutures", "stageOn"))
}

const fn of_two(class: &'static str, param: u16) -> Row {
    let op = RowOp::MapArg(param, &[Arg::Param(0)]);
    Row::new(class, "<init>", ParamMatch::Any, op, ("CompletableFutures", "stageOfTwo"))
}

/// Has an executor as its first parameter since JDK 12.
const fn exceptionally(params: &'static [(usize, &'static str)], param: u16) -> Row {
    let class = "java/util/concurrent/CompletableFuture$UniExceptionally";
    let bridge = ("CompletableFutures", "stage");
    Row::new(class, "<init>", ParamMatch::At(params), RowOp::MapArg(param, &[]), bridge).optional()
}

/// Switch `completable-future`.
pub(super) const LIBRARY: Library = Library {
    name: "completable-future",
    bit: 5,
    rows: &[
        stage("java/util/concurrent/CompletableFuture$AsyncSupply", 1),
        stage("java/util/concurrent/CompletableFuture$AsyncRun", 1),
        on("java/util/concurrent/CompletableFuture$UniApply", 3),
        on("java/util/concurrent/CompletableFuture$UniAccept", 3),
        on("java/util/concurrent/CompletableFuture$UniRun", 3),
        on("java/util/concurrent/CompletableFuture$UniWhenComplete", 3),
        of_two("java/util/concurrent/CompletableFuture$UniHandle", 3),
        exceptionally(&[(3, FUNCTION)], 3),
        exceptionally(&[(2, FUNCTION)], 2), // JDK 11: no executor
        on("java/util/concurrent/CompletableFuture$UniComposeExceptionally", 3),
        on("java/util/concurrent/CompletableFuture$UniCompose", 3),
        of_two("java/util/concurrent/CompletableFuture$BiApply", 4),
        on("java/util/concurrent/CompletableFuture$BiAccept", 4),
        on("java/util/concurrent/CompletableFuture$BiRun", 4),
        on("java/util/concurrent/CompletableFuture$OrApply", 4),
        on("java/util/concurrent/CompletableFuture$OrAccept", 4),
        on("java/util/concurrent/CompletableFuture$OrRun", 4),
        Row::new(
            "java/util/concurrent/CompletableFuture$DelayedExecutor", // since JDK 25 by way of no Timer and no pool
            "execute",
            ParamMatch::At(&[(0, "Ljava/lang/Runnable;")]),
            RowOp::MapArg(0, &[]),
            ("CompletableFutures", "stage"),
        ),
    ],
};
