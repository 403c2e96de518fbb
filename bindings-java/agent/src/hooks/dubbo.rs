//! Dubbo 2.7, 3.2 and 3.3: carriers among the attachments, lanes in the directory, tags in what is registered.
//!
//! The classes and descriptors below are the ones that all three lines share; where only some have a method, its row
//! is optional.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const CLUSTER_INVOKER: &str = "org/apache/dubbo/rpc/cluster/support/AbstractClusterInvoker";
const INVOKER: &str = "org/apache/dubbo/rpc/protocol/AbstractInvoker";
const CONTEXT_FILTER: &str = "org/apache/dubbo/rpc/filter/ContextFilter";
const DIRECTORY: &str = "org/apache/dubbo/rpc/cluster/directory/AbstractDirectory";
const CHAIN: &str = "org/apache/dubbo/rpc/cluster/RouterChain";

const INVOCATION: ParamMatch = ParamMatch::Exact("(Lorg/apache/dubbo/rpc/Invocation;)");
const FILTERED: ParamMatch =
    ParamMatch::At(&[(0, "Lorg/apache/dubbo/rpc/Invoker;"), (1, "Lorg/apache/dubbo/rpc/Invocation;")]);
const BIT_LIST: ParamMatch = ParamMatch::At(&[(0, "Lorg/apache/dubbo/rpc/cluster/router/state/BitList;")]);
const LIST: ParamMatch = ParamMatch::At(&[(0, "Ljava/util/List;")]);
const PARAMETERS: ParamMatch = ParamMatch::At(&[(0, "Ljava/util/Map;"), (1, "Ljava/lang/Object;")]);
const STRING: ParamMatch = ParamMatch::At(&[(0, "Ljava/lang/String;")]);

/// A method that changes what invokers a directory has.
const fn moved(method: &'static str) -> Row {
    Row::new(DIRECTORY, method, ParamMatch::Any, RowOp::Finally(&[Arg::This]), ("DubboRouting", "moved")).optional()
}

/// A method that gives a router a rule or takes it away.
const fn ruled(class: &'static str, method: &'static str) -> Row {
    Row::new(class, method, ParamMatch::Any, RowOp::Finally(&[]), ("DubboRules", "moved"))
}

/// Triple's listener for streams of requests, until 3.2 and since 3.3: one call, then messages on any thread.
const STREAM_32: &str = "org/apache/dubbo/rpc/protocol/tri/call/BiStreamServerCallListener";
const STREAM: &str = "org/apache/dubbo/rpc/protocol/tri/h12/BiStreamServerCallListener";

const fn message(class: &'static str, method: &'static str) -> Row {
    Row::new(class, method, ParamMatch::Any, RowOp::Enter(&[Arg::This]), ("DubboStream", "enter"))
}

const fn handled(class: &'static str, method: &'static str) -> Row {
    Row::new(class, method, ParamMatch::Any, RowOp::Finally(&[Arg::This]), ("DubboStream", "exit"))
}

/// Switch `dubbo`.
pub(super) const LIBRARY: Library = Library {
    name: "dubbo",
    bit: 24,
    rows: &[
        Row::new(CLUSTER_INVOKER, "invoke", INVOCATION, RowOp::Enter(&[Arg::Param(0)]), ("DubboCarriers", "call")),
        Row::new(INVOKER, "invoke", INVOCATION, RowOp::Enter(&[Arg::Param(0)]), ("DubboCarriers", "attempt")),
        Row::new(CONTEXT_FILTER, "invoke", FILTERED, RowOp::Enter(&[Arg::Param(1)]), ("DubboProvider", "enter")),
        Row::new(CONTEXT_FILTER, "invoke", FILTERED, RowOp::Finally(&[Arg::Param(1)]), ("DubboProvider", "exit")),
        message(STREAM_32, "onMessage"),
        handled(STREAM_32, "onMessage"),
        message(STREAM_32, "onComplete"),
        handled(STREAM_32, "onComplete"),
        message(STREAM_32, "onCancel"),
        handled(STREAM_32, "onCancel"),
        message(STREAM, "onMessage"),
        handled(STREAM, "onMessage"),
        message(STREAM, "onComplete"),
        handled(STREAM, "onComplete"),
        message(STREAM, "onCancel"),
        handled(STREAM, "onCancel"),
        Row::new(
            DIRECTORY,
            "list",
            INVOCATION,
            RowOp::ReturnEarly(&[Arg::This, Arg::Param(0)]),
            ("DubboRouting", "list"),
        ),
        Row::new(
            DIRECTORY,
            "list",
            INVOCATION,
            RowOp::MapReturn(&[Arg::This, Arg::Param(0)]),
            ("DubboRouting", "left"),
        ),
        Row::new(DIRECTORY, "list", INVOCATION, RowOp::Finally(&[]), ("DubboRouting", "listed")),
        Row::new(
            DIRECTORY,
            "destroy",
            ParamMatch::Exact("()"),
            RowOp::Finally(&[Arg::This]),
            ("DubboRouting", "ended"),
        ),
        moved("setInvokers"),
        moved("destroyInvokers"),
        moved("addValidInvoker"),
        moved("removeValidInvoker"),
        moved("refreshInvokerInternal"),
        moved("setRouterChain"),
        Row::new(
            "org/apache/dubbo/rpc/cluster/router/tag/TagStateRouter",
            "doRoute",
            BIT_LIST,
            RowOp::ReturnEarly(&[Arg::Param(0)]),
            ("DubboRouting", "tagRouter"),
        ),
        Row::new(
            "org/apache/dubbo/rpc/cluster/router/tag/TagRouter",
            "route",
            LIST,
            RowOp::ReturnEarly(&[Arg::Param(0)]),
            ("DubboRouting", "tagRouter"),
        ),
        ruled("org/apache/dubbo/rpc/cluster/router/tag/TagStateRouter", "process"),
        ruled("org/apache/dubbo/rpc/cluster/router/tag/TagRouter", "process"),
        ruled("org/apache/dubbo/rpc/cluster/router/condition/config/ListenableStateRouter", "process"),
        ruled("org/apache/dubbo/rpc/cluster/router/condition/config/ListenableRouter", "process"),
        ruled("org/apache/dubbo/rpc/cluster/router/script/config/AppScriptStateRouter", "process"),
        ruled("org/apache/dubbo/rpc/cluster/router/affinity/config/AffinityListenableStateRouter", "process"),
        ruled("org/apache/dubbo/rpc/cluster/router/mesh/route/MeshRuleRouter", "onRuleChange"),
        ruled("org/apache/dubbo/rpc/cluster/router/mesh/route/MeshRuleRouter", "clearRule"),
        ruled(CHAIN, "addRouters"),
        Row::new(
            "org/apache/dubbo/config/ServiceConfig",
            "buildAttributes",
            ParamMatch::Any,
            RowOp::MapReturn(&[]),
            ("DubboRegistration", "attributes"),
        )
        .optional(),
        Row::new(
            "org/apache/dubbo/config/AbstractConfig",
            "appendParameters",
            PARAMETERS,
            RowOp::Enter(&[Arg::Param(0), Arg::Param(1)]),
            ("DubboRegistration", "parameters"),
        ),
        Row::new(
            "org/apache/dubbo/registry/client/metadata/ServiceInstanceMetadataUtils",
            "customizeInstance",
            ParamMatch::At(&[(0, "Lorg/apache/dubbo/registry/client/ServiceInstance;")]),
            RowOp::Finally(&[Arg::Param(0)]),
            ("DubboRegistration", "instance"),
        )
        .optional(),
        Row::new(
            "org/apache/dubbo/config/ApplicationConfig",
            "setName",
            STRING,
            RowOp::Enter(&[Arg::Param(0)]),
            ("DubboRegistration", "name"),
        ),
    ],
};
