//! Istio's dialect: VirtualService, DestinationRule, ServiceEntry. ASM's reads the same kinds through [`open`].
//!
//! What is lowered, noted or refused: docs/dialects.md.

mod destination;
mod host;
mod lower;
mod matches;
mod policy;
mod values;
mod virtual_service;

pub(super) use lower::{Rules, default_lane_policy, everybody_else, lower as lower_rules, names_of};
pub(super) use matches::{LabelSources, Scope, matches};
pub(super) use values::{Of, string_match};

use super::Context;
use crate::model::Model;
use crate::rules::walk::Value;

/// The workload label by which ASM tells environments apart.
pub(super) const ASM_TAG_LABEL: &str = "ASM_TRAFFIC_TAG";

/// One document: its kind and where it belongs.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub kind: &'a str,
    pub name: &'a str,
    pub namespace: &'a str,
    /// Its namespace is written.
    pub placed: bool,
    pub metadata: Option<Value<'a>>,
    pub spec: Value<'a>,
    pub at: Value<'a>,
}

const KINDS: &[&str] = &["VirtualService", "DestinationRule", "ServiceEntry"];
const ASM_KINDS: &[&str] = &["TrafficLabel", "ASMSwimLaneGroup", "ASMSwimLane"];
/// Kinds that stand beside ours in the same files.
const NOT_OURS: &[&str] = &[
    "Gateway",
    "Sidecar",
    "EnvoyFilter",
    "WorkloadEntry",
    "WorkloadGroup",
    "ProxyConfig",
    "AuthorizationPolicy",
    "PeerAuthentication",
    "RequestAuthentication",
    "Telemetry",
    "WasmPlugin",
    "Service",
    "Deployment",
    "Namespace",
    "ConfigMap",
    "ASMHeaderPropagation",
    "ServiceAccount",
    "Pod",
];

/// The documents of a text, lists opened, kinds checked.
pub(super) fn open<'a>(values: &[Value<'a>], asm: bool) -> Vec<Document<'a>> {
    let mut found = Vec::new();
    for value in values {
        document(*value, asm, &mut found);
    }
    found
}

/// Lowers documents of this dialect. Settings: `namespace` and `gateway` (`namespace/name`) of the calling side.
pub fn lower<'a>(documents: &[Value<'a>], context: &Context<'a>) -> Model {
    let scope = scope(context, false);
    let mut layer = lower::lower(&rules(&open(documents, false), scope));
    layer.services.push(everybody_else());
    Model { tags: Vec::new(), layers: vec![layer] }
}

/// From where rules are read, as far as settings tell.
pub(super) fn scope<'a>(context: &Context<'a>, asm: bool) -> Scope<'a> {
    let setting = |name| context.setting(name).unwrap_or("");
    Scope { namespace: "default", caller: setting("namespace"), gateway: setting("gateway"), asm, labels: &[] }
}

fn document<'a>(value: Value<'a>, asm: bool, found: &mut Vec<Document<'a>>) {
    let kind = value.node().field("kind").and_then(|k| k.scalar()).unwrap_or("");
    if kind == "List" {
        let Some(fields) = value.fields(&["apiVersion", "kind", "items", "metadata"], &[]) else { return };
        fields.list("items").into_iter().for_each(|item| document(item, asm, found));
        return;
    }
    let known = ["apiVersion", "kind", "metadata", "spec", "dialect"];
    let Some(fields) = value.fields(&known, &[("status", "it is what was")]) else { return };
    if fields.get("dialect").is_some() && kind.is_empty() {
        return;
    }
    let (Some(version), Some(at)) = (fields.need("apiVersion").and_then(Value::text), fields.need("kind")) else {
        return;
    };
    if NOT_OURS.contains(&kind) {
        at.note(format!("a {kind} says nothing about lanes: it changes nothing here"));
        return;
    }
    let known: Vec<&str> = KINDS.iter().chain(if asm { ASM_KINDS } else { &[] }).copied().collect();
    if !known.contains(&kind) {
        match ASM_KINDS.contains(&kind) {
            true => at.problem(format!("`{kind}` is a kind of ASM"), "the dialect `asm`"),
            false => at.unknown("kind that is known here", kind, &known),
        }
        return;
    }
    let group = if ASM_KINDS.contains(&kind) { "istio.alibabacloud.com/" } else { "networking.istio.io/" };
    let versions = ["v1", "v1beta1", "v1alpha3"].map(|v| format!("{group}{v}"));
    if !versions.iter().any(|v| v == version) {
        let known: Vec<&str> = versions.iter().map(String::as_str).collect();
        fields.get("apiVersion").unwrap_or(value).unknown("apiVersion of this kind", version, &known);
    }
    let metadata = fields.get("metadata");
    let text = |name: &str| metadata.and_then(|m| m.node().field(name)).and_then(|n| n.scalar());
    let Some(spec) = fields.need("spec") else { return };
    let (name, namespace) = (text("name").unwrap_or(""), text("namespace"));
    let placed = namespace.is_some();
    found.push(Document { kind, name, namespace: namespace.unwrap_or("default"), placed, metadata, spec, at });
}

/// The kinds of Istio in a text.
pub(super) fn rules<'a>(documents: &[Document<'a>], scope: Scope<'a>) -> Rules<'a> {
    let mut rules = Rules { services: Vec::new(), destinations: Vec::new(), entries: Vec::new(), scope };
    for document in documents {
        let Document { name, namespace, spec, .. } = *document;
        match document.kind {
            "VirtualService" => rules.services.extend(virtual_service::read(spec, (name, namespace), &scope)),
            "DestinationRule" => rules.destinations.extend(destination::rule(spec, namespace, &scope)),
            "ServiceEntry" => rules.entries.extend(destination::entry(spec, namespace, &scope)),
            _ => {}
        }
    }
    rules
}
