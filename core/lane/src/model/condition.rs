//! Conditions: which value, which test.

use super::pattern::{Regex, wildcard};
use crate::hash;
use std::net::IpAddr;

/// Where a value comes from. Names of headers are lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The called service's name.
    Service,
    /// The dialled authority, or the Host header.
    Host,
    /// The called method of an RPC.
    Method,
    /// GET, POST …
    HttpMethod,
    /// `http` or `https`.
    Scheme,
    /// Path of the URL without query; for an RPC `/service/method`.
    Path,
    /// Path with query, as Envoy calls it: the whole of `:path`.
    Uri,
    /// A parameter of the query.
    Query(Box<str>),
    /// A cookie.
    Cookie(Box<str>),
    /// A header or gRPC metadata; lower case.
    Header(Box<str>),
    /// A Dubbo attachment.
    Attachment(Box<str>),
    /// An argument of the call, by position.
    Argument(u16),
    /// The request's tag.
    Tag,
    /// The request's trace id.
    TraceId,
    /// The calling service's own name.
    CallerService,
    /// The calling service as an incoming request names it.
    CallerOfRequest,
    /// Address of the caller.
    CallerHost,
    /// A label, or parameter of the caller's own URL.
    CallerLabel(Box<str>),
    /// A label of the instance under test.
    Label(Box<str>),
    /// Host of the instance under test.
    InstanceHost,
    /// Its port.
    InstancePort,
    /// `host:port`.
    InstanceAddress,
    /// Its registered tag.
    InstanceTag,
}

impl Field {
    /// Whether the value belongs to the instance under test.
    pub fn of_instance(&self) -> bool {
        use Field::*;
        matches!(self, Label(_) | InstanceHost | InstancePort | InstanceAddress | InstanceTag)
    }

    /// Whether the value belongs to the calling process and never changes in it.
    pub fn of_caller(&self) -> bool {
        matches!(self, Field::CallerService | Field::CallerHost | Field::CallerLabel(_))
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Field::Query(name) => write!(f, "query {name}"),
            Field::Cookie(name) => write!(f, "cookie {name}"),
            Field::Header(name) => write!(f, "header {name}"),
            Field::Attachment(name) => write!(f, "attachment {name}"),
            Field::Argument(at) => write!(f, "argument {at}"),
            Field::CallerLabel(name) => write!(f, "caller's {name}"),
            Field::Label(name) => write!(f, "label {name}"),
            other => f.write_str(match other {
                Field::Service => "service",
                Field::Host => "host",
                Field::Method => "method",
                Field::HttpMethod => "HTTP method",
                Field::Scheme => "scheme",
                Field::Path => "path",
                Field::Uri => "URI",
                Field::Tag => "tag",
                Field::TraceId => "trace id",
                Field::CallerService | Field::CallerOfRequest => "caller's service",
                Field::CallerHost => "caller's host",
                Field::InstanceHost => "instance host",
                Field::InstancePort => "instance port",
                Field::InstanceAddress => "instance address",
                _ => "instance tag",
            }),
        }
    }
}

/// What must hold for a value. An absent value fulfils [`Test::Absent`] and [`Test::Not`] of what it does not fulfil,
/// nothing else.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal.
    Exact(Box<str>),
    /// Equal, ASCII case aside.
    ExactNoCase(Box<str>),
    /// Begins so.
    Prefix(Box<str>),
    /// Begins so, ASCII case aside.
    PrefixNoCase(Box<str>),
    /// Ends so.
    Suffix(Box<str>),
    /// Contains.
    Contains(Box<str>),
    /// The whole value matches.
    Regex(Regex),
    /// There is a value, empty or not.
    Present,
    /// There is none.
    Absent,
    /// There is one and it is not empty.
    NotEmpty,
    /// One of these; sorted.
    OneOf(Box<[Box<str>]>),
    /// A decimal number within, both ends included; what is no number is not within.
    Range(f64, f64),
    /// A number whose remainder by the first is the second.
    Remainder(f64, f64),
    /// An IP address each of whose parts (four octets, or eight groups) is within, both ends included.
    Address(Box<[(u16, u16)]>),
    /// Dubbo's wildcard.
    Wildcard(Box<str>),
    /// Dubbo's wildcard, with the pattern taken from another field: `host = $host`. Absent there: as an empty pattern.
    PatternOf(Field),
    /// A stable share (design §6.7): the value's bucket under the salt is in `from..to` of 10,000. An empty value is in none.
    Bucket {
        /// The salt.
        salt: Box<str>,
        /// First bucket.
        from: u16,
        /// The bucket after the last.
        to: u16,
    },
    /// The other way round; holds for an absent value where the test does not.
    Not(Box<Test>),
}

impl Test {
    /// Any of these words.
    pub fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Test {
        let mut words: Vec<Box<str>> = words.into_iter().map(Into::into).collect();
        words.sort_unstable();
        words.dedup();
        Test::OneOf(words.into())
    }

    /// Whether it holds; `other` answers for a field that the test itself names.
    pub fn holds<'v>(&self, value: Option<&str>, other: &dyn Fn(&Field) -> Option<&'v str>) -> bool {
        if let Test::Not(test) = self {
            return !test.holds(value, other);
        }
        let Some(value) = value else { return *self == Test::Absent };
        let no_case = |part: Option<&str>, wanted: &str| part.is_some_and(|p| p.eq_ignore_ascii_case(wanted));
        match self {
            Test::Exact(wanted) => value == &**wanted,
            Test::ExactNoCase(wanted) => no_case(Some(value), wanted),
            Test::Prefix(wanted) => value.starts_with(&**wanted),
            Test::PrefixNoCase(wanted) => no_case(value.get(..wanted.len()), wanted),
            Test::Suffix(wanted) => value.ends_with(&**wanted),
            Test::Contains(wanted) => value.contains(&**wanted),
            Test::Regex(regex) => regex.matches(value),
            Test::Present => true,
            Test::Absent | Test::Not(_) => false,
            Test::NotEmpty => !value.is_empty(),
            Test::OneOf(words) => words.binary_search_by(|w| (**w).cmp(value)).is_ok(),
            Test::Range(from, to) => value.trim().parse::<f64>().is_ok_and(|n| n >= *from && n <= *to),
            Test::Remainder(by, rest) => value.trim().parse::<f64>().is_ok_and(|n| n % by == *rest),
            Test::Address(parts) => address_within(parts, value),
            Test::Wildcard(pattern) => wildcard(pattern, value),
            Test::PatternOf(field) => wildcard(other(field).unwrap_or(""), value),
            Test::Bucket { salt, from, to } => {
                !value.is_empty() && (*from..*to).contains(&hash::bucket(salt.as_bytes(), value.as_bytes()))
            }
        }
    }

    /// Calls back with the words that the whole value may have to equal.
    pub fn each_word(&self, tell: &mut dyn FnMut(&str)) {
        match self {
            Test::Exact(word) | Test::Wildcard(word) => tell(word),
            Test::OneOf(words) => words.iter().for_each(|w| tell(w)),
            Test::Not(test) => test.each_word(tell),
            _ => {}
        }
    }

    /// The field that the test itself names.
    pub(crate) fn names(&self) -> Option<&Field> {
        match self {
            Test::PatternOf(field) => Some(field),
            Test::Not(test) => test.names(),
            _ => None,
        }
    }
}

fn address_within(parts: &[(u16, u16)], value: &str) -> bool {
    let within = |part: u16, n: usize| parts.get(n).is_some_and(|(from, to)| (*from..=*to).contains(&part));
    match value.parse::<IpAddr>() {
        Ok(IpAddr::V4(a)) if parts.len() == 4 => (0..).zip(a.octets()).all(|(n, part)| within(part.into(), n)),
        Ok(IpAddr::V6(a)) if parts.len() == 8 => (0..).zip(a.segments()).all(|(n, part)| within(part, n)),
        _ => false,
    }
}

fn show_address(parts: &[(u16, u16)], f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    let six = parts.len() == 8;
    f.write_str("address ")?;
    for (n, (from, to)) in parts.iter().enumerate() {
        let point = if n == 0 {
            ""
        } else if six {
            ":"
        } else {
            "."
        };
        match (from, to) {
            (0, 0xFFFF) => write!(f, "{point}*")?,
            (0, 255) if !six => write!(f, "{point}*")?,
            (from, to) if six && from == to => write!(f, "{point}{from:x}")?,
            (from, to) if six => write!(f, "{point}{from:x}-{to:x}")?,
            (from, to) if from == to => write!(f, "{point}{from}")?,
            (from, to) => write!(f, "{point}{from}-{to}")?,
        }
    }
    Ok(())
}

impl std::fmt::Display for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Test::Exact(w) => write!(f, "= {w}"),
            Test::ExactNoCase(w) => write!(f, "= {w} (any case)"),
            Test::Prefix(w) => write!(f, "begins {w}"),
            Test::PrefixNoCase(w) => write!(f, "begins {w} (any case)"),
            Test::Suffix(w) => write!(f, "ends {w}"),
            Test::Contains(w) => write!(f, "contains {w}"),
            Test::Regex(r) => write!(f, "matches {}", r.text()),
            Test::Present => f.write_str("is there"),
            Test::Absent => f.write_str("is not there"),
            Test::NotEmpty => f.write_str("is not empty"),
            Test::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Test::Range(from, to) => write!(f, "within {from} to {to}"),
            Test::Remainder(by, rest) => write!(f, "modulo {by} is {rest}"),
            Test::Address(parts) => show_address(parts, f),
            Test::Wildcard(w) => write!(f, "like {w}"),
            Test::PatternOf(field) => write!(f, "like the {field}"),
            Test::Bucket { salt, from, to } => write!(f, "in buckets {from}..{to} of salt `{salt}`"),
            Test::Not(test) => write!(f, "not: {test}"),
        }
    }
}

/// A condition over a request, or over an instance and its caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All hold; of none: holds.
    All(Vec<Condition>),
    /// One holds; of none: does not.
    Any(Vec<Condition>),
    /// Does not hold.
    Not(Box<Condition>),
    /// A test of a value.
    Is(Field, Test),
    /// By chance, for this many of 10,000 requests: another answer each time.
    Chance(u16),
}

impl Condition {
    /// Holds for everything.
    pub const ALWAYS: Condition = Condition::All(Vec::new());

    /// A test of a value.
    pub fn is(field: Field, test: Test) -> Condition {
        Condition::Is(field, test)
    }

    /// Whether it holds, with values from anywhere. [`Condition::Chance`] does not hold here: the decision draws it.
    pub fn holds<'v>(&self, value: &dyn Fn(&Field) -> Option<&'v str>) -> bool {
        match self {
            Condition::All(parts) => parts.iter().all(|c| c.holds(value)),
            Condition::Any(parts) => parts.iter().any(|c| c.holds(value)),
            Condition::Not(part) => !part.holds(value),
            Condition::Is(field, test) => test.holds(value(field), value),
            Condition::Chance(_) => false,
        }
    }

    /// Calls back with every field that is named.
    pub fn each_field<'c>(&'c self, tell: &mut dyn FnMut(&'c Field)) {
        self.each_test(&mut |field, test| {
            tell(field);
            if let Some(field) = test.names() {
                tell(field);
            }
        });
    }

    /// Calls back with every test and the field whose value it is made of.
    pub fn each_test<'c>(&'c self, tell: &mut dyn FnMut(&'c Field, &'c Test)) {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|c| c.each_test(tell)),
            Condition::Not(part) => part.each_test(tell),
            Condition::Is(field, test) => tell(field, test),
            Condition::Chance(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_value_fulfils_absent_and_not_only() {
        let none = |_: &Field| None;
        for test in [Test::Exact("".into()), Test::Present, Test::NotEmpty, Test::Wildcard("*".into())] {
            assert!(!test.holds(None, &none), "{test}");
            assert!(Test::Not(Box::new(test)).holds(None, &none));
        }
        assert!(Test::Absent.holds(None, &none) && !Test::Absent.holds(Some(""), &none));
    }

    #[test]
    fn ranges_are_numbers() {
        let none = |_: &Field| None;
        let range = Test::Range(100.0, f64::INFINITY);
        assert!(range.holds(Some("100"), &none) && range.holds(Some("1e9"), &none));
        assert!(!range.holds(Some("99"), &none) && !range.holds(Some("x100"), &none) && !range.holds(Some(""), &none));
    }

    #[test]
    fn addresses_are_compared_by_part() {
        let none = |_: &Field| None;
        let four = Test::Address([(10, 10), (0, 255), (0, 0), (1, 9)].into());
        assert!(four.holds(Some("10.77.0.9"), &none) && !four.holds(Some("10.77.0.10"), &none));
        assert!(!four.holds(Some("10.77.0.9:80"), &none) && !four.holds(Some("::1"), &none));
        assert_eq!(four.to_string(), "address 10.*.0.1-9");
        let six = Test::Address(vec![(0, 0); 7].into_iter().chain([(1, 0xFF)]).collect());
        assert!(six.holds(Some("::1"), &none) && six.holds(Some("0:0:0:0:0:0:0:ff"), &none));
        assert!(!six.holds(Some("::100"), &none) && !six.holds(Some("0.0.0.1"), &none));
        let odd = Test::Remainder(2.0, 1.0);
        assert!(odd.holds(Some("7"), &none) && !odd.holds(Some("8"), &none) && !odd.holds(Some("x"), &none));
    }
}
