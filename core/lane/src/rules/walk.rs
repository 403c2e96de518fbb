//! Asks a tree for what a dialect expects, and collects every problem with its place.
//!
//! ```ignore
//! let fields = value.fields(&["name", "match"], &[("tcp", "a TCP connection is no request")])?;
//! let name = fields.need("name")?.text()?;
//! for item in fields.list("match") { … }
//! ```
//! A field that is in neither list is a problem with a "did you mean". One of the second list is accepted and noted.

use super::Problem;
use super::problem::did_you_mean;
use super::tree::{Kind, Node};
use crate::model::pattern::Regex;
use std::cell::RefCell;
use std::collections::HashMap;
use std::str::FromStr;

/// Problems past this many are counted, not told.
const MAX_PROBLEMS: usize = 100;

/// One rule text being walked.
pub struct Source<'a> {
    file: &'a str,
    text: &'a str,
    documents: &'a [Node],
    problems: RefCell<Vec<Problem>>,
    notes: RefCell<Vec<Problem>>,
    patterns: RefCell<Patterns>,
}

/// The regular expressions of one text: equal ones are one automaton, and all together cost so much at most.
struct Patterns {
    known: HashMap<Box<str>, Result<Regex, String>>,
    left: usize,
}

/// What the automata of one text may take together, in bytes.
const PATTERN_BUDGET: usize = 32 << 20;
/// What a pattern is charged that was refused: building it took about that much.
const REFUSED_PATTERN: usize = 1 << 20;

impl Default for Patterns {
    fn default() -> Self {
        Patterns { known: HashMap::new(), left: PATTERN_BUDGET }
    }
}

impl Patterns {
    fn get(&mut self, pattern: &str) -> Result<Regex, String> {
        if let Some(known) = self.known.get(pattern) {
            return known.clone();
        }
        if self.left == 0 {
            let budget = PATTERN_BUDGET >> 20;
            return Err(format!(
                "the patterns of this text need more than {budget} MiB together; simpler or fewer ones"
            ));
        }
        let built = Regex::new(pattern);
        let cost = built.as_ref().map_or(REFUSED_PATTERN, Regex::size);
        self.left = self.left.saturating_sub(cost);
        self.known.insert(pattern.into(), built.clone());
        built
    }
}

impl<'a> Source<'a> {
    /// A text and what [`super::tree::read`] made of it.
    pub fn new(file: &'a str, text: &'a str, documents: &'a [Node]) -> Self {
        Source {
            file,
            text,
            documents,
            problems: RefCell::default(),
            notes: RefCell::default(),
            patterns: RefCell::default(),
        }
    }

    /// The documents as values.
    pub fn documents(&'a self) -> impl Iterator<Item = Value<'a>> {
        self.documents.iter().map(|node| Value { node, source: self })
    }

    /// Problems and notes so far.
    pub fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems.into_inner(), self.notes.into_inner())
    }

    /// Whether a problem was found.
    pub fn failed(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    fn tell(&self, node: &Node, below: &str, message: String, expected: String) -> Problem {
        let mut field = String::new();
        for document in self.documents {
            if path_to(document, node, &mut field) {
                break;
            }
        }
        if !below.is_empty() {
            let dot = if field.is_empty() { "" } else { "." };
            field = format!("{field}{dot}{below}");
        }
        Problem::at(self.file, self.text, (node.line.max(1), node.column.max(1)), &field, message, expected)
    }

    fn problem(&self, node: &Node, below: &str, message: String, expected: String) {
        if self.problems.borrow().len() < MAX_PROBLEMS {
            let told = self.tell(node, below, message, expected);
            self.problems.borrow_mut().push(told);
        }
    }

    fn note(&self, node: &Node, message: String) {
        if self.notes.borrow().len() < MAX_PROBLEMS {
            let told = self.tell(node, "", message, String::new());
            self.notes.borrow_mut().push(told);
        }
    }
}

/// The path of a node below another one, `spec.http[0].match`; found by identity, so that walking costs nothing.
fn path_to(from: &Node, wanted: &Node, path: &mut String) -> bool {
    if std::ptr::eq(from, wanted) {
        return true;
    }
    let length = path.len();
    match &from.kind {
        Kind::Scalar { .. } => {}
        Kind::Sequence(items) => {
            for (n, item) in items.iter().enumerate() {
                path.push_str(&format!("[{n}]"));
                if path_to(item, wanted, path) {
                    return true;
                }
                path.truncate(length);
            }
        }
        Kind::Mapping(fields) => {
            for (key, value) in fields {
                if length > 0 {
                    path.push('.');
                }
                path.push_str(key.scalar().unwrap_or(""));
                if std::ptr::eq(key, wanted) || path_to(value, wanted, path) {
                    return true;
                }
                path.truncate(length);
            }
        }
    }
    false
}

/// A value of the tree, with somewhere to put problems.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    node: &'a Node,
    source: &'a Source<'a>,
}

impl<'a> Value<'a> {
    /// The node itself.
    pub fn node(self) -> &'a Node {
        self.node
    }

    /// 1-based line: what a decision names when it is explained.
    pub fn line(self) -> u32 {
        self.node.line
    }

    /// Something is wrong with this value.
    pub fn problem(self, message: impl Into<String>, expected: impl Into<String>) {
        self.source.problem(self.node, "", message.into(), expected.into());
    }

    /// Something is wrong with a field that this value has or lacks.
    pub fn problem_below(self, field: &str, message: impl Into<String>, expected: impl Into<String>) {
        self.source.problem(self.node, field, message.into(), expected.into());
    }

    /// A field, without telling anything: for a second look over what was walked already.
    pub fn quiet_field(self, name: &str) -> Option<Value<'a>> {
        self.node.field(name).filter(|n| !n.is_null()).map(|node| Value { node, ..self })
    }

    /// Items, without telling anything.
    pub fn quiet_items(self) -> Vec<Value<'a>> {
        match &self.node.kind {
            Kind::Sequence(items) => items.iter().map(|node| Value { node, ..self }).collect(),
            _ => Vec::new(),
        }
    }

    /// Something that the reader should know although the rules are accepted.
    pub fn note(self, message: impl Into<String>) {
        self.source.note(self.node, message.into());
    }

    /// A word that is none of those known here; tells them and the nearest one.
    pub fn unknown(self, what: &str, word: &str, known: &[&str]) {
        let hint =
            did_you_mean(word, known.iter().copied()).map_or(String::new(), |w| format!("; did you mean `{w}`?"));
        self.problem(format!("`{word}` is no {what}"), format!("{}{hint}", known.join(", ")));
    }

    /// Its fields. `known` are those the dialect reads, `unused` those it accepts and does not act on, with the reason.
    pub fn fields(self, known: &[&str], unused: &[(&str, &str)]) -> Option<Fields<'a>> {
        let Kind::Mapping(fields) = &self.node.kind else {
            self.problem("a value of the wrong type", "fields: `{name: value}`, or lines of their own");
            return None;
        };
        for (key, _) in fields {
            let name = key.scalar().unwrap_or("");
            if known.contains(&name) {
                continue;
            }
            if let Some((_, why)) = unused.iter().find(|(unused, _)| *unused == name) {
                self.source.note(key, format!("`{name}` is accepted and changes nothing here: {why}"));
                continue;
            }
            let all = known.iter().chain(unused.iter().map(|(unused, _)| unused)).copied();
            let hint = did_you_mean(name, all).map_or(String::new(), |w| format!("; did you mean `{w}`?"));
            let expected = format!("one of {}{hint}", known.join(", "));
            self.source.problem(key, "", format!("unknown field `{name}`"), expected);
        }
        Some(Fields { value: self })
    }

    /// All its fields, names free: labels, headers. Also the place of each name.
    pub fn entries(self) -> Vec<(&'a str, Value<'a>)> {
        let Kind::Mapping(fields) = &self.node.kind else {
            if !self.node.is_null() {
                self.problem("a value of the wrong type", "fields: `{name: value}`, or lines of their own");
            }
            return Vec::new();
        };
        let entry = |(key, node): &'a (Node, Node)| (key.scalar().unwrap_or(""), Value { node, ..self });
        fields.iter().map(entry).collect()
    }

    /// Its items.
    pub fn items(self) -> Vec<Value<'a>> {
        match &self.node.kind {
            Kind::Sequence(items) => items.iter().map(|node| Value { node, ..self }).collect(),
            _ => {
                self.problem("a value of the wrong type", "a list: `[…]`, or lines that start with `- `");
                Vec::new()
            }
        }
    }

    /// Its text; numbers and words count as text.
    pub fn text(self) -> Option<&'a str> {
        let text = self.node.scalar();
        if text.is_none() {
            self.problem("a value of the wrong type", "one word or text, no list and no fields");
        }
        text
    }

    /// Whether it is one word or text.
    pub fn is_text(self) -> bool {
        self.node.scalar().is_some()
    }

    /// A number within bounds.
    pub fn number<N: FromStr + PartialOrd + std::fmt::Display>(self, least: N, most: N) -> Option<N> {
        let text = self.text()?;
        let number = text.parse::<N>().ok().filter(|n| *n >= least && *n <= most);
        if number.is_none() {
            self.problem(format!("`{text}` is no number here"), format!("{least} to {most}"));
        }
        number
    }

    /// A regular expression that must match a whole value.
    pub fn regex(self) -> Option<Regex> {
        let text = self.text()?;
        match self.pattern(text) {
            Ok(regex) => Some(regex),
            Err(why) => {
                self.problem(format!("this is no pattern: {why}"), "RE2 syntax, without look-around");
                None
            }
        }
    }

    /// A pattern made from this value, on the account of its text: what dialects with another spelling use.
    ///
    /// # Errors
    /// What is wrong with it, in words for a person.
    pub fn pattern(self, pattern: &str) -> Result<Regex, String> {
        self.source.patterns.borrow_mut().get(pattern)
    }

    /// `true` or `false`, also in YAML 1.1's other spellings.
    pub fn boolean(self) -> Option<bool> {
        let text = self.text()?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => {
                self.problem(format!("`{text}` is neither true nor false"), "true or false");
                None
            }
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(self, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.unknown(what, text, &words.iter().map(|(word, _)| *word).collect::<Vec<_>>());
        }
        found
    }
}

/// The fields of a mapping, unknown ones told already.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    value: Value<'a>,
}

impl<'a> Fields<'a> {
    /// The mapping itself.
    pub fn value(self) -> Value<'a> {
        self.value
    }

    /// A field; null counts as not written.
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        self.even_null(name).filter(|value| !value.node.is_null())
    }

    /// A field, also where nothing stands behind its name (`from:`).
    pub fn even_null(self, name: &str) -> Option<Value<'a>> {
        self.value.node.field(name).map(|node| Value { node, ..self.value })
    }

    /// A field that must be written.
    pub fn need(self, name: &str) -> Option<Value<'a>> {
        let found = self.get(name);
        if found.is_none() {
            self.value.source.problem(self.value.node, name, "the field is missing".into(), format!("{name}: …"));
        }
        found
    }

    /// The items of a list; none where the field is not written.
    pub fn list(self, name: &str) -> Vec<Value<'a>> {
        self.get(name).map_or_else(Vec::new, Value::items)
    }

    /// The text of a field.
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.get(name)?.text()
    }

    /// `true` or `false`; `default` where the field is not written.
    pub fn boolean(self, name: &str, default: bool) -> bool {
        self.get(name).and_then(Value::boolean).unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tree;

    fn problems(text: &str, walk: impl Fn(Value)) -> Vec<String> {
        let documents = tree::read("f", text).unwrap();
        let source = Source::new("f", text, &documents);
        source.documents().for_each(walk);
        let (problems, notes) = source.finish();
        problems.iter().map(|p| p.to_string()).chain(notes.iter().map(|n| format!("note {n}"))).collect()
    }

    #[test]
    fn a_slip_names_what_was_meant_and_where() {
        let told = problems("spec:\n  - {nmae: x, tcp: 1, port: 99999}\n", |document| {
            let fields = document.fields(&["spec"], &[]).unwrap();
            for item in fields.list("spec") {
                let item = item.fields(&["name", "port"], &[("tcp", "no request")]).unwrap();
                item.need("name");
                item.get("port").and_then(|p| p.number(1u32, 65_535));
            }
        });
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(told[0].starts_with("f:2:6: spec[0].nmae: unknown field `nmae`"), "{}", told[0]);
        assert!(told[0].contains("did you mean `name`?"), "{}", told[0]);
        assert!(told[1].starts_with("f:2:5: spec[0].name: the field is missing"), "{}", told[1]);
        assert!(told[2].starts_with("f:2:29: spec[0].port: `99999` is no number here"), "{}", told[2]);
        assert!(told[3].starts_with("note f:2:15: spec[0].tcp: `tcp` is accepted"), "{}", told[3]);
    }

    #[test]
    fn wrong_types_say_what_was_expected() {
        let told = problems("a: [1]\nb: x\n", |document| {
            let fields = document.fields(&["a", "b"], &[]).unwrap();
            fields.text("a");
            fields.list("b");
            fields.boolean("b", true);
        });
        assert_eq!(told.len(), 3);
        assert!(told[0].contains("one word or text"));
        assert!(told[1].contains("a list"));
        assert!(told[2].contains("true or false"));
    }
}
