//! `include/trilane.h` is what `ffi/src` says: its diff is the review of the ABI.

use std::fs;
use std::path::Path;

#[test]
fn the_committed_header_is_the_generated_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the tree");
    let config = cbindgen::Config::from_file(root.join("ffi/cbindgen.toml")).expect("ffi/cbindgen.toml is read");
    // It follows the modules that lib.rs declares.
    let builder = cbindgen::Builder::new().with_config(config).with_src(root.join("ffi/src/lib.rs"));
    let mut generated = Vec::new();
    builder.generate().expect("ffi/src is understood").write(&mut generated);
    let generated = String::from_utf8(generated).unwrap();
    let path = root.join("include/trilane.h");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/trilane.h is stale: run UPDATE=1 cargo test -p trilane-tests --test header"
    );
}
