//! One method per file of vectors.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use trilane_engine::{Change, Engine, Instance, Kind, Options, TagId, inbound, outbound};
use trilane_lane::{hash, rules, tag};

/// What a case expected and what came.
pub struct Mismatch {
    /// Which value.
    pub what: String,
    /// From the vectors.
    pub expected: String,
    /// From the library.
    pub found: String,
}

type Outcome = Result<(), Mismatch>;

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, found: T) -> Outcome {
    if expected == found {
        return Ok(());
    }
    Err(Mismatch { what: what.into(), expected: format!("{expected:?}"), found: format!("{found:?}") })
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{}: {field} is text", case["id"]))
}

fn list<'a>(case: &'a Value, field: &str) -> &'a [Value] {
    case[field].as_array().map_or(&[], Vec::as_slice)
}

fn texts<'a>(case: &'a Value, field: &str) -> Vec<&'a str> {
    list(case, field).iter().filter_map(Value::as_str).collect()
}

fn hex(digits: &str) -> Vec<u8> {
    let digit = |b: u8| (b as char).to_digit(16).expect("hex digits") as u8;
    digits.as_bytes().chunks(2).map(|p| digit(p[0]) << 4 | digit(p[1])).collect()
}

/// The engines of a run: cases in a row with the same rules and options share one.
pub struct Bench {
    dir: PathBuf,
    started: u32,
    last: Option<(String, Arc<Engine>)>,
}

/// The parts of what `route` answers.
struct Routed {
    index: u32,
    subset: u16,
    case: u8,
    bits: u64,
}

struct Entered {
    tag: String,
    source: u8,
    flags: u8,
}

impl Bench {
    /// `dir` takes the rule files.
    pub fn new(dir: PathBuf) -> Bench {
        Bench { dir, started: 0, last: None }
    }

    fn engine(&mut self, case: &Value) -> Arc<Engine> {
        let key = format!("{}{}", case["options"], case["rules"]);
        if let Some((last, engine)) = &self.last
            && *last == key
        {
            return engine.clone();
        }
        self.started += 1;
        let file = self.dir.join(format!("{}.yaml", self.started));
        std::fs::write(&file, text(case, "rules")).expect("a temporary file");
        let mut agent_option = format!("log=off,rules={}", file.display());
        for pair in list(case, "options") {
            agent_option += &format!(",{}={}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        }
        let options = Options {
            agent_option,
            properties: Vec::new(),
            explicit: true,
            binding: "vectors",
            read_environment: false,
            other_agents: Vec::new(),
        };
        let engine = Engine::start(options);
        self.last = Some((key, engine.clone()));
        engine
    }

    /// `tags.json`
    pub fn tag(&mut self, case: &Value) -> Outcome {
        let bytes = hex(text(case, "hex"));
        let valid = case["valid"] == true;
        same("tag::parse", valid, tag::parse(&bytes).is_some())?;
        let bare = serde_json::json!({"rules": "apiVersion: trilane/v1\n", "options": []});
        same("tag_find", valid, self.engine(&bare).tag_find(&bytes) != TagId::NONE)
    }

    /// `carriers.json`
    pub fn carrier(&mut self, case: &Value) -> Outcome {
        let engine = self.engine(case);
        if text(case, "op") == "baggage_set" {
            return baggage(&engine, case);
        }
        let entered = enter(&engine, case)?;
        same("tag", text(case, "tag"), &entered.tag)?;
        same("source", u8::from(!entered.tag.is_empty()), entered.source)?;
        for (name, flag) in [("malformed", inbound::MALFORMED), ("disagree", inbound::DISAGREE)] {
            if let Some(expected) = case[name].as_bool() {
                same(name, expected, entered.flags & flag != 0)?;
            }
        }
        Ok(())
    }

    /// `metadata.json`
    pub fn metadata(&mut self, case: &Value) -> Outcome {
        let engine = self.engine(case);
        let instance = serde_json::json!({
            "address": case["address"], "metadata": case["metadata"], "healthy": true,
        });
        let id = publish(&engine, &[text(case, "name")], &[instance]);
        let untagged = decided(&engine, id, "");
        let result = match case["tag"].as_str() {
            Some("") => same("routing no tag", ("own", vec![0]), untagged),
            None => same("routing no tag", ("fail", vec![]), untagged),
            Some(tag) => same("routing no tag", ("fail", vec![]), untagged)
                .and_then(|()| same("routing its tag", ("own", vec![0]), decided(&engine, id, tag))),
        };
        engine.list_free(id);
        result
    }

    /// `route.json`
    pub fn route(&mut self, case: &Value) -> Outcome {
        let engine = self.engine(case);
        if let Some(authority) = case["authority"].as_str() {
            let found = engine.authority(authority.as_bytes()).filter(|id| *id != 0);
            same("a list for the authority", case["case"].is_string(), found.is_some())?;
            let Some(id) = found else { return Ok(()) };
            for (n, address) in texts(case, "addresses").iter().enumerate() {
                same("address", Some(*address), engine.address(id, n as u32).as_deref())?;
            }
            return self.route_in(&engine, id, case);
        }
        let names = texts(case, "names");
        let id = publish(&engine, &names, list(case, "instances"));
        let result = self.route_in(&engine, id, case);
        engine.list_free(id);
        result?;
        let id = publish_by_steps(&engine, &names, list(case, "instances"));
        let result = self.route_in(&engine, id, case);
        engine.list_free(id);
        result.map_err(|m| Mismatch { what: format!("after list_change and list_health: {}", m.what), ..m })
    }

    fn route_in(&self, engine: &Engine, id: u64, case: &Value) -> Outcome {
        let tag = text(case, "tag");
        let explained = engine.explain(id, tag.as_bytes(), 0, 0);
        same("explain is an object", true, serde_json::from_str(&explained).is_ok_and(|v: Value| v.is_object()))?;
        let answer = routed(engine, id, tag, 0);
        let mode = text(case, "mode");
        if mode != "on" {
            let flag = if mode == "off" { outbound::OFF } else { outbound::OBSERVE };
            return same(&format!("flag {mode}"), true, answer.bits & flag != 0);
        }
        same("flags", 0, answer.bits & (outbound::STALE | outbound::OFF | outbound::OBSERVE))?;
        let indices: Vec<u32> = list(case, "indices").iter().map(|v| v.as_u64().unwrap() as u32).collect();
        let expected = text(case, "case");
        let (kind, usable) = decided(engine, id, tag);
        let kind = if expected == "fallback" && kind.starts_with("no") { "fallback" } else { kind };
        same("case", expected, kind)?;
        same("indices", &indices, &usable)?;
        same("index", indices.first().copied().unwrap_or(outbound::NO_INDEX), answer.index)?;
        let fallback = answer.bits & outbound::FALLBACK != 0;
        match answer.case {
            0 => same("flag FALLBACK", false, fallback),
            1 | 2 => same("flag FALLBACK", true, fallback),
            3 => same("subset of a failure", outbound::NO_SUBSET, answer.subset),
            _ => Ok(()),
        }
    }

    /// `pick.json`
    pub fn pick(&mut self, case: &Value) -> Outcome {
        let engine = self.engine(case);
        let id = publish(&engine, &texts(case, "names"), list(case, "instances"));
        let entropy = text(case, "entropy").parse().expect("a number");
        let answer = routed(&engine, id, text(case, "tag"), entropy);
        engine.list_free(id);
        same("case", text(case, "case"), word(answer.case))?;
        same("index", case["index"].as_u64(), Some(u64::from(answer.index)))
    }

    /// `percent.json`
    pub fn percent(&mut self, case: &Value) -> Outcome {
        let found = hash::bucket(text(case, "salt").as_bytes(), text(case, "key").as_bytes());
        same("bucket", case["bucket"].as_u64(), Some(u64::from(found)))?;
        let request = serde_json::json!({
            "id": case["id"], "kind": "http", "headers": [{"name": "x-user-id", "value": case["key"]}],
        });
        let entered = enter(&self.engine(case), &request)?;
        let expected = if case["match"] == true { ("gray", 2) } else { ("", 0) };
        same("tag and source", expected, (entered.tag.as_str(), entered.source))
    }

    /// `entry.json`
    pub fn entry(&mut self, case: &Value) -> Outcome {
        let entered = enter(&self.engine(case), case)?;
        let sources = ["none", "carried", "entry", "trace", "own"];
        let source = sources.get(entered.source as usize).copied().unwrap_or("?");
        same("tag and source", (text(case, "tag"), text(case, "source")), (&entered.tag, source))
    }

    /// `badrules.json`
    pub fn bad_rules(&mut self, case: &Value) -> Outcome {
        let problems = match rules::check("lanes.yaml", text(case, "text")) {
            Ok(_) => Vec::new(),
            Err(problems) => problems,
        };
        if case["refused"] != true {
            let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return same("problems", Vec::<String>::new(), said);
        }
        let place = |v: &Value, at: u32| v.as_u64().is_none_or(|expected| expected == u64::from(at));
        let fits = problems.iter().any(|p| {
            let said = format!("{} {} {}", p.field, p.message, p.expected);
            let names = |line: &Value| line.as_u64() == Some(u64::from(p.line)) || said.contains(&line.to_string());
            place(&case["line"], p.line)
                && place(&case["column"], p.column)
                && texts(case, "contains").iter().all(|word| said.contains(word))
                && list(case, "lines").iter().all(names)
        });
        if fits {
            return Ok(());
        }
        let expected = format!(
            "line {} column {}, words {}, lines {}",
            case["line"], case["column"], case["contains"], case["lines"]
        );
        let found = format!("{problems:?}");
        Err(Mismatch { what: format!("problems of\n{}", text(case, "text")), expected, found })
    }

    /// `known.json`
    pub fn known(&mut self, case: &Value) -> Outcome {
        let engine = self.engine(case);
        let lists: Vec<u64> =
            list(case, "lists").iter().map(|l| publish(&engine, &texts(l, "names"), list(l, "instances"))).collect();
        let found = engine.known(text(case, "authority").as_bytes());
        for id in lists {
            engine.list_free(id);
        }
        same(&format!("known({})", case["authority"]), case["known"] == true, found)
    }

    /// `edge.json`
    pub fn edge(&mut self, case: &Value) -> Outcome {
        let engine = self.engine(case);
        let edge = engine.edge(text(case, "peer").as_bytes());
        same("edge", case["edge"].as_u64(), Some(u64::from(edge)))?;
        let (mut expected, mut names) = (texts(case, "names"), engine.edge_names());
        expected.sort_unstable();
        names.sort_unstable();
        same("names that an edge removes", expected, names.iter().map(String::as_str).collect())?;
        same("tag", text(case, "tag"), &entered(&engine, Kind::Http, list(case, "headers"), edge == 0)?.tag)?;
        let header = |name: &str| list(case, "headers").iter().find(|h| text(h, "name") == name);
        let pass = engine.pass_names();
        let values: Vec<Option<&[u8]>> =
            pass.iter().map(|name| header(name).map(|h| text(h, "value").as_bytes())).collect();
        let kept = engine.pass(&values);
        let ride = pass.iter().enumerate().filter(|(at, _)| kept >> at & 1 == 1).map(|(_, name)| name.as_str());
        same("kept", texts(case, "kept"), ride.collect())
    }

    /// `trace.json`
    pub fn trace(&mut self, case: &Value) -> Outcome {
        let engine = self.engine(case);
        let (mut expected, mut names) = (texts(case, "names"), engine.trace_names());
        expected.sort_unstable();
        names.sort_unstable();
        same("trace_names", expected, names.iter().map(String::as_str).collect())?;
        list(case, "steps").iter().enumerate().try_for_each(|(at, step)| traced(&engine, case, step, at))
    }
}

fn traced(engine: &Engine, case: &Value, step: &Value, at: usize) -> Outcome {
    let find = |value: &str| match engine.trace_find(value.as_bytes()) {
        TagId::NONE => String::new(),
        id => engine.tag_name(id).map_or_else(|| "no such id".into(), |name| name.to_string()),
    };
    let (op, tag) = (text(step, "op"), text(step, "tag"));
    let what = format!("step {at}: {op}");
    match op {
        "in" => {
            let kind = if text(step, "kind") == "dubbo" { Kind::Dubbo } else { Kind::Http };
            let found = entered(engine, kind, list(step, "headers"), step["trusted"] == true)?;
            let source = ["none", "carried", "entry", "trace", "own"][usize::from(found.source)];
            same(&what, (tag, text(step, "source")), (&*found.tag, source))
        }
        "find" => same(&what, tag, &find(text(step, "value"))),
        _ => {
            let id = |n: u64| format!("{}{n}", text(step, "prefix"));
            let count = step["count"].as_u64().expect("a number");
            let header = texts(case, "names")[0];
            for n in 0..count {
                let headers = [json!({"name": "x-mse-tag", "value": tag}), json!({"name": header, "value": id(n)})];
                entered(engine, Kind::Http, &headers, false)?;
            }
            let known: Vec<String> = (0..count).map(|n| find(&id(n))).filter(|tag| !tag.is_empty()).collect();
            same(&format!("{what}: their tags"), true, known.iter().all(|found| found == tag))?;
            let most = step["most"].as_u64().expect("a number");
            same(
                &format!("{what}: {} are known, of {most}", known.len()),
                true,
                (1..=most).contains(&(known.len() as u64)),
            )
        }
    }
}

/// Publishes a list, handing over the metadata that the engine asks for.
fn publish(engine: &Engine, names: &[&str], listed: &[Value]) -> u64 {
    with_instances(engine, listed, |instances| engine.list_new(names, instances))
}

/// The same list by another way: one stranger first, then the instances all healthy and the stranger gone, then each
/// health bit turned to what it should be.
fn publish_by_steps(engine: &Engine, names: &[&str], listed: &[Value]) -> u64 {
    let stranger = Instance { address: "192.0.2.1:1", metadata: &[], healthy: true };
    let first = engine.list_new(names, &[stranger]);
    let mut healthy = listed.to_vec();
    healthy.iter_mut().for_each(|i| i["healthy"] = Value::Bool(true));
    let id = with_instances(engine, &healthy, |added| engine.list_change(first, &Change { removed: &[0], added }));
    engine.list_free(first);
    for (index, instance) in listed.iter().enumerate() {
        engine.list_health(id, index as u32, false);
        engine.list_health(id, index as u32, instance["healthy"] == true);
    }
    id
}

fn with_instances(engine: &Engine, listed: &[Value], publish: impl FnOnce(&[Instance]) -> u64) -> u64 {
    let keys = engine.metadata_keys();
    let asked = |name: &str| {
        keys.iter().any(|k| k.strip_suffix('*').map_or(k.as_str() == name, |prefix| name.starts_with(prefix)))
    };
    let metadata: Vec<Vec<(&str, &str)>> = listed
        .iter()
        .map(|i| i["metadata"].as_object().expect("metadata"))
        .map(|m| m.iter().filter(|(k, _)| asked(k)).map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect())
        .collect();
    let instances: Vec<Instance> = listed
        .iter()
        .zip(&metadata)
        .map(|(i, metadata)| Instance { address: text(i, "address"), metadata, healthy: i["healthy"] == true })
        .collect();
    publish(&instances)
}

fn routed(engine: &Engine, id: u64, tag: &str, entropy: u64) -> Routed {
    let bits = engine.route(id, engine.tag_find(tag.as_bytes()), 0, entropy, engine.list_stamp(id));
    Routed { index: bits as u32, subset: (bits >> 32) as u16, case: (bits >> 48) as u8, bits }
}

fn word(case: u8) -> &'static str {
    ["own", "noinstances", "noavailabled", "fail", "all"].get(case as usize).copied().unwrap_or("?")
}

/// The case's word and the usable indices of the subset that was decided.
fn decided(engine: &Engine, id: u64, tag: &str) -> (&'static str, Vec<u32>) {
    let answer = routed(engine, id, tag, 0);
    let mut usable = Vec::new();
    if answer.subset != outbound::NO_SUBSET {
        engine.subset(id, answer.subset, &mut usable);
    }
    (word(answer.case), usable)
}

/// A request comes in with the case's headers.
fn enter(engine: &Engine, case: &Value) -> Result<Entered, Mismatch> {
    let kind = match text(case, "kind") {
        "http" => Kind::Http,
        "dubbo" => Kind::Dubbo,
        _ => Kind::Message,
    };
    let entered = entered(engine, kind, list(case, "headers"), false)?;
    same("flag OBSERVE", 0, entered.flags & inbound::OBSERVE)?;
    Ok(entered)
}

fn entered(engine: &Engine, kind: Kind, headers: &[Value], trusted: bool) -> Result<Entered, Mismatch> {
    let (snapshot, names) = engine.inbound_names(kind);
    let headers: Vec<(String, Vec<u8>)> = headers
        .iter()
        .map(|h| {
            let value = h["hex"].as_str().map_or_else(|| text(h, "value").as_bytes().to_vec(), hex);
            (text(h, "name").to_ascii_lowercase(), value)
        })
        .collect();
    let value = |name: &String| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice());
    let values: Vec<Option<&[u8]>> = names.iter().map(value).collect();
    let bits = engine.inbound_from(trusted, kind, snapshot, &values);
    let flags = (bits >> 24) as u8;
    same("flags", 0, flags & (inbound::STALE | inbound::OFF))?;
    let tag = match TagId(bits as u16) {
        TagId::NONE => String::new(),
        TagId::UNKNOWN => {
            let (at, start, len) = ((bits >> 32) as u8, (bits >> 40) as u16, (bits >> 56) as u8);
            let slice = values.get(at as usize).copied().flatten().unwrap_or_default();
            let found = slice.get(start as usize..start as usize + len as usize).unwrap_or(b"out of range");
            String::from_utf8_lossy(found).into_owned()
        }
        id => engine.tag_name(id).map_or_else(|| "no such id".into(), |name| name.to_string()),
    };
    Ok(Entered { tag, source: (bits >> 16) as u8, flags })
}

fn baggage(engine: &Engine, case: &Value) -> Outcome {
    const OURS: &str = "__microservice_tag__";
    let result = engine.baggage_set(text(case, "old").as_bytes(), text(case, "tag").as_bytes());
    let result = String::from_utf8(result).unwrap_or_else(|e| format!("no UTF-8: {e}"));
    let is_ours = |piece: &&str| piece.split(['=', ';']).next().unwrap_or("").trim() == OURS;
    let pieces = result.split(',').map(str::trim).filter(|piece| !piece.is_empty());
    let (ours, others): (Vec<&str>, Vec<&str>) = pieces.partition(is_ours);
    same("our member", case["ours"].as_str().into_iter().collect(), ours)?;
    same("other members", texts(case, "others"), others)?;
    let edges = result.starts_with([',', ' ']) || result.ends_with([',', ' ']);
    same("a comma or blank at an end", case["old"] == "" && edges, edges)
}
