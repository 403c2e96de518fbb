//! ASM's dialect: TrafficLabel, ASMSwimLaneGroup, ASMSwimLane, and Istio's kinds with ASM's additions.

mod label;
mod lanes;

use super::Context;
use super::istio;
use crate::model::Model;
use crate::rules::walk::Value;

/// Lowers documents of this dialect. Settings: `namespace` and `gateway` (`namespace/name`) of the calling side.
pub fn lower<'a>(documents: &[Value<'a>], context: &Context<'a>) -> Model {
    let documents = istio::open(documents, true);
    let bare = istio::scope(context, true);
    let labels = label::read(&documents, &bare);
    let sources = label::sources(&labels);
    let scope = istio::Scope { labels: &sources, ..bare };
    let groups = lanes::read(&documents, &scope);
    let mut layer = istio::lower_rules(&istio::rules(&documents, scope));
    let mut tags = lanes::tags(&groups, &scope);
    tags.extend(label::tags(&labels));
    layer.services.extend(lanes::services(&groups, &scope));
    layer.services.push(istio::everybody_else());
    Model { tags, layers: vec![layer] }
}
