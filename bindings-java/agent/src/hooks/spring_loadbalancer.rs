//! Spring Cloud LoadBalancer, and the balancer that Spring Cloud Alibaba puts in its place: the list is narrowed
//! where the balancer is about to choose.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const fn list(class: &'static str, params: ParamMatch<'static>, at: u16) -> Row {
    Row::new(class, "getInstanceResponse", params, RowOp::MapArg(at, &[Arg::This]), ("SpringLoadBalancer", "list"))
}

/// The balancer is asked: for which call?
const fn chosen(class: &'static str) -> Row {
    Row::new(class, "choose", REQUEST, RowOp::MapReturn(&[Arg::Param(0)]), ("SpringCalls", "chosen"))
}

const REQUEST: ParamMatch = ParamMatch::At(&[(0, "Lorg/springframework/cloud/client/loadbalancer/Request;")]);

/// Switch `spring-loadbalancer`.
pub(super) const LIBRARY: Library = Library {
    name: "spring-loadbalancer",
    bit: 17,
    rows: &[
        list(
            "org/springframework/cloud/loadbalancer/core/RoundRobinLoadBalancer",
            ParamMatch::At(&[(0, "Ljava/util/List;")]),
            0,
        ),
        list(
            "org/springframework/cloud/loadbalancer/core/RandomLoadBalancer",
            ParamMatch::At(&[(0, "Ljava/util/List;")]),
            0,
        ),
        chosen("org/springframework/cloud/loadbalancer/core/RoundRobinLoadBalancer"),
        chosen("org/springframework/cloud/loadbalancer/core/RandomLoadBalancer"),
        chosen("com/alibaba/cloud/nacos/loadbalancer/NacosLoadBalancer"),
        list("com/alibaba/cloud/nacos/loadbalancer/NacosLoadBalancer", ParamMatch::At(&[(1, "Ljava/util/List;")]), 1),
    ],
};
