//! The class of ours that lives beside Tomcat calls Tomcat's methods directly, and the bridge calls some by name: both
//! are compared with the class files of every supported line, so that a method that was renamed is found here.

use std::collections::HashMap;
use std::path::PathBuf;

use super::versions::{extract, jdk_tool};

const TOMCATS: &[&str] = &["9.0.83", "10.1.55", "11.0.22"];
const REQUEST: &str = "org/apache/coyote/Request";
const HEADERS: &str = "org/apache/tomcat/util/http/MimeHeaders";
const VALUE: &str = "org/apache/tomcat/util/buf/MessageBytes";
const BYTES: &str = "org/apache/tomcat/util/buf/ByteChunk";
/// `ByteChunk` inherits from it.
const CHUNK: &str = "org/apache/tomcat/util/buf/AbstractChunk";

/// What `java.trilane.Tomcat` calls by name: class, method, the beginning of its descriptor.
const BY_NAME: &[(&str, &str, &str)] = &[
    (REQUEST, "getHeader", "(Ljava/lang/String;)Ljava/lang/String;"),
    (REQUEST, "getMimeHeaders", "()"),
    (REQUEST, "remoteAddr", "()"),
    (REQUEST, "action", "(Lorg/apache/coyote/ActionCode;Ljava/lang/Object;)V"),
    (HEADERS, "values", "(Ljava/lang/String;)Ljava/util/Enumeration;"),
    (HEADERS, "removeHeader", "(Ljava/lang/String;)"),
    (HEADERS, "setValue", "(Ljava/lang/String;)"),
    (VALUE, "setString", "(Ljava/lang/String;)"),
];

/// The methods outside of itself that a class file of the bridge calls: class, method, descriptor.
fn called(class: &str) -> Vec<(String, String, String)> {
    let mut javap = jdk_tool("javap");
    javap.args(["-c", "-p", "-cp", concat!(env!("OUT_DIR"), "/bridge"), class]);
    let output = javap.output().expect("the JDK's `javap` program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let calls = text.lines().filter_map(|line| {
        let (_, call) = line.split_once("Method ").filter(|(before, _)| before.contains("// "))?;
        let (place, descriptor) = call.split_once(':')?;
        let (owner, method) = place.rsplit_once('.')?;
        Some((owner.to_owned(), method.to_owned(), descriptor.to_owned()))
    });
    calls.filter(|(owner, _, _)| owner.starts_with("org/apache/")).collect()
}

#[test]
fn the_class_beside_tomcat_calls_methods_that_every_tomcat_has() {
    let direct = called("io.github.trilane.TomcatRequests");
    assert!(direct.len() >= 8, "javap shows too few calls: {direct:?}");
    let by_name = BY_NAME.iter().map(|(c, m, d)| ((*c).to_owned(), (*m).to_owned(), (*d).to_owned()));
    let wanted: Vec<_> = direct.into_iter().chain(by_name).collect();
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let mut problems = Vec::new();
    for version in TOMCATS {
        let folder = home.join(".m2/repository/org/apache/tomcat/embed/tomcat-embed-core").join(version);
        let jar = folder.join(format!("tomcat-embed-core-{version}.jar"));
        if !jar.exists() {
            println!("skipped: {} is not there; the Maven projects in bindings-java/it bring it", jar.display());
            continue;
        }
        let classes = extract(&[jar], [REQUEST, HEADERS, VALUE, BYTES, CHUNK].into());
        for (class, method, descriptor) in &wanted {
            if !has(&classes, class, method, descriptor) {
                problems.push(format!("Tomcat {version} has no {class}.{method}{descriptor}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn has(classes: &HashMap<&'static str, Vec<u8>>, class: &str, method: &str, descriptor: &str) -> bool {
    let places = if class == BYTES { vec![BYTES, CHUNK] } else { vec![class] };
    places.iter().filter_map(|name| classes.get(name)).any(|bytes| {
        let methods = trilane_classedit::methods(bytes).expect("a class file");
        methods.iter().any(|m| m.name == method && m.descriptor.starts_with(descriptor))
    })
}

#[test]
fn every_method_that_the_bridge_calls_by_name_is_compared() {
    let java = include_str!("../../../bridge/java/trilane/Tomcat.java");
    let names = java.split("new Call(\"").skip(1).filter_map(|rest| rest.split('"').next());
    for name in names {
        assert!(BY_NAME.iter().any(|(_, method, _)| *method == name), "{name} is missing in BY_NAME");
    }
    assert!(java.contains("findVirtual(type, \"action\""), "`action` is looked up in another way");
}
