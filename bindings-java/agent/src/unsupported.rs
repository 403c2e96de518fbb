//! Libraries that carry requests and have no rows: named once, with what that means.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::start;
use trilane_engine::{Hook, Level};

/// A class that a program only loads when it uses the library; the library; what does not happen.
type Row = (&'static str, &'static str, &'static str);

const SERVER: &str = "the tag of requests that come in there is not read, nor are they coloured";
const CLIENT: &str = "calls that go out there carry no tag and are not routed";
const QUEUE: &str = "messages carry no tag: who receives one acts as baseline";

static ROWS: [Row; 13] = [
    ("org/springframework/web/reactive/DispatcherHandler", "spring-webflux", SERVER),
    ("org/springframework/cloud/gateway/handler/RoutePredicateHandlerMapping", "spring-cloud-gateway", SERVER),
    ("org/eclipse/jetty/server/Server", "jetty", SERVER),
    ("io/undertow/server/HttpServerExchange", "undertow", SERVER),
    ("io/grpc/internal/ServerImpl", "grpc-java server", SERVER),
    ("io/grpc/internal/ManagedChannelImpl", "grpc-java", CLIENT),
    ("reactor/netty/http/client/HttpClientConnect", "reactor-netty client", CLIENT),
    ("com/netflix/loadbalancer/BaseLoadBalancer", "ribbon", CLIENT),
    ("com/netflix/discovery/DiscoveryClient", "eureka", "a tagged copy registers without its tag"),
    ("org/apache/rocketmq/client/impl/producer/DefaultMQProducerImpl", "rocketmq", QUEUE),
    ("org/apache/kafka/clients/producer/KafkaProducer", "kafka producer", QUEUE),
    ("org/apache/kafka/clients/consumer/KafkaConsumer", "kafka consumer", QUEUE),
    ("com/rabbitmq/client/impl/AMQConnection", "rabbitmq", QUEUE),
];

/// One bit per row that was seen.
static SEEN: AtomicU32 = AtomicU32::new(0);

/// Looks at the name of a class that is being loaded. A few comparisons of lengths for nearly all of them.
pub(crate) fn look(class: &[u8]) {
    let Some(at) = ROWS.iter().position(|row| row.0.as_bytes() == class) else { return };
    if SEEN.fetch_or(1 << at, Ordering::Relaxed) >> at & 1 == 1 {
        return;
    }
    let (_, name, consequence) = ROWS[at];
    if let Some(engine) = start::engine() {
        engine.log(Level::Warn, "TRL-408", name, &format!("{name} is used here and has no hooks: {consequence}"));
    }
}

/// What was seen, as status shows it.
pub(crate) fn report() -> impl Iterator<Item = Hook> {
    let seen = SEEN.load(Ordering::Relaxed);
    let rows = ROWS.iter().enumerate().filter(move |(at, _)| seen >> at & 1 == 1);
    rows.map(|(_, row)| Hook { name: row.1, state: "unsupported", classes: 0, misfits: 0 })
}

/// Every library that is looked for: class, name, what does not happen.
#[cfg(test)]
pub(crate) fn rows() -> impl Iterator<Item = Row> {
    ROWS.iter().copied()
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_hooked_class_is_said_to_have_no_hooks() {
        let hooked: Vec<_> = crate::hooks::LIBRARIES.iter().flat_map(|l| l.rows).map(|row| row.class).collect();
        for (class, name, _) in super::ROWS {
            assert!(!hooked.contains(&class), "{name} has rows now: take it out of unsupported.rs");
        }
    }
}
