//! `:path` of a call: `/service/method`, and dubbo-java's `/context/service/method`.

/// Cuts a path at its last slash: service path and method. `None` if it is no path of a call.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let bare = path.strip_prefix('/')?;
    let bare = bare.split('?').next().unwrap_or(bare);
    let (service, method) = bare.rsplit_once('/')?;
    (!service.is_empty() && !method.is_empty()).then_some((service, method))
}

/// The service without a context path before it: dubbo-java's `contextPath/interface`.
pub fn without_context(service: &str) -> &str {
    service.rsplit('/').next().unwrap_or(service)
}

/// The method with its first letter in the other case: `SayHello` of a `.proto` is `sayHello` in Java. `None` where
/// the first letter has no other case.
pub fn other_case(method: &str) -> Option<String> {
    let first = method.chars().next().filter(char::is_ascii_alphabetic)?;
    let flipped = if first.is_ascii_uppercase() { first.to_ascii_lowercase() } else { first.to_ascii_uppercase() };
    Some(std::iter::once(flipped).chain(method.chars().skip(1)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(split("/grpc.testing.TestService/EmptyCall"), Some(("grpc.testing.TestService", "EmptyCall")));
        assert_eq!(split("/api/v1/org.Shop/buy?x=/y"), Some(("api/v1/org.Shop", "buy")));
        assert_eq!(without_context("api/v1/org.Shop"), "org.Shop");
        for bad in ["", "/", "x", "/x", "//", "/x/", "x/y", "//y"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    #[test]
    fn first_letters() {
        assert_eq!(other_case("SayHello").as_deref(), Some("sayHello"));
        assert_eq!(other_case("sayHello").as_deref(), Some("SayHello"));
        assert_eq!(other_case("$invoke"), None);
        assert_eq!(other_case(""), None);
    }
}
