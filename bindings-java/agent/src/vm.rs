//! Which virtual machines the library was tested with. In any other it stays inert, unless it is forced.

/// Java versions that the tests run on are 11, 17, 21 and 25; releases between two of them are taken as such.
const OLDEST: u32 = 11;
const NEWEST: u32 = 25;

/// Why this machine is not one that was tested; None if it is.
///
/// `specification` is the VM's own `java.specification.version` (`1.8`, `17`), `name` its `java.vm.name`.
pub(crate) fn untested(specification: &str, name: &str) -> Option<String> {
    let hotspot = ["OpenJDK ", "HotSpot"].iter().any(|word| name.contains(word));
    let version = specification.strip_prefix("1.").unwrap_or(specification);
    match version.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
        Some(version) if hotspot && (OLDEST..=NEWEST).contains(&version) => None,
        Some(version) if hotspot => Some(format!("Java {version}; tested are {OLDEST} to {NEWEST}")),
        Some(version) => Some(format!("Java {version} of \"{name}\"; tested is HotSpot")),
        None => Some(format!("a VM \"{name}\" whose version \"{specification}\" is no number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOTSPOT: &str = "OpenJDK 64-Bit Server VM";

    #[test]
    fn tested_versions_and_those_between_them_take_part() {
        for version in ["11", "12", "17", "21", "24", "25"] {
            assert_eq!(untested(version, HOTSPOT), None, "{version}");
            assert_eq!(untested(version, "Java HotSpot(TM) 64-Bit Server VM"), None, "{version}");
        }
    }

    #[test]
    fn older_newer_and_other_machines_do_not() {
        for (version, said) in [
            ("1.8", "Java 8; tested are 11 to 25"),
            ("8", "Java 8; tested are 11 to 25"),
            ("1.7", "Java 7; tested are 11 to 25"),
            ("9", "Java 9; tested are 11 to 25"),
            ("10", "Java 10; tested are 11 to 25"),
            ("26", "Java 26; tested are 11 to 25"),
        ] {
            assert_eq!(untested(version, HOTSPOT).as_deref(), Some(said), "{version}");
        }
        let other = untested("17", "Eclipse OpenJ9 VM").expect("not tested");
        assert_eq!(other, "Java 17 of \"Eclipse OpenJ9 VM\"; tested is HotSpot");
        for odd in ["", "x", "-1", "1."] {
            assert!(untested(odd, HOTSPOT).is_some_and(|why| why.contains("is no number")), "{odd:?}");
        }
    }
}
