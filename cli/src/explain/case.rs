//! One question to the rules, as `trilane explain --batch` reads it: a JSON object, everything in it optional.

use serde::Deserialize;
use std::collections::BTreeMap;
use trilane_lane::model::Field;
use trilane_lane::model::decide::Facts;
use trilane_lane::{carrier, tag};

/// A whole question.
#[derive(Clone, Deserialize, Default)]
#[serde(default)]
pub struct Case {
    pub id: serde_json::Value,
    pub dialect: Option<String>,
    pub rules: String,
    pub service: String,
    pub instances: Vec<Instance>,
    pub caller: Caller,
    pub request: Request,
    pub settings: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Deserialize)]
#[serde(default)]
pub struct Instance {
    pub id: String,
    pub host: String,
    pub port: u32,
    pub labels: BTreeMap<String, String>,
    pub healthy: bool,
}

impl Default for Instance {
    fn default() -> Self {
        Instance { id: String::new(), host: String::new(), port: 0, labels: BTreeMap::new(), healthy: true }
    }
}

impl Instance {
    /// `host:port`; an IPv6 literal gets its brackets.
    pub fn address(&self) -> String {
        let bare = self.host.contains(':') && !self.host.starts_with('[');
        if bare { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }
}

#[derive(Clone, Deserialize, Default)]
#[serde(default)]
pub struct Caller {
    pub service: Option<String>,
    pub host: Option<String>,
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Deserialize, Default)]
#[serde(default)]
pub struct Request {
    pub service: Option<String>,
    pub method: Option<String>,
    pub http_method: Option<String>,
    pub scheme: Option<String>,
    pub host: Option<String>,
    pub path: Option<String>,
    pub args: Vec<serde_json::Value>,
    pub headers: BTreeMap<String, String>,
    pub attachments: BTreeMap<String, String>,
    pub cookies: BTreeMap<String, String>,
    pub query: BTreeMap<String, String>,
    pub tag: Option<String>,
    /// The calling service as the protocol names it.
    pub caller: Option<String>,
}

impl Request {
    /// Makes names what the model expects: lower-case headers, texts for arguments.
    pub fn prepare(&mut self) {
        let headers = std::mem::take(&mut self.headers);
        self.headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let text = |value: &mut serde_json::Value| {
            if !value.is_string() {
                *value = serde_json::Value::String(value.to_string());
            }
        };
        self.args.iter_mut().for_each(text);
    }

    /// The tag it comes with: written out, or in a carrier by their order (design §3). `edge`: carriers are not
    /// believed. `extra`: further names that hold the plain tag.
    pub fn carried(&self, edge: bool, extra: &[String]) -> Option<String> {
        if let Some(tag) = &self.tag {
            return tag::parse(tag.as_bytes()).map(str::to_string);
        }
        if edge {
            return None;
        }
        let fixed = [
            (carrier::HEADER, carrier::Form::Plain),
            (carrier::MEMBER, carrier::Form::Json),
            (carrier::BAGGAGE, carrier::Form::Baggage),
            (carrier::DUBBO_TAG, carrier::Form::Plain),
        ];
        let extra = extra.iter().map(|name| (name.as_str(), carrier::Form::Plain));
        fixed.into_iter().chain(extra).find_map(|(name, form)| {
            // `dubbo.tag` is an attachment only; the others ride in both.
            let header = self.headers.get(&name.to_ascii_lowercase()).filter(|_| name != carrier::DUBBO_TAG);
            let value = header.or_else(|| self.attachments.get(name))?;
            match carrier::read(form, value.as_bytes()) {
                carrier::Reading::Tag(range) => Some(value[range].to_string()),
                _ => None,
            }
        })
    }

    /// The value that a binding would pass under a name of [`trilane_lane::entry::name_of`].
    pub fn passed(&self, name: &str) -> Option<String> {
        let header = || self.headers.get(name).or_else(|| self.attachments.get(name)).cloned();
        let joined = |pairs: &BTreeMap<String, String>, by: &str| {
            pairs.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(by)
        };
        match name {
            "cookie" if !self.cookies.is_empty() => Some(joined(&self.cookies, "; ")),
            ":path" if !self.query.is_empty() => {
                let path = self.path.as_deref().unwrap_or("");
                Some(format!("{}?{}", path.split('?').next().unwrap_or(""), joined(&self.query, "&")))
            }
            ":path" => self.path.clone(),
            ":method" => self.http_method.clone(),
            ":authority" => self.host.clone(),
            ":rpc-method" => self.method.clone(),
            ":caller" => self.caller.clone(),
            name => match name.strip_prefix(":arg.").and_then(|n| n.parse::<usize>().ok()) {
                Some(at) => self.args.get(at).and_then(|v| v.as_str()).map(str::to_string),
                None => header(),
            },
        }
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        let in_header = || {
            let pairs = self.headers.get("cookie")?.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs.into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
        };
        self.cookies.get(name).map(String::as_str).or_else(in_header)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let in_path = || {
            let pairs = self.path.as_deref()?.split_once('?')?.1.split('&');
            pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).find(|(n, _)| *n == name).map(|(_, v)| v)
        };
        self.query.get(name).map(String::as_str).or_else(in_path)
    }
}

/// A question's `method` that is one of these is the HTTP method, too.
const HTTP_METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

/// A request whose tag is decided, as the model sees it.
#[derive(Clone, Copy)]
pub struct Asked<'c> {
    pub request: &'c Request,
    pub service: &'c str,
    pub tag: Option<&'c str>,
}

impl Facts for Asked<'_> {
    fn value(&self, _: usize, field: &Field) -> Option<&str> {
        let request = self.request;
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        match field {
            Field::Service => Some(request.service.as_deref().unwrap_or(self.service)),
            Field::Host => {
                let written = request.host.as_deref().or_else(|| header("host")).or_else(|| header(":authority"));
                Some(written.unwrap_or(self.service))
            }
            Field::Method => request.method.as_deref(),
            Field::HttpMethod => {
                let verb = || request.method.as_deref().filter(|m| HTTP_METHODS.contains(m));
                request.http_method.as_deref().or_else(|| header(":method")).or_else(verb)
            }
            Field::Scheme => Some(request.scheme.as_deref().or_else(|| header(":scheme")).unwrap_or("http")),
            Field::Path => request.path.as_deref().map(|p| p.split_once('?').map_or(p, |(path, _)| path)),
            Field::Uri => request.path.as_deref(),
            Field::Query(name) => request.parameter(name),
            Field::Cookie(name) => request.cookie(name),
            Field::Header(name) => header(name),
            Field::Attachment(name) => request.attachments.get(&**name).map(String::as_str),
            Field::Argument(at) => request.args.get(usize::from(*at)).and_then(|v| v.as_str()),
            Field::Tag => self.tag,
            Field::CallerOfRequest => request.caller.as_deref(),
            Field::TraceId => header("x-request-id").or_else(|| header("x-b3-traceid")).or_else(|| {
                // `00-<trace id>-<span id>-<flags>`
                header("traceparent").and_then(|value| value.split('-').nth(1))
            }),
            _ => None,
        }
    }
}
