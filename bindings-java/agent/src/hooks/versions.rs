//! Reads the class files of the oldest and the newest supported version of a library and fails when a row of the
//! table matches nothing in one of them. The jars come from the local Maven repository, where the tests of the
//! library put them; a version that is not there is skipped with a line.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::LIBRARIES;
use crate::table::{Outcome, Row, Table};

/// A supported version of a library.
pub(super) struct Version {
    pub(super) library: &'static str,
    /// Its jars, below `~/.m2/repository`.
    pub(super) jars: &'static [&'static str],
    /// Classes of the library's rows that this version does not have.
    without: &'static [&'static str],
}

const ROUTERS: &str = "org/apache/dubbo/rpc/cluster/router/";
const STREAM_32: &str = "org/apache/dubbo/rpc/protocol/tri/call/BiStreamServerCallListener";
const STREAM: &str = "org/apache/dubbo/rpc/protocol/tri/h12/BiStreamServerCallListener";
/// It comes with Spring Cloud Alibaba, not with the load balancer.
const NACOS: &str = "com/alibaba/cloud/nacos/loadbalancer/NacosLoadBalancer";
const NACOS_2021: &str = "com/alibaba/cloud/spring-cloud-starter-alibaba-nacos-discovery/2021.0.6.2/\
                          spring-cloud-starter-alibaba-nacos-discovery-2021.0.6.2.jar";
const NACOS_2025: &str = "com/alibaba/cloud/spring-cloud-starter-alibaba-nacos-discovery/2025.0.0.0/\
                          spring-cloud-starter-alibaba-nacos-discovery-2025.0.0.0.jar";
const SPRING_CLOUD: &[&str] = &[
    "org/springframework/cloud/loadbalancer/core/RoundRobinLoadBalancer",
    "org/springframework/cloud/loadbalancer/core/RandomLoadBalancer",
];

pub(super) const VERSIONS: &[Version] = &[
    Version {
        library: "dubbo",
        jars: &["org/apache/dubbo/dubbo/2.7.23/dubbo-2.7.23.jar"],
        without: &[
            "tag/TagStateRouter",
            "condition/config/ListenableStateRouter",
            "script/config/AppScriptStateRouter",
            "affinity/config/AffinityListenableStateRouter",
            "mesh/route/MeshRuleRouter",
            STREAM_32,
            STREAM,
        ],
    },
    Version {
        library: "dubbo",
        jars: &["org/apache/dubbo/dubbo/3.2.19/dubbo-3.2.19.jar"],
        without: &[
            "tag/TagRouter",
            "condition/config/ListenableRouter",
            "affinity/config/AffinityListenableStateRouter",
            STREAM,
        ],
    },
    Version {
        library: "dubbo",
        jars: &["org/apache/dubbo/dubbo/3.3.6/dubbo-3.3.6.jar"],
        without: &["tag/TagRouter", "condition/config/ListenableRouter", STREAM_32],
    },
    Version {
        library: "tomcat",
        jars: &["org/apache/tomcat/embed/tomcat-embed-core/9.0.83/tomcat-embed-core-9.0.83.jar"],
        without: &[],
    },
    Version {
        library: "tomcat",
        jars: &["org/apache/tomcat/embed/tomcat-embed-core/10.1.55/tomcat-embed-core-10.1.55.jar"],
        without: &[],
    },
    Version {
        library: "tomcat",
        jars: &["org/apache/tomcat/embed/tomcat-embed-core/11.0.22/tomcat-embed-core-11.0.22.jar"],
        without: &[],
    },
    Version {
        library: "spring-loadbalancer",
        jars: &["org/springframework/cloud/spring-cloud-loadbalancer/3.1.8/spring-cloud-loadbalancer-3.1.8.jar"],
        without: &[NACOS],
    },
    Version {
        library: "spring-loadbalancer",
        jars: &["org/springframework/cloud/spring-cloud-loadbalancer/5.0.2/spring-cloud-loadbalancer-5.0.2.jar"],
        without: &[NACOS],
    },
    Version { library: "spring-loadbalancer", jars: &[NACOS_2021], without: SPRING_CLOUD },
    Version { library: "spring-loadbalancer", jars: &[NACOS_2025], without: SPRING_CLOUD },
    Version {
        library: "spring-registration",
        jars: &["org/springframework/cloud/spring-cloud-commons/3.1.8/spring-cloud-commons-3.1.8.jar"],
        without: &[],
    },
    Version {
        library: "spring-registration",
        jars: &["org/springframework/cloud/spring-cloud-commons/5.0.2/spring-cloud-commons-5.0.2.jar"],
        without: &[],
    },
    Version {
        library: "spring-boot",
        jars: &[
            "org/springframework/boot/spring-boot/2.7.18/spring-boot-2.7.18.jar",
            "org/springframework/spring-webmvc/5.3.31/spring-webmvc-5.3.31.jar",
        ],
        without: &[],
    },
    Version {
        library: "spring-boot",
        jars: &[
            "org/springframework/boot/spring-boot/4.1.0/spring-boot-4.1.0.jar",
            "org/springframework/spring-webmvc/7.0.8/spring-webmvc-7.0.8.jar",
        ],
        without: &[],
    },
    Version {
        library: "spring-async",
        jars: &["org/springframework/spring-core/5.3.31/spring-core-5.3.31.jar"],
        without: &[],
    },
    Version {
        library: "spring-async",
        jars: &["org/springframework/spring-core/7.0.8/spring-core-7.0.8.jar"],
        without: &[],
    },
    Version {
        library: "httpclient4",
        jars: &["org/apache/httpcomponents/httpclient/4.3.6/httpclient-4.3.6.jar"],
        without: &[],
    },
    Version {
        library: "httpclient4",
        jars: &["org/apache/httpcomponents/httpclient/4.5.14/httpclient-4.5.14.jar"],
        without: &[],
    },
    Version {
        library: "httpclient5",
        jars: &["org/apache/httpcomponents/client5/httpclient5/5.0.4/httpclient5-5.0.4.jar"],
        without: &[],
    },
    Version {
        library: "httpclient5",
        jars: &["org/apache/httpcomponents/client5/httpclient5/5.6.5/httpclient5-5.6.5.jar"],
        without: &[],
    },
    Version {
        library: "okhttp",
        jars: &["com/squareup/okhttp3/okhttp/3.14.9/okhttp-3.14.9.jar"],
        without: &["okhttp3/internal/connection/RealCall", "okhttp3/internal/connection/RealCall$AsyncCall"],
    },
    Version {
        library: "okhttp",
        jars: &["com/squareup/okhttp3/okhttp-jvm/5.5.1/okhttp-jvm-5.5.1.jar"],
        without: &["okhttp3/RealCall", "okhttp3/RealCall$AsyncCall"],
    },
];

#[test]
fn rows_match_the_oldest_and_the_newest_version_of_their_library() {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let mut problems = Vec::new();
    let mut matches: HashMap<(&str, usize), usize> = HashMap::new();
    let mut complete = true;
    for version in VERSIONS {
        let jars: Vec<PathBuf> = version.jars.iter().map(|jar| home.join(".m2/repository").join(jar)).collect();
        if let Some(missing) = jars.iter().find(|jar| !jar.exists()) {
            println!("skipped: {} is not there; the Maven projects in bindings-java/it bring it", missing.display());
            complete = false;
            continue;
        }
        let library = LIBRARIES.iter().find(|l| l.name == version.library).expect("a library of the table");
        let classes = extract(&jars, library.rows.iter().map(|row| row.class).collect());
        for (at, row) in library.rows.iter().enumerate() {
            match check(version, row, classes.get(row.class)) {
                Ok(count) => *matches.entry((version.library, at)).or_default() += count,
                Err(problem) => problems.push(format!("{}: {problem}", version.jars[0])),
            }
        }
    }
    for ((library, at), count) in matches {
        if count == 0 && complete {
            problems.push(format!("{library}: row {at} matches nothing in any version"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Every switch: what the class hook makes of every class of the table, from every jar at hand and from the JDK.
#[test]
fn a_switch_that_is_off_leaves_the_classes_of_its_library_byte_for_byte() {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let all = LIBRARIES.iter().map(|library| 1u64 << library.bit).sum::<u64>();
    let mut compared: HashMap<&str, usize> = HashMap::new();
    let names: BTreeSet<&str> = LIBRARIES.iter().flat_map(|l| l.rows).map(|row| row.class).collect();
    let jars = VERSIONS.iter().flat_map(|version| version.jars).map(|jar| home.join(".m2/repository").join(jar));
    let mut sets: Vec<_> = jars.filter(|jar| jar.exists()).map(|jar| extract(&[jar], names.clone())).collect();
    sets.push(of_the_jdk(&names));
    for library in LIBRARIES {
        let table = |bits: u64| {
            let table = Table::new(LIBRARIES);
            table.install(bits);
            table.wake();
            table
        };
        let (on, off, none) = (table(all), table(all & !(1 << library.bit)), table(0));
        for (class, bytes) in sets.iter().flatten() {
            let edit = |table: &Table| table.edit(class.as_bytes(), bytes, &mut |_| {});
            assert!(matches!(edit(&none), Outcome::Untouched), "{class} with everything off");
            if !library.rows.iter().any(|row| row.class == *class) {
                let same = match (edit(&on), edit(&off)) {
                    (Outcome::Edited(on), Outcome::Edited(off)) => on == off,
                    (on, off) => matches!((on, off), (Outcome::Untouched, Outcome::Untouched)),
                };
                assert!(same, "{class} changes with the switch of {}", library.name);
                continue;
            }
            let shared = LIBRARIES.iter().filter(|l| l.rows.iter().any(|row| row.class == *class)).count() > 1;
            assert!(shared || matches!(edit(&off), Outcome::Untouched), "{}: {class}", library.name);
            *compared.entry(library.name).or_default() += usize::from(matches!(edit(&on), Outcome::Edited(_)));
        }
    }
    for library in LIBRARIES.iter().filter(|library| compared.get(library.name).is_none_or(|n| *n == 0)) {
        // Virtual threads come with JDK 21; jars come with the Maven projects in bindings-java/it.
        println!("skipped: the switch {}: none of its classes is here", library.name);
    }
    assert!(compared.values().filter(|n| **n > 0).count() >= 7, "{compared:?}");
}

/// Those of the classes that the JDK has.
fn of_the_jdk(names: &BTreeSet<&'static str>) -> HashMap<&'static str, Vec<u8>> {
    let folder = std::env::temp_dir().join(format!("trilane-jdk-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let mut which = jdk_tool("java");
    let said = which.args(["-XshowSettings:properties", "-version"]).output().expect("java starts").stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let home = said.lines().find_map(|line| line.trim().strip_prefix("java.home = ")).expect("java.home");
    let wanted: Vec<String> =
        names.iter().map(|name| format!("regex:/[^/]+/{}\\.class", name.replace('$', "\\$"))).collect();
    let mut command = jdk_tool("jimage");
    command.current_dir(&folder).args(["extract", "--include", &wanted.join(",")]);
    let status = command.arg(format!("{home}/lib/modules")).status().expect("the JDK's `jimage` program");
    assert!(status.success(), "jimage extract");
    let mut found = HashMap::new();
    for module in std::fs::read_dir(&folder).expect("readable").flatten() {
        for name in names {
            if let Ok(bytes) = std::fs::read(module.path().join(format!("{name}.class"))) {
                found.insert(*name, bytes);
            }
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    found
}

/// How many methods of a version a row matches; an error where it should match one and does not.
fn check(version: &Version, row: &Row, class: Option<&Vec<u8>>) -> Result<usize, String> {
    let place = format!("{}.{} {:?}", row.class, row.method, row.params);
    let without = version.without.iter().any(|name| row.class.strip_prefix(ROUTERS).unwrap_or(row.class) == *name);
    let Some(class) = class else {
        return if without { Ok(0) } else { Err(format!("{place}: the class is not there")) };
    };
    if without {
        return Err(format!("{place}: the class is there, although the test says that it is not"));
    }
    let matched = row.matches_in(class).map_err(|e| format!("{place}: {e}"))?;
    if matched == 0 && !row.optional { Err(format!("{place}: no method fits")) } else { Ok(matched) }
}

/// The class files of these names, as far as the jars have them.
pub(super) fn extract(jars: &[PathBuf], names: BTreeSet<&'static str>) -> HashMap<&'static str, Vec<u8>> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("trilane-rows-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let mut found = HashMap::new();
    for jar in jars {
        unpack(jar, &names, &folder);
        for name in &names {
            if let Ok(bytes) = std::fs::read(folder.join(format!("{name}.class"))) {
                found.insert(*name, bytes);
            }
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    found
}

fn unpack(jar: &Path, names: &BTreeSet<&'static str>, folder: &Path) {
    let mut command = jdk_tool("jar");
    command.current_dir(folder).arg("xf").arg(jar);
    command.args(names.iter().map(|name| format!("{name}.class")));
    let status = command.status().expect("the JDK's `jar` program");
    assert!(status.success(), "jar xf {}", jar.display());
}

/// A program of the JDK at `JAVA_HOME`, else on the path.
pub(super) fn jdk_tool(name: &str) -> Command {
    let tool =
        std::env::var_os("JAVA_HOME").map_or_else(|| name.into(), |home| PathBuf::from(home).join("bin").join(name));
    let mut command = Command::new(tool);
    command.env_remove("JAVA_TOOL_OPTIONS");
    command
}
