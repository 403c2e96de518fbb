//! A part of `examples/stress.rs` that fits an ordinary test run: java.base of the JDKs at hand.

mod support;

use support::Jdk;
use support::stress::{self, Class, Rows};

fn java_base(jdk: &Jdk, scratch: &support::Scratch, wanted: impl Fn(&str) -> bool) -> Vec<Class> {
    let mut classes = stress::extract(jdk, scratch.path(), &["jrt:java.base".to_owned()]);
    classes.retain(|c| wanted(&c.name));
    classes
}

/// Every method with all operations; `java.*` cannot be defined by a loader.
#[test]
fn edited_classes_of_the_jdk_are_verified() {
    Jdk::all().iter().for_each(verified);
}

fn verified(jdk: &Jdk) {
    let scratch = stress::compile(jdk);
    let classes = java_base(jdk, &scratch, |name| !name.starts_with("java/"));
    let (edited, totals) = stress::edit_classes(&classes, Rows::All);
    let outcome = stress::link(jdk, scratch.path(), &classes, &edited);
    let (linked, errors) = (outcome.linked, outcome.errors.len());
    println!(
        "stress: {} classes={} methods={} refused={} errors={errors}",
        jdk.home(),
        totals.classes,
        totals.methods,
        totals.refused
    );
    assert_eq!(outcome.errors, [""; 0]);
    assert!(linked > 2000 && totals.methods > 20_000 && totals.refused < 100, "{linked} linked");

    // The same comparison sees a class whose frames are gone.
    let broken = "sun/net/www/MessageHeader";
    let (mut classes, mut edited) = (classes, edited);
    classes.retain(|c| c.name == broken);
    edited.retain(|c| c.name == broken);
    support::hide_frames(&mut edited[0].bytes);
    let outcome = stress::link(jdk, scratch.path(), &classes, &edited);
    assert_eq!(outcome.errors.len(), 1, "{:?}", outcome.errors);
    assert!(outcome.errors[0].contains("sun.net.www.MessageHeader: java.lang.VerifyError"), "{:?}", outcome.errors);
}

/// A JVM starts and works with edited `java.*` classes in place.
#[test]
fn a_jvm_runs_on_edited_classes() {
    Jdk::all().iter().for_each(runs);
}

fn runs(jdk: &Jdk) {
    let scratch = stress::compile(jdk);
    let wanted = ["java/util/", "java/net/", "java/io/", "java/nio/", "java/time/", "java/text/"];
    let classes = java_base(jdk, &scratch, |name| wanted.iter().any(|w| name.starts_with(w)));
    let (edited, totals) = stress::edit_classes(&classes, Rows::Probe);
    let options = stress::patch_options(jdk, scratch.path(), &edited);
    let outcome = stress::link_own(jdk, scratch.path(), &options, &classes);
    let (changed, refused) = (totals.methods, totals.refused);
    println!("stress: {} classes={} methods={changed} refused={refused}", jdk.home(), totals.classes);
    assert_eq!(outcome.errors, [""; 0]);
    assert!(outcome.linked == classes.len() && totals.methods > 10_000, "{} linked", outcome.linked);
}
