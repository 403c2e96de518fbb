//! Which tag a request gets: the first tag rule that holds and gives one.

use super::chain::{Cond, compile};
use super::decide::{Choose, Facts, Watch, holds};
use super::{Caller, Field, Model, TagSource};
use crate::tag;

/// The tag rules of a model, compiled for one process.
#[derive(Clone, Debug)]
pub struct TagPlan {
    rules: Vec<(Cond, TagSource, u32)>,
    fields: Vec<Field>,
    caller: Caller,
}

/// What a tag plan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tagged<'v> {
    /// The tag; none: baseline.
    pub tag: Option<&'v str>,
    /// Line of the rule that gave it; none when no rule did.
    pub line: Option<u32>,
}

impl TagPlan {
    /// Compiles. `caller` is the process that tags: its labels may be a source.
    pub fn new(model: &Model, caller: &Caller) -> TagPlan {
        let conditions: Vec<_> = model.tags.iter().map(|rule| &rule.when).collect();
        let sources = model.tags.iter().filter_map(|rule| match &rule.from {
            TagSource::Field(field) | TagSource::Table(field) => Some(field),
            _ => None,
        });
        let (compiled, fields) = compile(&conditions, &sources.collect::<Vec<_>>(), caller);
        let rules = compiled.into_iter().zip(&model.tags).map(|(c, r)| (c, r.from.clone(), r.line)).collect();
        TagPlan { rules, fields, caller: caller.clone() }
    }

    /// The values that it reads, by slot.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The tag of a request. `own` is what it came with, and what it keeps where there are no rules; `table` is what
    /// the trace-id table knows under a key.
    pub fn decide<'v, F: Facts + ?Sized, C: Choose, W: Watch>(
        &'v self,
        facts: &'v F,
        own: Option<&'v str>,
        table: &dyn Fn(&str) -> Option<&'v str>,
        choose: &mut C,
        watch: &mut W,
    ) -> Tagged<'v> {
        if self.rules.is_empty() {
            return Tagged { tag: own, line: None };
        }
        let value = |field: &Field| match field {
            Field::Tag => own,
            field if field.of_caller() => self.caller.value(field),
            field => self.fields.iter().position(|f| f == field).and_then(|slot| facts.value(slot, field)),
        };
        for (when, from, line) in &self.rules {
            if !holds(when, &self.fields, facts, choose, watch) {
                continue;
            }
            let found = match from {
                TagSource::Nothing => return Tagged { tag: None, line: Some(*line) },
                TagSource::Fixed(tag) => Some(&**tag),
                TagSource::Field(field) => value(field),
                TagSource::Table(field) => value(field).and_then(table),
            };
            if let Some(tag) = found.and_then(|text| tag::parse(text.as_bytes())) {
                return Tagged { tag: Some(tag), line: Some(*line) };
            }
        }
        Tagged { tag: None, line: None }
    }
}
