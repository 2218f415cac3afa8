//! The host's example `plugins`, with good plugins and bad ones.

use std::fs;

use iommap_artifacts::guest;
use iommap_tests::command_line::plugins;
use iommap_tests::{Kind, Scene};

/// A program whose `main` is this.
fn program(body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
             (core module $main (memory 1) (func (export "run") (result i32) {body}))
             (core instance $main (instantiate $main))
             (func $run (result (result)) (canon lift (core func $main "run")))
             (instance $exports (export "run" (func $run)))
             (export "wasi:cli/run@0.2.0" (instance $exports)))"#
    ))
    .unwrap()
}

#[test]
fn bad_plugins_in_a_folder_leave_the_others_running() {
    let scene = Scene::new(Kind::Sync);
    let (folder, data) = (scene.path("plugins"), scene.path("data"));
    fs::create_dir(&folder).unwrap();
    let plugin = |name: &str| folder.join(name).with_extension("wasm");
    fs::copy(guest("quickstart"), plugin("a")).unwrap();
    fs::write(plugin("b"), "no component").unwrap();
    fs::copy(guest("driver"), plugin("c")).unwrap();
    fs::write(plugin("d"), program("unreachable")).unwrap();
    fs::write(plugin("e"), program("(loop $on (br $on)) unreachable")).unwrap();
    // More memory than a plugin gets, and what `memory.grow` answers then.
    let greedy = program("(i32.ne (memory.grow (i32.const 2000)) (i32.const -1))");
    fs::write(plugin("f"), greedy).unwrap();
    fs::write(plugin("g"), program("(i32.const 1)")).unwrap();
    fs::copy(guest("quickstart"), plugin("h")).unwrap();
    fs::write(folder.join("readme.txt"), "not a plugin").unwrap();

    let output = plugins().args([&folder, &data]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let said = |name: &str| {
        let lines: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
        assert_eq!(lines.len(), 1, "{name} in {text}");
        lines[0].to_owned()
    };
    for good in ["a", "h"] {
        let line = said(good);
        assert!(line.starts_with("done, ") && !line.contains(" 0 bytes read"), "{line}");
    }
    assert_eq!(text.matches(" answers were as expected.").count(), 2, "{text}");
    for (bad, reason) in [
        ("b", "FAILED: "),
        ("c", "FAILED: "),
        ("d", "FAILED: wasm trap: wasm `unreachable` instruction executed"),
        ("e", "FAILED: wasm trap: interrupt"),
        ("g", "FAILED: it says that it failed"),
    ] {
        assert!(said(bad).starts_with(reason), "{bad}: {}", said(bad));
    }
    assert!(said("f").starts_with("done, 0 mappings"), "its memory did not grow");
    assert!(!text.contains("readme"));
    // Each had a directory of its own.
    let mut names: Vec<_> =
        fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "g", "h"]);
}
