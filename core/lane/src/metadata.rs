//! Which tag a registered instance carries (design §3, "Registered metadata").

use crate::tag;

/// Our key, written towards every registry.
pub const SERVICE_TAG: &str = "alicloud.service.tag";
/// OpenSergo's key holds the tag in its own name: `opensergo.io/canary-gray`.
pub const OPENSERGO_PREFIX: &str = "opensergo.io/canary-";
/// MSE's environment key.
pub const MSE_ENV: &str = "__micro.service.env__";
/// Dubbo's key.
pub const DUBBO_TAG: &str = "dubbo.tag";

/// The keys that are read, in order; one that ends in `*` is a prefix. `extra` are names given by setting.
pub fn keys(extra: &[String]) -> Vec<String> {
    let fixed = [SERVICE_TAG, "opensergo.io/canary-*", MSE_ENV, DUBBO_TAG];
    fixed.iter().map(|k| k.to_string()).chain(extra.iter().cloned()).collect()
}

/// The first tag that an instance's metadata gives, in the order of [`keys`]. Malformed = absent in that key.
pub fn tag_of<'a>(metadata: &[(&'a str, &'a str)], extra: &[String]) -> Option<&'a str> {
    let value = |key: &str| metadata.iter().filter(|(k, _)| *k == key).find_map(|(_, v)| valid(v));
    let canary = || metadata.iter().find_map(|(k, _)| valid(k.strip_prefix(OPENSERGO_PREFIX)?));
    value(SERVICE_TAG)
        .or_else(canary)
        .or_else(|| value(MSE_ENV))
        .or_else(|| value(DUBBO_TAG))
        .or_else(|| extra.iter().find_map(|key| value(key)))
}

fn valid(text: &str) -> Option<&str> {
    tag::parse(text.trim().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_valid_key_wins() {
        let metadata = [("dubbo.tag", "blue"), ("opensergo.io/canary-green", "x"), ("alicloud.service.tag", "no tag")];
        assert_eq!(tag_of(&metadata, &[]), Some("green"));
        assert_eq!(tag_of(&metadata[..1], &[]), Some("blue"));
        assert_eq!(tag_of(&[("version", "v2")], &[]), None);
        assert_eq!(tag_of(&[("version", "v2")], &["version".into()]), Some("v2"));
    }
}
