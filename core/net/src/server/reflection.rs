//! `grpc.reflection.v1.ServerReflection`, and `v1alpha` with the same messages.

use super::ServerBuilder;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use trilane_wire::{Code, Status, proto};

/// Files of descriptors, indexed by what clients ask for.
#[derive(Default)]
pub struct Reflection {
    files: HashMap<String, (Bytes, Vec<String>)>,
    /// Symbol to the name of its file.
    symbols: HashMap<String, String>,
    /// Extended message and number to the name of the extension's file.
    extensions: BTreeMap<(String, u64), String>,
    services: BTreeSet<String>,
}

impl Reflection {
    /// Adds every file of a serialized `google.protobuf.FileDescriptorSet`.
    pub fn with(mut self, set: &[u8]) -> Result<Self, Status> {
        let bad = || Status::new(Code::InvalidArgument, "the bytes are no FileDescriptorSet");
        for field in proto::fields(set) {
            if let Some(file) = field.map_err(|_| bad())?.bytes() {
                self.file(file).ok_or_else(bad)?;
            }
        }
        Ok(self)
    }

    fn file(&mut self, bytes: &[u8]) -> Option<()> {
        let (mut name, mut package, mut needs) = (String::new(), String::new(), Vec::new());
        for field in proto::fields(bytes).flatten() {
            match field.number {
                1 => name = field.text()?.to_string(),
                2 => package = field.text()?.to_string(),
                3 => needs.push(field.text()?.to_string()),
                _ => {}
            }
        }
        for field in proto::fields(bytes).flatten() {
            match field.number {
                4 => self.message(&name, &package, field.bytes()?, 0)?,
                5 => drop(self.symbol(&name, &package, field.bytes()?)?),
                6 => {
                    let service = self.symbol(&name, &package, field.bytes()?)?;
                    for method in proto::fields(field.bytes()?).flatten().filter(|f| f.number == 2) {
                        self.symbol(&name, &service, method.bytes()?)?;
                    }
                    self.services.insert(service);
                }
                7 => self.extension(&name, &package, field.bytes()?)?,
                _ => {}
            }
        }
        self.files.insert(name, (Bytes::copy_from_slice(bytes), needs));
        Some(())
    }

    fn symbol(&mut self, file: &str, scope: &str, descriptor: &[u8]) -> Option<String> {
        let name = proto::fields(descriptor).flatten().find(|f| f.number == 1)?.text()?.to_string();
        let full = if scope.is_empty() { name } else { format!("{scope}.{name}") };
        self.symbols.insert(full.clone(), file.to_string());
        Some(full)
    }

    fn message(&mut self, file: &str, scope: &str, descriptor: &[u8], depth: usize) -> Option<()> {
        let full = self.symbol(file, scope, descriptor)?;
        for field in proto::fields(descriptor).flatten() {
            match field.number {
                3 if depth < 32 => self.message(file, &full, field.bytes()?, depth + 1)?,
                4 => drop(self.symbol(file, &full, field.bytes()?)?),
                6 => self.extension(file, &full, field.bytes()?)?,
                _ => {}
            }
        }
        Some(())
    }

    fn extension(&mut self, file: &str, scope: &str, descriptor: &[u8]) -> Option<()> {
        self.symbol(file, scope, descriptor)?;
        let (mut extended, mut number) = (String::new(), 0);
        for field in proto::fields(descriptor).flatten() {
            match field.number {
                2 => extended = field.text()?.trim_start_matches('.').to_string(),
                3 => number = field.varint()?,
                _ => {}
            }
        }
        self.extensions.insert((extended, number), file.to_string());
        Some(())
    }

    /// Hosts both versions of the service.
    pub fn host(self, mut builder: ServerBuilder) -> ServerBuilder {
        let all = Arc::new(self);
        for version in ["v1", "v1alpha"] {
            let all = all.clone();
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            builder = builder.stream(&path, move |stream| {
                let all = all.clone();
                Box::pin(async move {
                    let mut sent = BTreeSet::new();
                    while let Some(request) = stream.message().await? {
                        let answer = all.answer(&request.data, &mut sent);
                        stream.send(answer.into()).await?;
                    }
                    Ok(())
                })
            });
        }
        builder
    }

    /// A `ServerReflectionResponse` to a `ServerReflectionRequest`. A file that this stream has sent already is not
    /// sent again as a dependency.
    fn answer(&self, request: &[u8], sent: &mut BTreeSet<String>) -> Vec<u8> {
        let mut out = Vec::new();
        for field in proto::fields(request).flatten().filter(|f| f.number == 1) {
            proto::put_bytes(&mut out, 1, field.bytes().unwrap_or_default());
        }
        proto::put_bytes(&mut out, 2, request);
        let asked = proto::fields(request).flatten().find(|f| (3..=7).contains(&f.number));
        let text = asked.and_then(|f| f.text()).unwrap_or_default();
        let found = match asked.map(|f| f.number) {
            Some(3) => self.with_needs(text, sent).map(|m| (4, m)),
            Some(4) => self.symbols.get(text).and_then(|f| self.with_needs(f, sent)).map(|m| (4, m)),
            Some(5) => self.extension_file(asked.and_then(|f| f.bytes()).unwrap_or_default(), sent).map(|m| (4, m)),
            Some(6) => self.extension_numbers(text).map(|m| (5, m)),
            Some(7) => Some((6, self.list())),
            _ => None,
        };
        let (number, message) = found.unwrap_or_else(|| {
            let mut error = Vec::new();
            proto::put_varint(&mut error, 1, u64::from(Code::NotFound.number()));
            proto::put_bytes(&mut error, 2, format!("{text} is not known here").as_bytes());
            (7, error)
        });
        proto::put_bytes(&mut out, number, &message);
        out
    }

    fn with_needs(&self, name: &str, sent: &mut BTreeSet<String>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut open = vec![(name, true)];
        self.files.get(name)?;
        while let Some((name, asked)) = open.pop() {
            let Some((bytes, needs)) = self.files.get(name) else { continue };
            if sent.insert(name.to_string()) || asked {
                proto::put_bytes(&mut out, 1, bytes);
                open.extend(needs.iter().map(|n| (n.as_str(), false)));
            }
        }
        Some(out)
    }

    fn extension_file(&self, request: &[u8], sent: &mut BTreeSet<String>) -> Option<Vec<u8>> {
        let (mut extended, mut number) = ("", 0);
        for field in proto::fields(request).flatten() {
            match field.number {
                1 => extended = field.text()?,
                2 => number = field.varint()?,
                _ => {}
            }
        }
        let file = self.extensions.get(&(extended.to_string(), number))?;
        self.with_needs(file, sent)
    }

    fn extension_numbers(&self, extended: &str) -> Option<Vec<u8>> {
        self.symbols.get(extended)?;
        let mut out = Vec::new();
        proto::put_bytes(&mut out, 1, extended.as_bytes());
        for (_, number) in self.extensions.keys().filter(|(message, _)| message == extended) {
            proto::put_varint(&mut out, 2, *number);
        }
        Some(out)
    }

    fn list(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for service in &self.services {
            let mut one = Vec::new();
            proto::put_bytes(&mut one, 1, service.as_bytes());
            proto::put_bytes(&mut out, 1, &one);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(number: u32, name: &str, more: &[(u32, Vec<u8>)]) -> (u32, Vec<u8>) {
        let mut out = Vec::new();
        proto::put_bytes(&mut out, 1, name.as_bytes());
        for (n, bytes) in more {
            proto::put_bytes(&mut out, *n, bytes);
        }
        (number, out)
    }

    fn set() -> Vec<u8> {
        let message = nested(4, "Order", &[nested(3, "Line", &[]), nested(4, "Kind", &[])]);
        let service = nested(6, "Shop", &[nested(2, "Buy", &[])]);
        let (_, shop) =
            nested(1, "shop.proto", &[(2, b"acme".to_vec()), (3, b"base.proto".to_vec()), message, service]);
        let (_, base) = nested(1, "base.proto", &[nested(4, "Base", &[])]);
        let mut out = Vec::new();
        proto::put_bytes(&mut out, 1, &shop);
        proto::put_bytes(&mut out, 1, &base);
        out
    }

    fn ask(all: &Reflection, number: u32, text: &str, sent: &mut BTreeSet<String>) -> (u32, usize) {
        let mut request = Vec::new();
        proto::put_bytes(&mut request, number, text.as_bytes());
        let answer = all.answer(&request, sent);
        let field = proto::fields(&answer).flatten().find(|f| f.number > 2).unwrap();
        (field.number, proto::fields(field.bytes().unwrap()).flatten().filter(|f| f.number == 1).count())
    }

    #[test]
    fn finds_symbols_of_every_depth_with_the_files_they_need() {
        let all = Reflection::default().with(&set()).unwrap();
        for symbol in ["acme.Order", "acme.Order.Line", "acme.Order.Kind", "acme.Shop", "acme.Shop.Buy"] {
            assert_eq!(ask(&all, 4, symbol, &mut BTreeSet::new()), (4, 2), "{symbol}");
        }
        assert_eq!(ask(&all, 3, "base.proto", &mut BTreeSet::new()), (4, 1));
        assert_eq!(ask(&all, 7, "*", &mut BTreeSet::new()), (6, 1));
        assert_eq!(ask(&all, 4, "acme.Nothing", &mut BTreeSet::new()).0, 7);
        let mut sent = BTreeSet::new();
        assert_eq!(ask(&all, 3, "base.proto", &mut sent), (4, 1));
        assert_eq!(ask(&all, 3, "shop.proto", &mut sent), (4, 1), "what it needs was sent");
    }

    #[test]
    fn health_is_described_as_it_is_hosted() {
        let all = Reflection::default().with(&super::super::Health::descriptors()).unwrap();
        for symbol in ["Health.Check", "Health.Watch", "HealthCheckRequest", "HealthCheckResponse.ServingStatus"] {
            let symbol = format!("grpc.health.v1.{symbol}");
            assert_eq!(ask(&all, 4, &symbol, &mut BTreeSet::new()), (4, 1), "{symbol}");
        }
        assert_eq!(all.services.iter().collect::<Vec<_>>(), ["grpc.health.v1.Health"]);
    }

    #[test]
    fn garbage_is_refused() {
        assert!(Reflection::default().with(b"\x0a\x05abc").is_err());
    }
}
