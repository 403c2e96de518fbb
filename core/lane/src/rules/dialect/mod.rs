//! The dialects: one module each, text → [`Model`]. What each accepts is in `docs/dialects.md`.
//!
//! A dialect is a function `lower(documents, context) -> Model`. It asks its documents by [`super::walk`], tells every
//! problem at its value, and may leave anything half built where it told one: a text with a problem is refused whole.

use super::walk::{Source, Value};
use super::{Problem, tree};
use crate::model::Model;

pub mod asm;
pub mod dubbo_affinity;
mod dubbo_common;
pub mod dubbo_condition;
pub mod dubbo_mesh;
pub mod dubbo_tag;
mod import;
pub mod istio;
pub mod joylive;
pub mod opensergo;
pub mod polaris;

/// A rule dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Trilane's own `lanes.yaml`.
    Native,
    /// TrafficLabel, ASMSwimLane(Group), and Istio's resources with ASM's additions.
    Asm,
    /// VirtualService, DestinationRule, ServiceEntry.
    Istio,
    /// `<application>.tag-router`.
    DubboTag,
    /// `<application or service>.condition-router`, 2.x, v3.0 and v3.1.
    DubboCondition,
    /// `<application>.MESHAPPRULE`.
    DubboMesh,
    /// `….affinity-router`.
    DubboAffinity,
    /// joylive-agent's `lanes.json`.
    Joylive,
    /// Polaris' LaneGroup.
    Polaris,
    /// OpenSergo's TrafficLane.
    OpenSergo,
}

/// The settings that dialects know, see `docs/dialects.md`.
pub const SETTINGS: [&str; 5] = ["dubbo.meaning", "namespace", "gateway", "joylive.space", "polaris.baseLaneMode"];

/// What the text itself does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Values of [`SETTINGS`] by name, first hit wins.
    pub settings: &'a [(String, String)],
    /// The names of the called service, where one is known: `trilane explain` gives its, a rule file none.
    pub service: &'a [String],
}

impl<'a> Context<'a> {
    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&'a str> {
        self.settings.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// A text, lowered.
#[derive(Clone, Debug, Default)]
pub struct Lowered {
    /// What decides.
    pub model: Model,
    /// What was accepted and changes nothing, each with its place.
    pub notes: Vec<Problem>,
}

type Lower = fn(&[Value<'_>], &Context<'_>) -> Model;

impl Dialect {
    /// All, by the name that `dialect:` and `trilane explain` use.
    pub const ALL: [(&'static str, Dialect); 10] = [
        ("native", Dialect::Native),
        ("asm", Dialect::Asm),
        ("istio", Dialect::Istio),
        ("dubbo-tag", Dialect::DubboTag),
        ("dubbo-condition", Dialect::DubboCondition),
        ("dubbo-mesh", Dialect::DubboMesh),
        ("dubbo-affinity", Dialect::DubboAffinity),
        ("joylive", Dialect::Joylive),
        ("polaris", Dialect::Polaris),
        ("opensergo", Dialect::OpenSergo),
    ];

    /// The dialect of this name.
    pub fn parse(name: &str) -> Option<Dialect> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, dialect)| *dialect)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, d)| *d == self).map_or("", |(name, _)| name)
    }

    fn lower(self) -> Option<Lower> {
        match self {
            Dialect::Native => None,
            Dialect::Asm => Some(asm::lower),
            Dialect::Istio => Some(istio::lower),
            Dialect::DubboTag => Some(dubbo_tag::lower),
            Dialect::DubboCondition => Some(dubbo_condition::lower),
            Dialect::DubboMesh => Some(dubbo_mesh::lower),
            Dialect::DubboAffinity => Some(dubbo_affinity::lower),
            Dialect::Joylive => Some(joylive::lower),
            Dialect::Polaris => Some(polaris::lower),
            Dialect::OpenSergo => Some(opensergo::lower),
        }
    }
}

/// The dialect of a text, by `dialect:` or by what its documents call themselves; `None`: nothing tells.
pub fn detect(documents: &[tree::Node]) -> Option<Dialect> {
    if let Some(name) = documents.iter().find_map(|d| text_of(d, "dialect")) {
        return Dialect::parse(&name);
    }
    let mut found = None;
    for one in documents.iter().filter_map(detect_one) {
        // One document of ASM's makes its Istio resources ASM's too.
        if found.is_none() || one == Dialect::Asm {
            found = Some(one);
        }
    }
    found
}

fn text_of(document: &tree::Node, name: &str) -> Option<String> {
    document.field(name).and_then(|n| n.scalar()).map(str::to_string)
}

fn detect_one(document: &tree::Node) -> Option<Dialect> {
    let version = text_of(document, "apiVersion").unwrap_or_default();
    let kind = text_of(document, "kind").unwrap_or_default();
    let has = |name: &str| document.field(name).is_some();
    Some(match version.split('/').next().unwrap_or("") {
        "trilane" => Dialect::Native,
        "istio.alibabacloud.com" => Dialect::Asm,
        "networking.istio.io" => Dialect::Istio,
        "service.dubbo.apache.org" => Dialect::DubboMesh,
        "traffic.opensergo.io" => Dialect::OpenSergo,
        _ if matches!(kind.as_str(), "TrafficLabel" | "ASMSwimLane" | "ASMSwimLaneGroup") => Dialect::Asm,
        _ if has("affinityAware") => Dialect::DubboAffinity,
        _ if has("tags") => Dialect::DubboTag,
        _ if has("conditions") => Dialect::DubboCondition,
        _ => return None,
    })
}

/// The first document that calls itself by another dialect than the text is read in: nothing would come of it.
fn mixed(name: &str, text: &str, documents: &[tree::Node], dialect: Dialect) -> Option<Problem> {
    let family = |one: Dialect| if one == Dialect::Asm { Dialect::Istio } else { one };
    let other = documents.iter().find_map(|document| {
        let one = detect_one(document).filter(|one| family(*one) != family(dialect))?;
        Some((document, one))
    })?;
    let message = format!(
        "this document is of the dialect `{}`, the file is read as `{}`: a rule file has one dialect",
        other.1.name(),
        dialect.name()
    );
    let place = (other.0.line, other.0.column);
    Some(Problem::at(name, text, place, "", message, "the other documents in files of their own".into()))
}

/// A rule file of any dialect.
#[derive(Debug)]
pub enum Loaded {
    /// Trilane's own.
    Native(super::Rules),
    /// Another one.
    Other(Dialect, Lowered),
}

/// Reads a rule file whose text tells its dialect; one that does not is read as the native file, whose messages say
/// what is missing.
///
/// # Errors
/// Every problem that was found; the text is refused as a whole.
pub fn load(name: &str, text: &str, context: &Context) -> Result<Loaded, Vec<Problem>> {
    let documents = tree::read(name, text).map_err(|problem| vec![problem])?;
    let dialect = detect(&documents);
    if let Some(problem) = mixed(name, text, &documents, dialect.unwrap_or(Dialect::Native)) {
        return Err(vec![problem]);
    }
    match dialect {
        None | Some(Dialect::Native) => super::check(name, text).map(Loaded::Native),
        Some(dialect) => read(dialect, name, text, context).map(|lowered| Loaded::Other(dialect, lowered)),
    }
}

/// Reads a text of any dialect but the native one.
///
/// # Errors
/// Every problem that was found; the text is refused as a whole.
pub fn read(dialect: Dialect, name: &str, text: &str, context: &Context) -> Result<Lowered, Vec<Problem>> {
    let documents = tree::read(name, text).map_err(|problem| vec![problem])?;
    let source = Source::new(name, text, &documents);
    if let Some(problem) = mixed(name, text, &documents, dialect) {
        return Err(vec![problem]);
    }
    let Some(lower) = dialect.lower() else {
        let message = "the native dialect is read by `rules::check`".to_string();
        return Err(vec![Problem::at(name, text, (1, 1), "", message, String::new())]);
    };
    let model = lower(&source.documents().collect::<Vec<_>>(), context);
    let (mut problems, notes) = source.finish();
    if problems.is_empty() {
        let circle = |(line, message)| Problem::at(name, text, (line, 1), "", message, "a way that ends".into());
        problems = model.broken_fallbacks().into_iter().map(circle).collect();
    }
    if problems.is_empty() { Ok(Lowered { model, notes }) } else { Err(problems) }
}

/// A native file that says the same, and what could not be said in it.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The file.
    pub text: String,
    /// What is missing, a line each.
    pub lost: Vec<String>,
    /// What was accepted and changes nothing.
    pub notes: Vec<Problem>,
}

/// Writes lanes of joylive, Polaris or OpenSergo as a native file. `entry` is the service that colours where the text
/// names none.
///
/// # Errors
/// Every problem that was found; dialects that are no imports.
pub fn convert(
    dialect: Dialect,
    name: &str,
    text: &str,
    entry: &str,
    context: &Context,
) -> Result<Converted, Vec<Problem>> {
    let documents = tree::read(name, text).map_err(|problem| vec![problem])?;
    let source = Source::new(name, text, &documents);
    let values = source.documents().collect::<Vec<_>>();
    let (file, lost) = match dialect {
        Dialect::Joylive => joylive::native(&values, context, entry),
        Dialect::Polaris => polaris::native(&values, context, entry),
        Dialect::OpenSergo => opensergo::native(&values, context, entry),
        _ => {
            let message = format!("the dialect `{}` decides as it is and is not converted", dialect.name());
            let expected = "joylive, polaris or opensergo".into();
            return Err(vec![Problem::at(name, text, (1, 1), "", message, expected)]);
        }
    };
    let (problems, notes) = source.finish();
    if problems.is_empty() { Ok(Converted { text: file, lost, notes }) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISTIO: &str = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n\
        spec: {hosts: [a], http: [{route: [{destination: {host: a}}]}]}\n";
    const NATIVE: &str = "apiVersion: trilane/v1\nlanes: [{tag: gray}]\n";

    #[test]
    fn a_file_has_one_dialect() {
        for text in [format!("{NATIVE}---\n{ISTIO}"), format!("{ISTIO}---\n{NATIVE}")] {
            let problems = load("f", &text, &Context::default()).expect_err("two dialects");
            assert!(problems[0].to_string().contains("a rule file has one dialect"), "{}", problems[0]);
        }
        let label = "apiVersion: istio.alibabacloud.com/v1\nkind: TrafficLabel\nmetadata: {name: t}\nspec:\n  rules:\n    \
            - labels: [{name: a, valueFrom: [\"$getContext(x-request-id)\"]}]\n";
        let both = load("f", &format!("{ISTIO}---\n{label}"), &Context::default());
        assert!(matches!(both, Ok(Loaded::Other(Dialect::Asm, _))), "{both:?}");
    }

    #[test]
    fn a_pattern_cannot_leave_the_brackets_that_it_is_put_in() {
        let rule = "dialect: dubbo-tag\nconfigVersion: v3.0\nkey: a\ntags:\n  - name: g\n    \
            match: [{key: v, value: {regex: \"a)|(b\"}}]\n";
        for meaning in ["java", "go"] {
            let settings = [("dubbo.meaning".to_string(), meaning.to_string())];
            let context = Context { settings: &settings, service: &[] };
            let problems = load("f", rule, &context).expect_err(meaning);
            assert!(problems[0].to_string().contains("is no pattern here"), "{}", problems[0]);
        }
    }
}
