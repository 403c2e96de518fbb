//! Spring Boot: the service's own name, wherever its configuration says it. A process that was already running when
//! the library came, or was switched on, says it with its next request.

use trilane_classedit::{Arg, ParamMatch};

use crate::table::{Library, Row, RowOp};

/// Switch `spring-boot`.
pub(super) const LIBRARY: Library = Library {
    name: "spring-boot",
    bit: 19,
    rows: &[
        Row::new(
            "org/springframework/boot/SpringApplication",
            "prepareEnvironment",
            ParamMatch::Any,
            RowOp::MapReturn(&[]),
            ("SpringBoot", "environment"),
        ),
        Row::new(
            "org/springframework/web/servlet/DispatcherServlet",
            "doService",
            ParamMatch::Any,
            RowOp::Enter(&[Arg::This]),
            ("SpringBoot", "serving"),
        ),
    ],
};
