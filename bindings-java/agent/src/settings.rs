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
    }
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
