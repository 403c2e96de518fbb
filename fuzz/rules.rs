//! What the rule targets check: any text is accepted or refused, and what was accepted decides.
//! `core/lane/tests/fuzz.rs` runs the same without a fuzzer.

use std::sync::Arc;
use trilane_lane::model::chain::Chain;
use trilane_lane::model::decide::{Entropy, Facts, decide};
use trilane_lane::model::plan::{Endpoint, Plan};
use trilane_lane::model::{Caller, Field};
use trilane_lane::rules;
use trilane_lane::rules::dialect::{Context, Dialect, read};

/// The same value for every field.
struct All<'v>(&'v str);

impl Facts for All<'_> {
    fn value(&self, _: usize, _: &Field) -> Option<&str> {
        Some(self.0)
    }
}

/// Reads a text and decides by it; answers whether it was accepted. Never panics.
pub fn through(dialect: Dialect, text: &str) -> bool {
    if dialect == Dialect::Native {
        return rules::check("f", text).is_ok();
    }
    let Ok(lowered) = read(dialect, "f", text, &Context::default()) else { return false };
    let label = |name: &str, value: &str| (Arc::from(name), Arc::from(value));
    let endpoints: Vec<Endpoint> = [("v1", "abc"), ("v2", "yyy")]
        .iter()
        .map(|(version, env)| Endpoint {
            address: format!("10.0.0.1:{}", version.len()).into(),
            labels: [label("version", version), label("env", env)].into(),
            healthy: true,
            ..Endpoint::default()
        })
        .collect();
    for service in ["reviews", "myapp", "order", "x"] {
        let chain = Chain::new(&lowered.model.services_of(&[service]), &Caller::default());
        let plan = Plan::new(Arc::new(chain), &endpoints);
        for value in ["gray", ""] {
            let _ = decide(&plan, &All(value), &mut Entropy(7), &mut ());
        }
    }
    true
}
