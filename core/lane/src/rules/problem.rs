//! What is wrong with a rule file, where, and what was expected.

use std::fmt;

/// One problem. Its text starts `FILE:LINE:COLUMN:` and shows the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as the reader knows it.
    pub file: String,
    /// 1-based; 0 where the file as a whole is meant.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// Path of the field, `services[0].fallback.noinstances`; empty where the text is no YAML.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub expected: String,
    /// The line itself.
    pub source: String,
}

/// Lines longer than this are not shown: they would fill a log.
const SHOWN: usize = 200;

impl Problem {
    pub(super) fn at(
        file: &str,
        text: &str,
        place: (u32, u32),
        field: &str,
        message: String,
        expected: String,
    ) -> Self {
        let (line, column) = place;
        let source = text.lines().nth((line as usize).wrapping_sub(1)).unwrap_or("").to_string();
        Problem { file: file.into(), line, column, field: field.into(), message, expected, source }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, line, column, field, message, expected, source } = self;
        write!(f, "{file}:{line}:{column}: ")?;
        if !field.is_empty() {
            write!(f, "{field}: ")?;
        }
        write!(f, "{message}")?;
        if !source.is_empty() && source.len() <= SHOWN {
            let pad = " ".repeat((*column as usize).saturating_sub(1));
            write!(f, "\n{line:>5} | {source}\n      | {pad}^")?;
        }
        if !expected.is_empty() {
            write!(f, "\n      = expected: {expected}")?;
        }
        Ok(())
    }
}

/// The candidate that a slip of the keys most likely meant.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.into_iter().map(|c| (distance(word, c), c)).filter(|(d, c)| *d <= c.len() / 3 + 1);
    scored.min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// Levenshtein distance by the two-row table; words are cut at 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
