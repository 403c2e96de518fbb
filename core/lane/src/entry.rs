//! Entry rules: which requests without a tag does this service colour?

use crate::hash;
use crate::model::chain::{Cond, compile};
use crate::model::decide::{Choose, Entropy, Facts, holds};
use crate::model::{Caller, Condition, Field};
use crate::rules::Entry;
use crate::tag::{TagId, Tags};

/// The entry rules of one service, compiled. Deciding allocates nothing.
#[derive(Clone, Debug)]
pub struct EntryPlan {
    /// What its rules read, as bindings name it; values are passed by these positions.
    names: Vec<String>,
    fields: Vec<Field>,
    /// By field, the position of its name.
    at: Vec<usize>,
    rules: Vec<Rule>,
    by_chance: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    tag: TagId,
    when: Cond,
    share: Option<Share>,
}

#[derive(Clone, Debug)]
struct Share {
    /// Slot of the key; none: by chance.
    key: Option<usize>,
    salt: Vec<u8>,
    buckets: std::ops::Range<u16>,
}

/// The name under which bindings pass a value: a header or attachment by its own name, what has none with a colon.
/// `:path` is the path with its query, `:rpc-method` the called method, `:arg.0` the first argument's text, `:caller`
/// the calling service as the protocol names it.
pub fn name_of(field: &Field) -> String {
    match field {
        Field::Header(name) | Field::Attachment(name) => name.to_string(),
        Field::Cookie(_) => "cookie".into(),
        Field::Path | Field::Uri | Field::Query(_) => ":path".into(),
        Field::HttpMethod => ":method".into(),
        Field::Host => ":authority".into(),
        Field::Method => ":rpc-method".into(),
        Field::Argument(at) => format!(":arg.{at}"),
        Field::CallerOfRequest => ":caller".into(),
        Field::Service => ":service".into(),
        Field::Scheme => ":scheme".into(),
        Field::TraceId => ":trace-id".into(),
        _ => ":none".into(),
    }
}

/// The value of a field, out of what was passed under its name.
#[inline]
pub fn value_in<'v>(field: &Field, passed: &'v str) -> Option<&'v str> {
    match field {
        Field::Cookie(_) | Field::Path | Field::Query(_) => part_of(field, passed),
        _ => Some(passed),
    }
}

fn part_of<'v>(field: &Field, passed: &'v str) -> Option<&'v str> {
    match field {
        Field::Cookie(name) => {
            let mut pairs = passed.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(n, _)| **n == **name).map(|(_, value)| value)
        }
        Field::Path => Some(passed.split_once('?').map_or(passed, |(path, _)| path)),
        Field::Query(name) => {
            let query = passed.split_once('?')?.1.split('#').next()?;
            let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            pairs.find(|(n, _)| **n == **name).map(|(_, value)| value)
        }
        _ => Some(passed),
    }
}

impl EntryPlan {
    /// Compiles for a moment, in seconds since 1970: shares that warm up have their size of then.
    pub(crate) fn compile(entry: &Entry, tags: &mut Tags, now: u64) -> EntryPlan {
        let conditions: Vec<&Condition> = entry.rules.iter().map(|r| &r.when).collect();
        let keys: Vec<&Field> = entry.rules.iter().filter_map(|r| r.share.as_ref()?.key.as_ref()).collect();
        let (compiled, fields) = compile(&conditions, &keys, &Caller::default());
        let mut names: Vec<String> = Vec::new();
        let mut position = |name: String| {
            names.iter().position(|n| *n == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            })
        };
        let at = fields.iter().map(|f| position(name_of(f))).collect();
        let share = |s: &crate::rules::Share| Share {
            key: s.key.as_ref().and_then(|key| fields.iter().position(|f| f == key)),
            salt: s.salt.clone().into_bytes(),
            buckets: s.from..s.end_at(now),
        };
        let rule = |(when, rule): (Cond, &crate::rules::EntryRule)| Rule {
            tag: rule.lane.as_ref().map_or(TagId::NONE, |lane| tags.intern(lane)),
            when,
            share: rule.share.as_ref().map(share),
        };
        let rules: Vec<Rule> = compiled.into_iter().zip(&entry.rules).map(rule).collect();
        let by_chance = rules.iter().any(|r| r.share.as_ref().is_some_and(|s| s.key.is_none()));
        EntryPlan { names, at, rules, fields, by_chance }
    }

    /// A plan that only asks whether a condition holds: `decide` answers something or nothing.
    pub fn of_condition(when: &Condition) -> EntryPlan {
        let rule = crate::rules::EntryRule { lane: None, when: when.clone(), share: None, line: 0 };
        EntryPlan::compile(&Entry { service: String::new(), rules: vec![rule] }, &mut Tags::new(), 0)
    }

    /// The values to read, by [`name_of`].
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a rule is decided by chance.
    #[inline]
    pub fn by_chance(&self) -> bool {
        self.by_chance
    }

    /// The first rule that holds, by its position, and the tag it gives ([`TagId::NONE`]: it keeps the request
    /// untagged). `value` answers for a position in [`EntryPlan::names`]; bytes that are no UTF-8 count as absent. A
    /// request without the key of a share is not in it. `entropy` is for shares by chance.
    #[inline]
    pub fn decide<'v>(&self, value: impl Fn(usize) -> Option<&'v [u8]>, entropy: u64) -> Option<(usize, TagId)> {
        self.decide_by(value, &mut Entropy(entropy))
    }

    /// The same, by whatever chooses.
    #[inline]
    pub fn decide_by<'v>(
        &self,
        value: impl Fn(usize) -> Option<&'v [u8]>,
        chance: &mut impl Choose,
    ) -> Option<(usize, TagId)> {
        let values = Values { plan: self, value, bytes: std::marker::PhantomData };
        let at = self.rules.iter().position(|rule| {
            holds(&rule.when, &self.fields, &values, chance, &mut ())
                && rule.share.as_ref().is_none_or(|share| share.holds(&values, chance))
        })?;
        Some((at, self.rules[at].tag))
    }
}

impl Share {
    #[inline]
    fn holds(&self, values: &impl Facts, chance: &mut impl Choose) -> bool {
        let Some(key) = self.key else {
            let (part, all) = (u32::from(self.buckets.end - self.buckets.start), hash::BUCKETS as u32);
            return chance.choose(&mut [part, all - part].into_iter(), hash::BUCKETS) == Some(0);
        };
        // The field is only named for readers; the slot finds the value.
        let key = values.value(key, &Field::Tag).filter(|key| !key.is_empty());
        key.is_some_and(|key| self.buckets.contains(&hash::bucket(&self.salt, key.as_bytes())))
    }
}

struct Values<'p, 'v, V> {
    plan: &'p EntryPlan,
    value: V,
    bytes: std::marker::PhantomData<&'v [u8]>,
}

impl<'v, V: Fn(usize) -> Option<&'v [u8]>> Facts for Values<'_, 'v, V> {
    fn value(&self, slot: usize, _: &Field) -> Option<&str> {
        let field = &self.plan.fields[slot];
        let passed = (self.value)(self.plan.at[slot]).and_then(|bytes| str::from_utf8(bytes).ok())?;
        value_in(field, passed)
    }
}
