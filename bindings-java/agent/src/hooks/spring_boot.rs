//! Spring Boot: the service's own name, wherever its configuration says it.

use trilane_classedit::ParamMatch;

use crate::table::{Library, Row, RowOp};

/// Switch `spring-boot`.
pub(super) const LIBRARY: Library = Library {
    name: "spring-boot",
    bit: 19,
    rows: &[Row::new(
        "org/springframework/boot/SpringApplication",
        "prepareEnvironment",
        ParamMatch::Any,
        RowOp::MapReturn(&[]),
        ("SpringBoot", "environment"),
    )],
};
