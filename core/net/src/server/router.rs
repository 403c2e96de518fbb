//! From a path to its handler.

use super::{Call, ServerStream};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use trilane_wire::{Code, Status, path};

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
    services: BTreeSet<String>,
    pub unknown: Option<Arc<Handler>>,
}

impl Router {
    pub fn add(&mut self, path: &str, handler: Handler) {
        if let Some((service, _)) = path::split(path) {
            self.services.insert(service.to_string());
        }
        self.methods.insert(path.to_string(), Arc::new(handler));
    }

    /// The handler of a path: exact; then as dubbo-java looks it up, without a context path and with the method's
    /// first letter in the other case.
    pub fn find(&self, asked: &str) -> Result<Arc<Handler>, Status> {
        if let Some(found) = self.methods.get(asked) {
            return Ok(found.clone());
        }
        let Some((full, method)) = path::split(asked) else {
            return self.unknown.clone().ok_or_else(|| {
                Status::new(Code::Unimplemented, format!("{asked} is no path of a call; /service/method is expected"))
            });
        };
        let service = path::without_context(full);
        for name in [Some(method.to_string()), path::other_case(method)].into_iter().flatten() {
            if let Some(found) = self.methods.get(&format!("/{service}/{name}")) {
                return Ok(found.clone());
            }
        }
        self.unknown.clone().ok_or_else(|| {
            let why = match self.services.contains(service) {
                true => format!("service {service} has no method {method} here"),
                false => format!("there is no service {service} here"),
            };
            Status::new(Code::Unimplemented, why)
        })
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
            assert!(router().find(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        for (path, want) in [
            ("/shop.Greeter/Bye", "service shop.Greeter has no method Bye"),
            ("/shop.Other/SayHello", "no service shop.Other"),
            ("/x", "no path of a call"),
        ] {
            let status = router().find(path).err().unwrap();
            assert_eq!(status.code(), Code::Unimplemented);
            assert!(status.message().contains(want), "{status}");
        }
    }
}
