//! May a carrier be written towards this host? (design §3, "Written towards")
//!
//! Tags are internal; a call to somebody else's host must leave the process unchanged.

use std::net::IpAddr;

/// Splits `host[:port]`, with or without brackets round an IPv6 literal.
pub fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether the host is inside by its form alone: a single label, `*.svc`, `*.cluster.local`, or a loopback,
/// private or link-local literal. Used as long as the rules name no authority.
pub fn inside_by_form(authority: &str) -> bool {
    let host = host_of(authority);
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return inside_address(ip);
    }
    if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
        return false;
    }
    // A label of digits alone is a short form of an IPv4 address (`127.1`, `2130706433`): resolvers disagree on it.
    let ends_with = |suffix: &str| {
        host.len() > suffix.len()
            && host.as_bytes()[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
    };
    let single = !host.contains('.') && !host.bytes().all(|b| b.is_ascii_digit());
    single || ends_with(".svc") || ends_with(".cluster.local")
}

fn inside_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => {
            let mapped = v6.to_ipv4_mapped().is_some_and(|v4| inside_address(v4.into()));
            mapped || v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    }
}

/// Whether an authority matches a configured pattern: `host`, `host:port`, or `*.suffix` (any port).
pub fn matches(pattern: &str, authority: &str) -> bool {
    if let Some(suffix) = pattern.strip_prefix('*') {
        let host = host_of(authority).as_bytes();
        let suffix = suffix.as_bytes();
        return host.len() > suffix.len() && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix);
    }
    pattern.eq_ignore_ascii_case(authority) || pattern.eq_ignore_ascii_case(host_of(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_by_form_alone() {
        for inside in
            ["pricing", "pricing:8080", "a.b.svc:80", "x.cluster.local", "127.0.0.1:1", "[::1]:80", "10.1.2.3"]
        {
            assert!(inside_by_form(inside), "{inside}");
        }
        for outside in
            ["api.example.com", "8.8.8.8:53", "[2001:db8::1]:80", "", "127.1", "2130706433", "svc.example.org"]
        {
            assert!(!inside_by_form(outside), "{outside}");
        }
    }

    #[test]
    fn patterns() {
        assert!(matches("*.corp.example", "a.corp.example:80"));
        assert!(!matches("*.corp.example", "corp.example"));
        assert!(matches("api.example.com", "API.example.com:443"));
        assert!(!matches("api.example.com:80", "api.example.com:443"));
    }
}
