//! The headers are what `ffi/src` says: their diff is the review of the ABI.

use std::fs;
use std::path::Path;

#[test]
fn the_committed_headers_are_the_generated_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the tree");
    let headers = [
        // It follows the modules that lib.rs declares.
        ("ffi/cbindgen.toml", "ffi/src/lib.rs", "include/trilane.h"),
        ("ffi/cbindgen-net.toml", "ffi/src/net/mod.rs", "include/trilane_net.h"),
    ];
    for (config, source, header) in headers {
        let config = cbindgen::Config::from_file(root.join(config)).expect("the configuration is read");
        let builder = cbindgen::Builder::new().with_config(config).with_src(root.join(source));
        let mut generated = Vec::new();
        builder.generate().expect("ffi/src is understood").write(&mut generated);
        let generated = String::from_utf8(generated).unwrap();
        let path = root.join(header);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &generated).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == generated, "{header} is stale: run UPDATE=1 cargo test -p trilane-tests --test header");
    }
}
