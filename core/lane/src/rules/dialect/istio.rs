//! Istio: VirtualService, DestinationRule, ServiceEntry.

use super::Context;
use crate::model::Model;
use crate::rules::walk::Value;

/// Lowers documents of this dialect.
pub fn lower(documents: &[Value<'_>], _context: &Context<'_>) -> Model {
    if let Some(document) = documents.first() {
        document.problem("this dialect is not built yet", "another dialect");
    }
    Model::default()
}
