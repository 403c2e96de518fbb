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
