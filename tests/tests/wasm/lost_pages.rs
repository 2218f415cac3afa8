//! `iommap run` with a program that only loads: the file is cut under it, and it knows of nothing. The
//! host says so.

use iommap_artifacts::guest;
use iommap_tests::command_line::iommap_run;
use iommap_tests::conversation::Conversation;
use iommap_tests::{Kind, Scene};

use crate::samples::WINDOWS;

/// Pages of the file, and how many of them are left.
const PAGES: usize = 8;
const LEFT: usize = 3;

/// Adds up the file's bytes, once whole and once cut. Ends with the component's `code`, and says how.
#[track_caller]
fn cut_between(options: &[&str], code: &str) -> (i32, String) {
    let scene = Scene::new(Kind::Sync);
    scene.write("f", vec![1; PAGES << 12]);
    let options = [&WINDOWS, options].concat();
    let loader = iommap_run(scene.directory(), &options, guest("loader"), &["/data/f", code]);
    let mut loader = Conversation::start(loader);
    assert_eq!(loader.ask("all of it"), "32768\n");
    scene.cut("f", (LEFT << 12) as u64);
    assert_eq!(loader.ask("what is left"), "12288\n", "the rest is zeros");
    let (code, out, err) = loader.finish();
    assert_eq!(out, "");
    (code, err)
}

#[test]
fn a_success_with_lost_pages_is_said_and_is_no_success() {
    let (code, err) = cut_between(&[], "0");
    assert_eq!(code, 135, "{err}");
    assert!(err.starts_with("iommap: lost pages in windows: 1. A file was cut short"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

/// It waits for somebody to read its answers, so that neither its windows nor its store end.
#[test]
fn lost_pages_of_a_program_that_is_ended_by_force_are_said() {
    let scene = Scene::new(Kind::Sync);
    scene.write("f", vec![1; PAGES << 12]);
    let options = [&WINDOWS, &["--timeout", "4s", "--stats"][..]].concat();
    let loader = iommap_run(scene.directory(), &options, guest("loader"), &["/data/f", "0"]);
    let mut loader = Conversation::start(loader);
    assert_eq!(loader.ask("all of it"), "32768\n");
    scene.cut("f", (LEFT << 12) as u64);
    let (code, err) = loader.ask_in_vain();
    assert_eq!(code, 124, "{err}");
    assert!(err.contains("iommap: lost pages in windows: 1. A file was cut short"), "{err}");
    assert!(err.contains("lost in windows   1\n"), "{err}");
}

#[test]
fn a_failure_of_the_components_own_stays_its_own() {
    let (code, err) = cut_between(&[], "1");
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("lost pages in windows: 1."), "{err}");
}

#[test]
fn lost_pages_that_may_be_lost_are_no_failure() {
    let (code, err) = cut_between(&["--allow-lost-pages"], "0");
    assert_eq!((code, &*err), (0, ""));
    let (code, err) = cut_between(&["--allow-lost-pages", "--stats"], "0");
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("lost in windows   "), "{err}");
}

#[test]
fn a_run_that_lost_no_page_ends_as_the_component_does() {
    let scene = Scene::new(Kind::Sync);
    scene.write("f", vec![1; PAGES << 12]);
    for code in ["0", "1"] {
        let args = ["/data/f", code];
        let loader = iommap_run(scene.directory(), &WINDOWS, guest("loader"), &args);
        let mut loader = Conversation::start(loader);
        assert_eq!(loader.ask("all of it"), "32768\n");
        let (ended, out, err) = loader.finish();
        assert_eq!((ended.to_string(), &*out, &*err), (code.to_owned(), "", ""));
    }
}
