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

/// What an instance's metadata say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered<'a> {
    /// Nothing.
    Untagged,
    /// This tag.
    Tag(&'a str),
    /// Something that is no tag: somebody wanted this instance kept apart, so it is not baseline either.
    Unreadable,
}

/// The first tag that an instance's metadata gives, in the order of [`keys`]. A value that is no tag leaves the
/// word to the next key; under MSE's environment key, where peers have other forms, it says nothing at all.
pub fn tag_of<'a>(metadata: &[(&'a str, &'a str)], extra: &[String]) -> Registered<'a> {
    let mut unreadable = false;
    let mut read = |key: &str, text: &'a str| {
        let found = valid(text);
        unreadable |= found.is_none() && !text.trim().is_empty() && key != MSE_ENV;
        found
    };
    let fixed = [SERVICE_TAG, OPENSERGO_PREFIX, MSE_ENV, DUBBO_TAG];
    for key in fixed.into_iter().chain(extra.iter().map(String::as_str)) {
        let value = |(k, v): &(&'a str, &'a str)| {
            if key == OPENSERGO_PREFIX { k.strip_prefix(key) } else { (*k == key).then_some(*v) }
        };
        if let Some(tag) = metadata.iter().filter_map(value).find_map(|v| read(key, v)) {
            return Registered::Tag(tag);
        }
    }
    if unreadable { Registered::Unreadable } else { Registered::Untagged }
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
        assert_eq!(tag_of(&metadata, &[]), Registered::Tag("green"));
        assert_eq!(tag_of(&metadata[..1], &[]), Registered::Tag("blue"));
        assert_eq!(tag_of(&metadata[2..], &[]), Registered::Unreadable);
        assert_eq!(tag_of(&[("version", "v2")], &[]), Registered::Untagged);
        assert_eq!(tag_of(&[("version", "v2")], &["version".into()]), Registered::Tag("v2"));
    }
}
