//! Every code of a message that the code says is explained in `docs/messages.md`, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn codes(text: &str) -> BTreeSet<String> {
    let digits = |at: usize| text.get(at + 4..at + 7).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
    text.match_indices("TRL-").filter_map(|(at, _)| Some(format!("TRL-{}", digits(at)?))).collect()
}

#[test]
fn every_message_is_explained_and_every_explanation_has_a_message() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the tree");
    let folders = [
        "core",
        "ffi/src",
        "cli/src",
        "bindings-go",
        "bindings-java/agent/src",
        "bindings-java/bridge",
        "bindings-java/client/native/src",
    ];
    let listed = Command::new("git").arg("ls-files").args(folders).current_dir(root).output().expect("git runs");
    let mut said = BTreeSet::new();
    for file in String::from_utf8(listed.stdout).unwrap().lines().filter(|f| !f.contains("test")) {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        // What stands in a file's own tests is no message.
        said.extend(codes(text.split("#[cfg(test)]\nmod tests").next().unwrap_or("")));
    }
    let explained = codes(&fs::read_to_string(root.join("docs/messages.md")).unwrap());
    let missing: Vec<_> = said.difference(&explained).collect();
    let stale: Vec<_> = explained.difference(&said).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not in docs/messages.md: {missing:?}; said nowhere: {stale:?}");
}
