//! The hooked libraries, one file of rows each. A library's place in `LIBRARIES` does not matter; its bit does:
//! the same number stands in `java.trilane.Trilane`, and a test compares the two.

mod completable_future;
mod dubbo;
mod executors;
mod fork_join;
mod httpclient4;
mod httpclient5;
mod jdk_http_client;
mod jdk_http_server;
mod jdk_url_connection;
mod okhttp;
mod spring_async;
mod spring_boot;
mod spring_loadbalancer;
mod spring_registration;
mod timer;
mod tomcat;
mod triple;
mod virtual_threads;

#[cfg(all(test, feature = "jvm"))]
mod beside;
#[cfg(test)]
mod compatibility;
#[cfg(test)]
mod versions;

use crate::table::Library;

/// Every library that can be hooked.
pub(crate) static LIBRARIES: &[Library] = &[
    jdk_http_server::LIBRARY,
    jdk_url_connection::LIBRARY,
    jdk_http_client::LIBRARY,
    executors::LIBRARY,
    fork_join::LIBRARY,
    completable_future::LIBRARY,
    timer::LIBRARY,
    virtual_threads::LIBRARY,
    tomcat::LIBRARY,
    spring_loadbalancer::LIBRARY,
    spring_registration::LIBRARY,
    spring_boot::LIBRARY,
    spring_async::LIBRARY,
    httpclient4::LIBRARY,
    httpclient5::LIBRARY,
    okhttp::LIBRARY,
    dubbo::LIBRARY,
    triple::LIBRARY,
];

#[cfg(test)]
mod tests {
    use super::LIBRARIES;

    /// `static final long JDK_HTTP_SERVER = 1L << 0; // jdk-http-server`
    #[test]
    fn bits_and_names_are_those_of_the_bridge() {
        let java = include_str!("../../bridge/java/trilane/Trilane.java");
        for library in LIBRARIES {
            let constant = library.name.replace('-', "_").to_uppercase();
            let line = format!("static final long {constant} = 1L << {};", library.bit);
            assert!(java.contains(&line), "Trilane.java needs the line `{line}`");
        }
    }

    #[test]
    fn no_two_libraries_share_a_bit_or_a_name() {
        for (i, a) in LIBRARIES.iter().enumerate() {
            assert!(a.bit < 63, "{}", a.name);
            for b in &LIBRARIES[i + 1..] {
                assert!(a.bit != b.bit && a.name != b.name, "{} and {}", a.name, b.name);
            }
        }
    }

    #[test]
    fn every_row_calls_a_method_that_its_bridge_class_has() {
        let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge/java/trilane");
        for row in LIBRARIES.iter().flat_map(|library| library.rows) {
            let file = format!("{sources}/{}.java", row.bridge.0);
            let java = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
            let found = java.lines().any(|line| {
                line.trim_start().starts_with("public static ") && line.contains(&format!(" {}(", row.bridge.1))
            });
            assert!(found, "{file} needs `public static ... {}(...)`", row.bridge.1);
        }
    }

    /// A bridge class is defined while a hooked class is being loaded: to need that very class would be a circle.
    #[test]
    fn no_bridge_class_extends_a_hooked_class_but_the_one_of_the_library_that_sleeps() {
        let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge/java/trilane");
        let simple = |class: &'static str| class.rsplit(['/', '$']).next().unwrap_or(class);
        let hooked: Vec<&str> = LIBRARIES.iter().flat_map(|l| l.rows).map(|row| simple(row.class)).collect();
        for entry in std::fs::read_dir(sources).expect("the bridge's sources") {
            let path = entry.expect("readable").path();
            if path.file_name().is_some_and(|name| name == "ForkJoin.java") {
                continue;
            }
            let java = std::fs::read_to_string(&path).expect("readable");
            let heads = java.lines().filter(|line| line.contains(" extends ") || line.contains(" implements "));
            for head in heads {
                let names = head.split(|c: char| !c.is_alphanumeric());
                let circle: Vec<&str> = names.skip_while(|n| *n != "extends" && *n != "implements").collect();
                assert!(!circle.iter().any(|name| hooked.contains(name)), "{}: {head}", path.display());
            }
        }
    }
}
