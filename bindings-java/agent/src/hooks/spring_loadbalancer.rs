//! Spring Cloud LoadBalancer, and the balancer that Spring Cloud Alibaba puts in its place: the list is narrowed
//! where the balancer is about to choose.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

const fn list(class: &'static str, params: ParamMatch<'static>, at: u16) -> Row {
    Row::new(class, "getInstanceResponse", params, RowOp::MapArg(at, &[Arg::This]), ("SpringLoadBalancer", "list"))
}

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
        list("com/alibaba/cloud/nacos/loadbalancer/NacosLoadBalancer", ParamMatch::At(&[(1, "Ljava/util/List;")]), 1),
    ],
};
