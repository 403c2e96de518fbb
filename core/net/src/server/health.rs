//! `grpc.health.v1.Health`.

use super::ServerBuilder;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;
use trilane_wire::{Code, Status, proto};

const SERVING: u64 = 1;
const NOT_SERVING: u64 = 2;
const SERVICE_UNKNOWN: u64 = 3;

type States = HashMap<String, bool>;

/// Whether services are fit to be called; the empty name is the whole server.
#[derive(Clone)]
pub struct Health {
    states: Arc<watch::Sender<States>>,
}

impl Default for Health {
    fn default() -> Self {
        let states = watch::Sender::new(HashMap::from([(String::new(), true)]));
        Self { states: Arc::new(states) }
    }
}

impl Health {
    /// Sets a service's state and tells those who watch it.
    pub fn set(&self, service: &str, serving: bool) {
        self.states.send_modify(|states| {
            states.insert(service.to_string(), serving);
        });
    }

    /// Hosts `Check` and `Watch`.
    pub fn host(&self, builder: ServerBuilder) -> ServerBuilder {
        let (check, watched) = (self.states.clone(), self.states.clone());
        builder
            .unary("/grpc.health.v1.Health/Check", move |_, request| {
                let service = asked(&request)?;
                match check.borrow().get(&service) {
                    Some(serving) => Ok(answer(if *serving { SERVING } else { NOT_SERVING })),
                    None => Err(Status::new(Code::NotFound, format!("the health of {service} is not known here"))),
                }
            })
            .stream("/grpc.health.v1.Health/Watch", move |stream| {
                let mut states = watched.subscribe();
                Box::pin(async move {
                    let missing = || Status::new(Code::Unimplemented, "the request has no message");
                    let service = asked(&stream.message().await?.ok_or_else(missing)?.data)?;
                    let mut last = 0;
                    loop {
                        let now = match states.borrow_and_update().get(&service) {
                            Some(true) => SERVING,
                            Some(false) => NOT_SERVING,
                            None => SERVICE_UNKNOWN,
                        };
                        if now != last {
                            stream.send(answer(now)).await?;
                            last = now;
                        }
                        if states.changed().await.is_err() {
                            return Ok(());
                        }
                    }
                })
            })
    }

    /// What is hosted, as a serialized `google.protobuf.FileDescriptorSet`: for [`super::Reflection::with`].
    pub fn descriptors() -> Vec<u8> {
        const STATUS: &[u8] = b".grpc.health.v1.HealthCheckResponse.ServingStatus";
        const REQUEST: (u32, &[u8]) = (2, b".grpc.health.v1.HealthCheckRequest");
        const RESPONSE: (u32, &[u8]) = (3, b".grpc.health.v1.HealthCheckResponse");
        // A field that may be there once (label 1), of type string (9) or enum (14).
        let service = described("service", &[], &[(3, 1), (4, 1), (5, 9)]);
        let status = described("status", &[(6, STATUS)], &[(3, 1), (4, 1), (5, 14)]);
        let states = [("UNKNOWN", 0), ("SERVING", SERVING), ("NOT_SERVING", NOT_SERVING)];
        let states = [&states[..], &[("SERVICE_UNKNOWN", SERVICE_UNKNOWN)]].concat();
        let states: Vec<_> = states.iter().map(|(name, number)| described(name, &[], &[(2, *number)])).collect();
        let states: Vec<_> = states.iter().map(|state| (2, &state[..])).collect();
        let states = described("ServingStatus", &states, &[]);
        let request = described("HealthCheckRequest", &[(2, &service)], &[]);
        let response = described("HealthCheckResponse", &[(2, &status), (4, &states)], &[]);
        let check = described("Check", &[REQUEST, RESPONSE], &[]);
        let watch = described("Watch", &[REQUEST, RESPONSE], &[(6, 1)]); // the server streams
        let hosted = described("Health", &[(2, &check), (2, &watch)], &[]);
        let parts = [(2, &b"grpc.health.v1"[..]), (4, &request), (4, &response), (6, &hosted), (12, b"proto3")];
        let mut set = Vec::new();
        proto::put_bytes(&mut set, 1, &described("grpc/health/v1/health.proto", &parts, &[]));
        set
    }
}

/// A message of descriptor.proto: its name is field 1 in each of them, then parts and numbers by their fields.
fn described(name: &str, parts: &[(u32, &[u8])], numbers: &[(u32, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    proto::put_bytes(&mut out, 1, name.as_bytes());
    parts.iter().for_each(|(field, part)| proto::put_bytes(&mut out, *field, part));
    numbers.iter().for_each(|(field, number)| proto::put_varint(&mut out, *field, *number));
    out
}

fn asked(request: &[u8]) -> Result<String, Status> {
    let mut service = String::new();
    for field in proto::fields(request) {
        let bad = Status::new(Code::InvalidArgument, "the request is no HealthCheckRequest");
        let field = field.map_err(|_| bad.clone())?;
        if field.number == 1 {
            service = field.text().ok_or(bad)?.to_string();
        }
    }
    Ok(service)
}

fn answer(state: u64) -> Bytes {
    let mut out = Vec::new();
    proto::put_varint(&mut out, 1, state);
    out.into()
}
