//! Rule text as a tree in which every value knows its place. YAML and JSON (its subset), several documents a file.
//!
//! No meaning yet: [`super::walk`] asks the tree for what a dialect expects. Everything is bounded, so that a hostile
//! file costs little before it is refused.

use super::{MAX_FILE, Problem};
use granit_parser::{Event, Parser, ScalarStyle};
use std::collections::HashSet;

/// Most values in one file, aliases counted as what they stand for.
const MAX_NODES: usize = 1_000_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Most `*name` in one file.
const MAX_ALIASES: usize = 1_000;
/// Most `&name` in one file.
const MAX_ANCHORS: usize = 100;

/// One value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// 1-based line.
    pub line: u32,
    /// 1-based column, in characters.
    pub column: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// One word or text. `quoted` texts are never numbers, booleans or null.
    Scalar {
        /// As written, escapes and folding resolved.
        text: Box<str>,
        /// In quotes, as a block (`|`, `>`) or marked `!!str`.
        quoted: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Fields in file order; names are unique scalars.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Nothing: an empty value, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, quoted: false } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value of a field, where this is a mapping that has it.
    pub fn field(&self, name: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Mapping(fields) => fields.iter().find(|(key, _)| key.scalar() == Some(name)).map(|(_, value)| value),
            _ => None,
        }
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar { .. } => 0,
            Kind::Sequence(items) => items.iter().map(Node::size).sum(),
            Kind::Mapping(fields) => fields.iter().map(|(_, value)| 1 + value.size()).sum(),
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar { .. } => 0,
            Kind::Sequence(items) => items.iter().map(Node::depth).max().unwrap_or(0),
            Kind::Mapping(fields) => fields.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }
}

/// Reads all documents of a file; empty ones are left out.
///
/// # Errors
/// Text that is too large, is no YAML, or has no document with content.
#[allow(clippy::result_large_err)] // The one error ends the reading.
pub fn read(name: &str, text: &str) -> Result<Vec<Node>, Problem> {
    let refuse = |at: (u32, u32), message: String, expected: &str| {
        Problem::at(name, text, at, "", message, expected.to_string())
    };
    if text.len() > MAX_FILE {
        return Err(refuse((1, 1), format!("the file has {} bytes", text.len()), &format!("at most {MAX_FILE}")));
    }
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => builder.take(event, (span.start.line() as u32, span.start.col() as u32 + 1)),
            Err(e) => {
                let expected = match e.info().contains("unknown anchor") {
                    true => "quotes around a text that begins with `*`",
                    false => "valid YAML",
                };
                Err(Refusal::new((e.marker().line() as u32, e.marker().col() as u32 + 1), e.info(), expected))
            }
        };
        step.map_err(|r| refuse(r.at, r.message, r.expected))?;
    }
    if builder.documents.is_empty() {
        return Err(refuse((1, 1), "the file is empty".into(), "rules: a half-written file must not switch lanes off"));
    }
    Ok(builder.documents)
}

/// Why reading ends.
struct Refusal {
    at: (u32, u32),
    message: String,
    expected: &'static str,
}

impl Refusal {
    fn new(at: (u32, u32), message: impl Into<String>, expected: &'static str) -> Refusal {
        Refusal { at, message: message.into(), expected }
    }
}

/// An open list or mapping: its node, the name that waits for its value, the names so far, its anchor.
struct Open {
    node: Node,
    key: Option<Node>,
    seen: HashSet<Box<str>>,
    anchor: usize,
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: Vec<(usize, Node)>,
    nodes: usize,
    aliases: usize,
}

impl Builder {
    fn take(&mut self, event: Event, at: (u32, u32)) -> Result<(), Refusal> {
        let node = |kind| Node { line: at.0, column: at.1, kind };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text_tag = tag.as_ref().is_some_and(|t| t.is_yaml_core_schema_tag("str"));
                self.known_tag(tag.as_deref(), at)?;
                let quoted = style != ScalarStyle::Plain || text_tag;
                self.value(node(Kind::Scalar { text: text.into(), quoted }), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.known_tag(tag.as_deref(), at)?;
                self.begin(node(Kind::Sequence(Vec::new())), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.known_tag(tag.as_deref(), at)?;
                self.begin(node(Kind::Mapping(Vec::new())), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(done) = self.open.pop() else { return Ok(()) };
                self.value(done.node, done.anchor)
            }
            Event::Alias(id) => {
                self.aliases += 1;
                if self.aliases > MAX_ALIASES {
                    return Err(Refusal::new(at, "too many aliases", "at most 1000"));
                }
                let Some((_, target)) = self.anchors.iter().find(|(anchor, _)| *anchor == id) else {
                    return Err(Refusal::new(at, "this alias stands inside its own anchor", "an anchor that ended"));
                };
                if self.nodes + target.size() > MAX_NODES || self.open.len() + target.depth() > MAX_DEPTH {
                    return Err(Refusal::new(at, "the aliases make the file too large", "less repetition"));
                }
                // Messages about the value as a whole point to where it is used, those about its insides to the anchor.
                let used = Node { line: at.0, column: at.1, kind: target.kind.clone() };
                self.nodes += target.size() - 1;
                self.value(used, 0)
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn known_tag(&self, tag: Option<&granit_parser::Tag>, at: (u32, u32)) -> Result<(), Refusal> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() && tag.original() != "!" => {
                Err(Refusal::new(at, format!("the type `{}` is not known here", tag.original()), "a plain value"))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, node: Node, anchor: usize) -> Result<(), Refusal> {
        let at = (node.line, node.column);
        if self.open.len() >= MAX_DEPTH {
            return Err(Refusal::new(at, "nested too deeply", "at most 32 levels"));
        }
        if let Some(Open { node: Node { kind: Kind::Mapping(_), .. }, key: None, .. }) = self.open.last() {
            return Err(Refusal::new(at, "a list or fields as the name of a field", "one word"));
        }
        self.open.push(Open { node, key: None, seen: HashSet::new(), anchor });
        Ok(())
    }

    /// A value is complete: it goes into what is open, or is a document.
    fn value(&mut self, node: Node, anchor: usize) -> Result<(), Refusal> {
        let at = (node.line, node.column);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Refusal::new(at, "the file has too many values", "at most 1,000,000"));
        }
        if anchor != 0 {
            if self.anchors.len() == MAX_ANCHORS {
                return Err(Refusal::new(at, "too many anchors", "at most 100"));
            }
            self.nodes += node.size();
            self.anchors.push((anchor, node.clone()));
        }
        let Some(open) = self.open.last_mut() else {
            if !node.is_null() {
                self.documents.push(node);
            }
            return Ok(());
        };
        match &mut open.node.kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(fields) => match open.key.take() {
                Some(key) if key.scalar() == Some("<<") => merge(fields, &mut open.seen, node)?,
                Some(key) => fields.push((key, node)),
                None => {
                    let Some(text) = node.scalar() else {
                        return Err(Refusal::new(at, "a list or fields as the name of a field", "one word"));
                    };
                    if text != "<<" && !open.seen.insert(text.into()) && !merged(fields, text) {
                        return Err(Refusal::new(at, format!("the field `{text}` stands here twice"), "each one once"));
                    }
                    open.key = Some(node);
                }
            },
            Kind::Scalar { .. } => {}
        }
        Ok(())
    }
}

/// Takes out a field that came by `<<`: what is written itself wins. Such names have place 0.
fn merged(fields: &mut Vec<(Node, Node)>, name: &str) -> bool {
    let at = fields.iter().position(|(key, _)| key.line == 0 && key.scalar() == Some(name));
    at.map(|at| fields.remove(at)).is_some()
}

/// `<<: *name`, `<<: [*a, *b]`: fields of others, where this mapping has none of that name; the first one wins.
fn merge(fields: &mut Vec<(Node, Node)>, seen: &mut HashSet<Box<str>>, from: Node) -> Result<(), Refusal> {
    let at = (from.line, from.column);
    match from.kind {
        Kind::Mapping(others) => {
            for (mut key, value) in others {
                if key.scalar().is_some_and(|name| seen.insert(name.into())) {
                    key.line = 0;
                    fields.push((key, value));
                }
            }
            Ok(())
        }
        Kind::Sequence(items) => items.into_iter().try_for_each(|item| merge(fields, seen, item)),
        Kind::Scalar { .. } => Err(Refusal::new(at, "`<<` takes the fields of another value", "<<: *name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read("f", text).expect_err("refused").to_string()
    }

    #[test]
    fn places_are_those_of_the_text() {
        let documents = read("f", "a: 1\n---\nb:\n  - {c: \"x\"}\n").unwrap();
        assert_eq!(documents.len(), 2);
        let c = match &documents[1].field("b").unwrap().kind {
            Kind::Sequence(items) => items[0].field("c").unwrap().clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((c.line, c.column, c.scalar()), (4, 9, Some("x")));
    }

    #[test]
    fn json_is_read_too() {
        let documents = read("f", "{\"a\": [1, \"\\u00e9\", null], \"b\": {\"c\": true}}").unwrap();
        let Kind::Sequence(items) = &documents[0].field("a").unwrap().kind else { panic!() };
        assert_eq!((items[1].scalar(), items[2].is_null()), (Some("é"), true));
    }

    #[test]
    fn merges_lose_to_what_is_written() {
        let documents = read("f", "x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n").unwrap();
        let y = documents[0].field("y").unwrap();
        assert_eq!(y.field("a").and_then(Node::scalar), Some("1"));
        assert_eq!(y.field("b").and_then(Node::scalar), Some("3"));
    }

    #[test]
    fn bombs_and_broken_text_are_refused_with_a_place() {
        assert!(refused("a: 1\na: 2\n").starts_with("f:2:1: the field `a` stands here twice"));
        assert!(refused("# only a comment\n").contains("the file is empty"));
        assert!(refused("a: [1,\n").starts_with("f:"));
        assert!(refused(&"[".repeat(100)).starts_with("f:1:"));
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..20 {
            let line = [format!("*a{}", n - 1)].repeat_line(10);
            bomb += &format!("a{n}: &a{n} [{line}]\n");
        }
        assert!(refused(&bomb).contains("too large"));
    }

    trait RepeatLine {
        fn repeat_line(&self, times: usize) -> String;
    }

    impl RepeatLine for [String; 1] {
        fn repeat_line(&self, times: usize) -> String {
            vec![self[0].clone(); times].join(", ")
        }
    }
}
