//! What the VM was told: system properties, read through JVMTI so that no Java runs for it.

use crate::jvmti::Jvmti;
use trilane_engine::Options;
use trilane_engine::settings::{PROPERTY_NAMES, PROPERTY_PREFIXES};

/// How the library came into this VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `-agentpath`, or attached by `jcmd`: takes part without a tag.
    Agent,
    /// `System.loadLibrary`: takes part only if something else says so.
    Library,
}

/// Gathers what the engine wants to know.
pub(crate) fn options(jvmti: Jvmti, agent_option: &str, way: Way) -> Options {
    let wanted =
        |name: &str| PROPERTY_NAMES.contains(&name) || PROPERTY_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let properties = jvmti
        .property_names()
        .into_iter()
        .filter(|name| wanted(name))
        .filter_map(|name| jvmti.property(&name).map(|value| (name, value)))
        .collect();
    Options {
        agent_option: agent_option.to_owned(),
        properties,
        explicit: way == Way::Agent,
        binding: "java",
        read_environment: true,
        other_agents: other_agents(&arguments()),
    }
}

/// Agents that route calls themselves: what their path holds, in lower case, and their name.
const OTHER_AGENTS: [(&str, &str); 8] = [
    ("armsagent", "MSE/ARMS"),
    ("arms-bootstrap", "MSE/ARMS"),
    ("aliyunjavaagent", "MSE/ARMS"),
    ("aliyun-java-agent", "MSE/ARMS"),
    ("one-java-agent", "MSE/ARMS"),
    ("joylive", "joylive"),
    ("/live.jar", "joylive"),
    ("sermant", "Sermant"),
];

/// What the VM was started with. There is no call for it that runs without Java.
fn arguments() -> Vec<String> {
    let line = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    let line = line.split(|b| *b == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let variables = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"];
    let variables = variables.iter().filter_map(|name| std::env::var(name).ok());
    let words = variables.flat_map(|v| v.split_ascii_whitespace().map(str::to_string).collect::<Vec<_>>());
    line.chain(words).collect()
}

fn other_agents(arguments: &[String]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for argument in arguments {
        let path = argument.strip_prefix("-javaagent:").or_else(|| argument.strip_prefix("-agentpath:"));
        let path = path.map_or(String::new(), |p| p.split('=').next().unwrap_or("").to_lowercase());
        let hit = OTHER_AGENTS.iter().find(|(part, _)| path.contains(part));
        found.extend(hit.map(|(_, name)| *name).filter(|name| !found.contains(name)));
    }
    found
}

/// True if this VM runs a tool of the JDK itself: such a VM stays as it would be without us.
pub(crate) fn is_jdk_tool(jvmti: Jvmti) -> bool {
    jvmti.property("sun.java.command").is_some_and(|command| names_jdk_tool(&command))
}

/// The launcher gives `module/main.Class arguments` for tools since JDK 9 and `main.Class arguments` before.
fn names_jdk_tool(command: &str) -> bool {
    let main = command.split_ascii_whitespace().next().unwrap_or("");
    if main.contains("com.sun.tools.javac.launcher.") {
        return false; // `java Hello.java`: the user's own program
    }
    match main.split_once('/') {
        Some((module, _)) => module.starts_with("jdk.") || module.starts_with("java."),
        None => ["com.sun.tools.", "sun.tools.", "sun.security.tools."].iter().any(|tools| main.starts_with(tools)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_of_the_jdk_are_known_by_their_command() {
        for tool in [
            "jdk.compiler/com.sun.tools.javac.Main -version",
            "jdk.jcmd/sun.tools.jps.Jps",
            "java.base/sun.security.tools.keytool.Main -list",
            "com.sun.tools.javac.Main A.java",
        ] {
            assert!(names_jdk_tool(tool), "{tool}");
        }
    }

    #[test]
    fn other_routing_agents_are_known_by_their_path() {
        let found = |arguments: &[&str]| other_agents(&arguments.iter().map(|a| a.to_string()).collect::<Vec<_>>());
        assert_eq!(found(&["java", "-javaagent:/home/admin/.opt/ArmsAgent/arms-bootstrap-1.7.0.jar=x"]), ["MSE/ARMS"]);
        let two = ["-javaagent:/opt/sermant-agent-2.2.0/agent/sermant-agent.jar", "-javaagent:/opt/live/live.jar"];
        assert_eq!(found(&two), ["Sermant", "joylive"]);
        let none = ["-javaagent:/opt/opentelemetry-javaagent.jar=note=sermant", "-Dx=joylive", "deliver/live.jar"];
        assert!(found(&none).is_empty());
    }

    #[test]
    fn ordinary_programs_are_no_tools() {
        for program in [
            "Hello",
            "shop.jar --server.port=0",
            "org.codehaus.plexus.classworlds.launcher.Launcher package",
            "jdk.compiler/com.sun.tools.javac.launcher.Main Hello.java",
            "my.module/jdk.Main",
            "",
        ] {
            assert!(!names_jdk_tool(program), "{program}");
        }
    }
}
