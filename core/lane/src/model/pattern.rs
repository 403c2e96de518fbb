//! Patterns with bounded cost: regular expressions as finished automata, and Dubbo's wildcard.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::{Anchored, Input, MatchKind, util::syntax};
use std::sync::Arc;

/// The largest automaton, in bytes: a pattern that needs more is refused when it is read.
const MAX_AUTOMATON: usize = 512 << 10;
/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 2_000;

/// A regular expression that must match the whole value. Matching takes one step a byte, allocates nothing and takes
/// no lock: the automaton is finished when the rules are loaded. Syntax: RE2's, ASCII classes; no look-around, no
/// back-references.
#[derive(Clone)]
pub struct Regex {
    text: Box<str>,
    automaton: Arc<dense::DFA<Vec<u32>>>,
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in words for a person.
    pub fn new(pattern: &str) -> Result<Regex, String> {
        if pattern.len() > MAX_PATTERN {
            return Err(format!("the pattern has {} bytes, at most {MAX_PATTERN} are read", pattern.len()));
        }
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::All)
            .dfa_size_limit(Some(MAX_AUTOMATON))
            .determinize_size_limit(Some(4 * MAX_AUTOMATON));
        let nfa = regex_automata::nfa::thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_AUTOMATON));
        // Alone first: brackets that only fit together with ours must not pass.
        let plain = syntax::Config::new().unicode(false).utf8(false).nest_limit(50);
        if let Err(e) = syntax::parse_with(pattern, &plain) {
            let told = e.to_string();
            return Err(told.lines().last().unwrap_or("").trim_start_matches("error: ").to_string());
        }
        let built =
            dense::Builder::new().configure(config).thompson(nfa).syntax(plain).build(&format!("(?:{pattern})\\z"));
        let told = |e: dense::BuildError| match std::error::Error::source(&e) {
            Some(inner) => format!("{e}: {inner}").lines().last().unwrap_or("").to_string(),
            None => format!("it needs too much memory ({e})"),
        };
        Ok(Regex { text: pattern.into(), automaton: Arc::new(built.map_err(told)?) })
    }

    /// Whether the whole value matches.
    pub fn matches(&self, value: &str) -> bool {
        let input = Input::new(value).anchored(Anchored::Yes).earliest(true);
        matches!(self.automaton.try_search_fwd(&input), Ok(Some(_)))
    }

    /// Bytes that the automaton takes.
    pub fn size(&self) -> usize {
        self.automaton.memory_usage()
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Debug for Regex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "regex {}", self.text)
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Dubbo's wildcard: at most one `*` counts, the last one; `*` alone is everything; an empty pattern only matches an
/// empty value.
pub fn wildcard(pattern: &str, value: &str) -> bool {
    match pattern.rsplit_once('*') {
        _ if pattern == "*" => true,
        None => pattern == value,
        Some((start, end)) => {
            value.len() >= start.len() + end.len() && value.starts_with(start) && value.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_close_what_they_open() {
        assert!(Regex::new("a)|(b").is_err());
        assert_eq!(Regex::new("gray(").unwrap_err(), "unclosed group");
    }

    #[test]
    fn a_pattern_matches_the_whole_value() {
        let regex = Regex::new("v[0-9]+|canary").unwrap();
        assert!(regex.matches("v12") && regex.matches("canary"));
        assert!(!regex.matches("xv12") && !regex.matches("v12x") && !regex.matches(""));
        assert!(Regex::new("").unwrap().matches("") && !Regex::new("").unwrap().matches("x"));
        assert!(Regex::new("(?i)GRAY.*").unwrap().matches("gray-é"));
        assert!(Regex::new("a*").unwrap().matches(&"a".repeat(100_000)));
    }

    #[test]
    fn bombs_are_refused_when_they_are_read() {
        for bomb in ["(a|b)*a(a|b){40}", "((a{50}){50}){50}", "(", &"a".repeat(5_000), "(?=a)"] {
            let error = Regex::new(bomb).expect_err(bomb);
            assert!(!error.is_empty() && error.len() < 300, "{error}");
        }
        // The classic bomb for engines that step back costs nothing here.
        assert!(!Regex::new("(a+)+").unwrap().matches(&format!("{}b", "a".repeat(50_000))));
    }

    #[test]
    fn wildcards_are_dubbos() {
        assert!(wildcard("*", "") && wildcard("a*", "abc") && wildcard("*c", "abc") && wildcard("a*c", "abc"));
        assert!(!wildcard("ab*bc", "abc") && !wildcard("", "a") && wildcard("", ""));
    }
}
