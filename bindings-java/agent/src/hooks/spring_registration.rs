//! Spring Cloud's registration with any registry whose integration extends `AbstractAutoServiceRegistration` (Nacos,
//! Consul, ZooKeeper; Eureka does not).

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

/// Switch `spring-registration`.
pub(super) const LIBRARY: Library = Library {
    name: "spring-registration",
    bit: 18,
    rows: &[Row::new(
        "org/springframework/cloud/client/serviceregistry/AbstractAutoServiceRegistration",
        "register",
        ParamMatch::Exact("()"),
        RowOp::Enter(&[Arg::This]),
        ("SpringRegistration", "register"),
    )],
};
