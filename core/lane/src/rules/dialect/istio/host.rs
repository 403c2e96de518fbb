//! Host names of Istio and ASM: short names, FQDNs, wildcards, `*/*` and `app/*`.

use crate::model::Name;

const DOMAIN: &str = ".svc.cluster.local";

/// Which hosts a rule is for. Lower case, except an application's name, which also stands as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Host {
    /// `reviews.default.svc.cluster.local`, `shop.example.com`, `com.shop.StockService`.
    Exact(String),
    /// ASM's `myapp/*`: the application of this name, whatever its namespace.
    App(String),
    /// `*.example.com`, kept as `.example.com`.
    Suffix(String),
    /// `*`, `*/*`.
    Any,
}

impl Host {
    /// Reads a host as a rule in `namespace` means it: a name without a dot is short for one of that namespace.
    pub fn read(text: &str, namespace: &str) -> Host {
        let text = text.trim();
        if matches!(text, "*" | "*/*") {
            return Host::Any;
        }
        if let Some(app) = text.strip_suffix("/*") {
            return Host::App(app.into());
        }
        if let Some(suffix) = text.strip_prefix('*') {
            return Host::Suffix(suffix.to_ascii_lowercase());
        }
        match text.contains('.') {
            true => Host::Exact(text.to_ascii_lowercase()),
            false => Host::Exact(format!("{}.{namespace}{DOMAIN}", text.to_ascii_lowercase())),
        }
    }

    /// Whether every request for `other` is one for this host.
    pub fn covers(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Any, _) => true,
            (Host::Suffix(suffix), Host::Exact(name)) => name.len() > suffix.len() && name.ends_with(&**suffix),
            (Host::Suffix(suffix), Host::Suffix(inner)) => inner.ends_with(&**suffix),
            (Host::App(app), Host::Exact(name)) | (Host::Exact(name), Host::App(app)) => first_label(name, app),
            (mine, other) => mine == other,
        }
    }

    /// The more, the more specific: an exact name before a suffix, the longest suffix, then any.
    pub fn rank(&self) -> usize {
        match self {
            Host::Exact(_) | Host::App(_) => usize::MAX,
            Host::Suffix(suffix) => suffix.len(),
            Host::Any => 0,
        }
    }

    /// The names under which a caller in `namespace` (empty: not known) may know it. `written` is the text of the rule.
    pub fn names(&self, written: &str, namespace: &str) -> Vec<Name> {
        let exact = |name: &str| Name::Exact(name.into());
        let mut names = match self {
            Host::Any => vec![Name::Any],
            Host::Suffix(suffix) => vec![Name::Suffix(suffix.as_str().into())],
            Host::App(app) => vec![exact(app)],
            Host::Exact(name) => {
                let mut names = vec![exact(name)];
                let short = name.strip_suffix(DOMAIN).and_then(|n| n.split_once('.'));
                if let Some((service, its)) = short.filter(|(_, its)| !its.contains('.')) {
                    names.push(exact(&format!("{service}.{its}")));
                    names.push(exact(&format!("{service}.{its}.svc")));
                    if namespace.is_empty() || namespace == its {
                        names.push(exact(service));
                    }
                }
                names
            }
        };
        // Frameworks know services by names with capitals (Java interfaces); Istio knows none.
        if !written.contains(['*', '/']) && names.contains(&exact(&written.to_ascii_lowercase())) {
            names.push(exact(written));
        }
        names.dedup();
        names
    }
}

/// Whether `name` is `app` in some namespace.
fn first_label(name: &str, app: &str) -> bool {
    let app = app.to_ascii_lowercase();
    name == app || name.strip_prefix(&*app).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(DOMAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_belong_to_the_namespace_of_the_rule() {
        let host = Host::read("Reviews", "prod");
        assert_eq!(host, Host::Exact("reviews.prod.svc.cluster.local".into()));
        let knows = |namespace: &str, name: &str| {
            host.names("Reviews", namespace).iter().any(|n| *n == Name::Exact(name.into()))
        };
        assert!(knows("prod", "reviews") && knows("prod", "Reviews") && knows("", "reviews"));
        assert!(knows("default", "reviews.prod") && !knows("default", "reviews") && !knows("default", "Reviews"));
    }

    #[test]
    fn wildcards_cover_what_is_below_them() {
        let below = Host::read("*.example.com", "default");
        assert!(below.covers(&Host::read("a.example.com", "x")) && below.covers(&Host::read("*.b.example.com", "x")));
        assert!(!below.covers(&Host::read("example.com", "x")) && !below.covers(&Host::Any));
        assert!(Host::App("myapp".into()).covers(&Host::read("myapp", "any")));
        assert!(!Host::App("myapp".into()).covers(&Host::read("myapp2", "any")));
    }
}
