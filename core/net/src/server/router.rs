//! From a path to its handler.

use super::{Call, ServerStream};
use crate::http2::Head;
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use trilane_wire::{Code, Status, path, triple};

type UnaryFn = dyn Fn(&mut Call, Bytes) -> Result<Bytes, Status> + Send + Sync;
type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>>;
type StreamFn = dyn for<'a> Fn(&'a mut ServerStream) -> Running<'a> + Send + Sync;

/// What answers a method.
pub enum Handler {
    /// Answers one message with one message, at once, on the I/O thread.
    Unary(Box<UnaryFn>),
    /// Reads and writes messages as they come; its end is the end of the call.
    Stream(Box<StreamFn>),
}

#[derive(Default)]
pub(crate) struct Router {
    methods: HashMap<String, Arc<Handler>>,
    /// By group, version and path, for methods of one group and version only.
    versions: HashMap<(String, String, String), Arc<Handler>>,
    services: BTreeSet<String>,
    pub unknown: Option<Arc<Handler>>,
}

impl Router {
    pub fn add(&mut self, path: &str, handler: Handler) {
        self.note(path);
        self.methods.insert(path.to_string(), Arc::new(handler));
    }

    pub fn add_for(&mut self, group: &str, version: &str, path: &str, handler: Handler) {
        self.note(path);
        let version = if version == "0.0.0" { "" } else { version };
        self.versions.insert((group.into(), version.into(), path.into()), Arc::new(handler));
    }

    fn note(&mut self, path: &str) {
        if let Some((service, _)) = path::split(path) {
            self.services.insert(service.to_string());
        }
    }

    /// The handler of a path: exact; then as dubbo-java looks it up, without a context path and with the method's
    /// first letter in the other case.
    pub fn find(&self, asked: &str, head: &Head) -> Result<Arc<Handler>, Status> {
        if self.versions.is_empty()
            && let Some(found) = self.methods.get(asked)
        {
            return Ok(found.clone());
        }
        let text = |name| head.get(name).and_then(|v| std::str::from_utf8(v).ok()).unwrap_or_default();
        let (group, version) = (text(triple::GROUP), text(triple::VERSION));
        if let Some(found) = self.exact(asked, group, version) {
            return Ok(found);
        }
        let Some((full, method)) = path::split(asked) else {
            return self.unknown.clone().ok_or_else(|| {
                Status::new(Code::Unimplemented, format!("{asked} is no path of a call; /service/method is expected"))
            });
        };
        let service = path::without_context(full);
        for name in [Some(method.to_string()), path::other_case(method)].into_iter().flatten() {
            if let Some(found) = self.exact(&format!("/{service}/{name}"), group, version) {
                return Ok(found);
            }
        }
        self.unknown.clone().ok_or_else(|| {
            let why = match self.services.contains(service) {
                true if group.is_empty() && version.is_empty() => {
                    format!("service {service} has no method {method} here")
                }
                true => format!(
                    "service {service} has no method {method} here for group \"{group}\" and version \"{version}\""
                ),
                false => format!("there is no service {service} here"),
            };
            Status::new(Code::Unimplemented, why)
        })
    }

    fn exact(&self, path: &str, group: &str, version: &str) -> Option<Arc<Handler>> {
        if !self.versions.is_empty() {
            for (group, version) in triple::lookup_order(group, version) {
                let key = (group.to_string(), version.to_string(), path.to_string());
                if let Some(found) = self.versions.get(&key) {
                    return Some(found.clone());
                }
            }
        }
        self.methods.get(path).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router {
        let mut router = Router::default();
        router.add("/shop.Greeter/SayHello", Handler::Unary(Box::new(|_, m| Ok(m))));
        router
    }

    #[test]
    fn finds_as_dubbo_does() {
        for path in ["/shop.Greeter/SayHello", "/shop.Greeter/sayHello", "/api/v1/shop.Greeter/sayHello"] {
            assert!(router().find(path, &Head::default()).is_ok(), "{path}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        for (path, want) in [
            ("/shop.Greeter/Bye", "service shop.Greeter has no method Bye"),
            ("/shop.Other/SayHello", "no service shop.Other"),
            ("/x", "no path of a call"),
        ] {
            let status = router().find(path, &Head::default()).err().unwrap();
            assert_eq!(status.code(), Code::Unimplemented);
            assert!(status.message().contains(want), "{status}");
        }
    }

    #[test]
    fn group_and_version_are_looked_up_as_dubbo_java_does() {
        let says = |word: &'static str| Handler::Unary(Box::new(move |_, _| Ok(Bytes::from_static(word.as_bytes()))));
        let mut router = Router::default();
        router.add_for("", "2.0", "/shop.Greeter/Hi", says("two"));
        router.add_for("red", "", "/shop.Greeter/Hi", says("red"));
        let find = |group: &'static str, version: &'static str| {
            let mut map = http::HeaderMap::new();
            for (name, value) in [(triple::GROUP, group), (triple::VERSION, version)] {
                if !value.is_empty() {
                    map.insert(name, value.parse().unwrap());
                }
            }
            router.find("/shop.Greeter/hi", &Head::new(map))
        };
        for (group, version, want) in
            [("", "2.0", true), ("red", "", true), ("red", "0.0.0", true), ("", "", false), ("", "3.0", false)]
        {
            assert_eq!(find(group, version).is_ok(), want, "{group} {version}");
        }
        let status = find("blue", "3.0").err().unwrap();
        assert!(status.message().contains("group \"blue\" and version \"3.0\""), "{status}");
    }
}
