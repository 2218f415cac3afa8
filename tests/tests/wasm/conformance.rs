//! Guests in every language see the same.
//!
//! Each test in a child, since files are cut and the process's own limits changed. How many answers
//! were compared is told when all is well, too.

use iommap_artifacts::guest;
use iommap_tests::child::{TOLD, in_child};
use iommap_tests::conformance::conform;
use iommap_tests::languages::{C, JAVASCRIPT, Language, PYTHON, RUST};
use iommap_tests::scene::{Driver, Kind};

/// Stores that are called in both ways. They share an engine: wasmtime takes seconds to compile the
/// larger drivers.
const BOTH: [Kind; 2] = [Kind::Sync, Kind::Offloading];

/// Holds a language's driver to the cases, on these kinds of stores.
fn hold(language: &Language, kinds: &[Kind]) {
    let Some(driver) = language.driver() else { return };
    for &kind in kinds {
        let verdict = conform(&Driver::load(kind, driver));
        let (name, differences) = (language.name, verdict.differences.len());
        println!(
            "{TOLD}conformance: {name}: {} cases, {} answers, {differences} differences ({kind:?})",
            verdict.cases, verdict.answers
        );
        assert!(verdict.cases > 65 && verdict.answers > 750, "{verdict:?}");
        assert!(verdict.differences.is_empty(), "{:#?}", verdict.differences);
    }
}

#[test]
fn conformance_of_a_guest_in_rust() {
    in_child(|| hold(&RUST, &Kind::ALL));
}

#[test]
fn conformance_of_a_guest_in_c() {
    in_child(|| hold(&C, &BOTH));
}

#[test]
fn conformance_of_a_guest_in_javascript() {
    in_child(|| hold(&JAVASCRIPT, &BOTH));
}

#[test]
fn conformance_of_a_guest_in_python() {
    in_child(|| hold(&PYTHON, &BOTH));
}

/// What the other tests rely on: that a wrong answer is noticed.
#[test]
fn the_guests_in_other_languages_are_not_one_and_the_same() {
    let drivers: Vec<_> = [RUST, C, JAVASCRIPT, PYTHON].iter().filter_map(|l| l.driver()).collect();
    assert_eq!(drivers.first().copied(), Some(guest("driver")));
    let contents: std::collections::BTreeSet<_> =
        drivers.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert_eq!(contents.len(), drivers.len());
}
