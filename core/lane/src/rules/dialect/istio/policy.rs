//! What a rule says of a call besides where it goes: faults, mirrors, timeout, retries, balancing, outliers.

use super::values::{duration, per_cent, percentage};
use crate::model::{Balance, Field, Mirror, Outliers, Policy, Retries};
use crate::rules::walk::{Fields, Value};

/// The policy of one http route.
pub(super) fn of_route(fields: Fields<'_>) -> Policy {
    let mut policy = Policy {
        timeout: fields.get("timeout").and_then(duration),
        retries: fields.get("retries").and_then(retries),
        ..Policy::default()
    };
    fault(fields, &mut policy);
    mirrors(fields, &mut policy);
    policy
}

fn retries(value: Value<'_>) -> Option<Retries> {
    let unused = [
        ("retryRemoteLocalities", "localities are not told apart"),
        ("retryIgnorePreviousHosts", "the framework's own retry decides"),
        ("backoff", "the framework's own retry decides"),
    ];
    let fields = value.fields(&["attempts", "perTryTimeout", "retryOn"], &unused)?;
    let attempts = fields.get("attempts").and_then(|n| n.number(0, 1_000u32)).unwrap_or(0);
    let on = fields.text("retryOn").unwrap_or("");
    let words: Vec<Box<str>> = on.split(',').map(str::trim).filter(|w| !w.is_empty()).map(Into::into).collect();
    for word in &words {
        if !RETRY_ON.contains(&&**word) && !word.parse::<u16>().is_ok_and(|code| (100..600).contains(&code)) {
            fields.get("retryOn")?.unknown("condition of a retry", word, RETRY_ON);
        }
    }
    Some(Retries { attempts, per_try: fields.get("perTryTimeout").and_then(duration), on: words })
}

/// Envoy's words, `x-envoy-retry-on` and `x-envoy-retry-grpc-on`.
const RETRY_ON: &[&str] = &[
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

fn fault(fields: Fields<'_>, policy: &mut Policy) {
    let Some(fault) = fields.get("fault").and_then(|f| f.fields(&["delay", "abort"], &[])) else { return };
    if let Some(delay) = fault.get("delay") {
        let unused = [("exponentialDelay", "only fixedDelay is injected (Istio too)")];
        let Some(fields) = delay.fields(&["fixedDelay", "percentage", "percent"], &unused) else { return };
        policy.delay = fields.need("fixedDelay").and_then(duration).zip(share(fields));
    }
    if let Some(abort) = fault.get("abort") {
        let Some(fields) = abort.fields(&["httpStatus", "grpcStatus", "http2Error", "percentage"], &[]) else { return };
        if let Some(error) = fields.get("http2Error") {
            error.problem("HTTP/2 errors are not injected (Istio refuses them too)", "httpStatus or grpcStatus");
        }
        let status = match fields.get("httpStatus") {
            Some(status) => status.number(200, 599u16).map(|status| status.to_string()),
            None => fields.text("grpcStatus").map(str::to_string),
        };
        if status.is_none() && !abort.node().is_null() && fields.get("httpStatus").is_none() {
            abort.problem("an abort without a status", "httpStatus or grpcStatus");
        }
        policy.abort = status.map(Into::into).zip(share(fields));
    }
}

/// `percentage: {value}` or the older `percent`; all where neither is written.
fn share(fields: Fields<'_>) -> Option<u32> {
    match fields.get("percent") {
        Some(percent) => per_cent(percent),
        None => percentage(fields.get("percentage")),
    }
}

fn mirrors(fields: Fields<'_>, policy: &mut Policy) {
    if let (Some(_), Some(second)) = (fields.get("mirror"), fields.get("mirrors")) {
        second.problem("`mirror` and `mirrors` exclude each other", "one of them");
    }
    let add = |policy: &mut Policy, to: Value<'_>, share: Option<u32>| {
        let told = || {
            let to = to.fields(&["host", "subset"], &[("port", "copies go to the port of the original")])?;
            let host = to.need("host")?.text()?.into();
            Some(Mirror { host, subset: to.text("subset").unwrap_or("").into(), share: share? })
        };
        policy.mirror.extend(told());
    };
    if let Some(mirror) = fields.get("mirror") {
        let share = match fields.get("mirrorPercent") {
            Some(percent) => per_cent(percent),
            None => percentage(fields.get("mirrorPercentage")),
        };
        add(policy, mirror, share);
    }
    for mirror in fields.list("mirrors") {
        let Some(fields) = mirror.fields(&["destination", "percentage"], &[]) else { continue };
        if let Some(to) = fields.need("destination") {
            add(policy, to, percentage(fields.get("percentage")));
        }
    }
}

/// `trafficPolicy`: balancing and outliers; what belongs to the transport is noted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic {
    pub balance: Option<Balance>,
    pub outliers: Option<Outliers>,
    /// ASM's `dynamicSubset`: labels of which every value is a subset.
    pub keys: Vec<String>,
    /// `portLevelSettings`.
    pub ports: Vec<(u16, Traffic)>,
}

const TRANSPORT: &str = "the application's own client decides it";

pub(super) fn traffic(value: Value<'_>, asm: bool, top: bool) -> Option<Traffic> {
    let known: &[&str] = match top {
        true => &["loadBalancer", "outlierDetection", "portLevelSettings"],
        false => &["port", "loadBalancer", "outlierDetection"],
    };
    let unused = [
        ("connectionPool", TRANSPORT),
        ("tls", TRANSPORT),
        ("tunnel", TRANSPORT),
        ("proxyProtocol", TRANSPORT),
        ("retryBudget", TRANSPORT),
    ];
    let fields = value.fields(known, &unused)?;
    let mut traffic = Traffic { outliers: fields.get("outlierDetection").and_then(outliers), ..Traffic::default() };
    if let Some(balancer) = fields.get("loadBalancer") {
        balance(balancer, asm, &mut traffic);
    }
    for setting in fields.list("portLevelSettings") {
        let port = || {
            let port = setting.node().field("port")?.field("number")?.scalar()?.parse().ok();
            if port.is_none() {
                setting.problem("a setting for no port", "port: {number: 8080}");
            }
            port
        };
        traffic.ports.extend(port().zip(self::traffic(setting, asm, false)));
    }
    Some(traffic)
}

fn balance(value: Value<'_>, asm: bool, traffic: &mut Traffic) -> Option<()> {
    let mut known = vec!["simple", "consistentHash"];
    if asm {
        known.push("dynamicSubset");
    }
    const LOCALITY: &str = "localities are not told apart";
    const WARM: &str = "the framework's own warm-up decides";
    let unused = [
        ("localityLbSetting", LOCALITY),
        ("zoneAwareLbSetting", LOCALITY),
        ("warmup", WARM),
        ("warmupDurationSecs", WARM),
    ];
    let fields = value.fields(&known, &unused)?;
    if let Some(simple) = fields.get("simple") {
        use Balance::*;
        let words = [
            ("ROUND_ROBIN", Some(RoundRobin)),
            ("LEAST_REQUEST", Some(LeastRequest)),
            ("LEAST_CONN", Some(LeastRequest)),
            ("RANDOM", Some(Random)),
            ("PASSTHROUGH", Some(Passthrough)),
            ("UNSPECIFIED", None),
        ];
        let text = simple.text()?;
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, balance)) => traffic.balance = balance.clone(),
            None => simple.unknown("load balancer", text, &words.each_ref().map(|(word, _)| *word)),
        }
    }
    if let Some(hash) = fields.get("consistentHash") {
        if let Some(simple) = fields.get("simple") {
            simple.problem("`simple` and `consistentHash` exclude each other", "one of them");
        }
        traffic.balance = consistent_hash(hash).map(Balance::ConsistentHash);
    }
    for selector in fields.get("dynamicSubset")?.fields(&["subsetSelectors"], &[])?.list("subsetSelectors") {
        let unused = [("fallbackPolicy", "fallbacks are written at the route"), ("defaultSubset", "as fallbackPolicy")];
        for key in selector.fields(&["keys"], &unused)?.list("keys") {
            traffic.keys.extend(key.text().map(str::to_string));
        }
    }
    Some(())
}

fn consistent_hash(value: Value<'_>) -> Option<Field> {
    const RING: &str = "the library's own hash has no ring to size";
    let known = ["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"];
    let unused = [("ringHash", RING), ("maglev", RING), ("minimumRingSize", RING)];
    let fields = value.fields(&known, &unused)?;
    let written: Vec<&str> = known.into_iter().filter(|name| fields.get(name).is_some()).collect();
    match written[..] {
        ["httpHeaderName"] => Some(Field::Header(fields.text("httpHeaderName")?.to_ascii_lowercase().into())),
        ["httpQueryParameterName"] => Some(Field::Query(fields.text("httpQueryParameterName")?.into())),
        ["useSourceIp"] => fields.boolean("useSourceIp", false).then_some(Field::CallerHost),
        ["httpCookie"] => {
            let made = "cookies are not made here";
            let unused = [("path", made), ("ttl", made), ("attributes", made)];
            Some(Field::Cookie(fields.get("httpCookie")?.fields(&["name"], &unused)?.need("name")?.text()?.into()))
        }
        _ => {
            value.problem("a hash has exactly one key", format!("one of {}", known.join(", ")));
            None
        }
    }
}

fn outliers(value: Value<'_>) -> Option<Outliers> {
    let unused = [
        ("splitExternalLocalOriginErrors", TRANSPORT),
        ("consecutiveLocalOriginFailures", TRANSPORT),
        ("consecutiveGatewayErrors", "consecutive5xxErrors counts them too"),
        ("minHealthPercent", "an empty set is a matter of fallbacks"),
        ("outlierDetectionHttpErrorCodes", TRANSPORT),
    ];
    let known = ["consecutive5xxErrors", "consecutiveErrors", "interval", "baseEjectionTime", "maxEjectionPercent"];
    let fields = value.fields(&known, &unused)?;
    let consecutive = fields.get("consecutive5xxErrors").or(fields.get("consecutiveErrors"));
    // The defaults are Istio's.
    Some(Outliers {
        consecutive: consecutive.map_or(Some(5), |n| n.number(0, u32::MAX))?,
        interval: fields.get("interval").map_or(Some(10_000), duration)?,
        ejection: fields.get("baseEjectionTime").map_or(Some(30_000), duration)?,
        most: fields.get("maxEjectionPercent").map_or(Some(10), |n| n.number(0, 100))?,
    })
}
