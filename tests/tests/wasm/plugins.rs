//! The hosts in `examples/`, with good guests and bad ones.

use std::fs;

use iommap_artifacts::guest;
use iommap_tests::command_line::{example, said};
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
    // Ends by `exit`, since it is told nothing to search for.
    fs::copy(guest("search"), plugin("i")).unwrap();
    fs::write(folder.join("readme.txt"), "not a plugin").unwrap();

    let output = example("plugins").args([&folder, &data]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let told = |name: &str| {
        let lines: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
        assert_eq!(lines.len(), 1, "{name} in {text}");
        lines[0].to_owned()
    };
    for good in ["a", "h"] {
        let line = told(good);
        assert!(line.starts_with("done, ") && !line.contains(" 0 bytes read"), "{line}");
    }
    assert_eq!(text.matches(" answers were as expected.").count(), 2, "{text}");
    for (bad, reason) in [
        ("b", "FAILED: "),
        ("c", "FAILED: "),
        ("d", "FAILED: wasm trap: wasm `unreachable` instruction executed"),
        ("e", "FAILED: wasm trap: interrupt"),
        ("g", "FAILED: it says that it failed"),
        ("i", "FAILED: it ended with exit code 3"),
    ] {
        assert!(told(bad).starts_with(reason), "{bad}: {}", told(bad));
    }
    assert!(told("f").starts_with("done, 0 mappings"), "its memory did not grow");
    assert!(!text.contains("readme"));
    // Each had a directory of its own.
    let mut names: Vec<_> =
        fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
}

#[test]
fn the_small_examples_pass_a_guest_s_output_and_its_end_on() {
    let scene = Scene::new(Kind::Sync);
    scene.write("log", "nothing\na needle\n");
    for (name, guests) in [("embed", 1), ("executor", 4)] {
        let run = |path: &str| {
            let mut command = example(name);
            command.arg(guest("search")).arg(scene.directory()).args(["needle", path]);
            said(&command.output().unwrap())
        };
        let (code, out, err) = run("/data/log");
        assert_eq!(code, 0, "{name}: {err}");
        assert_eq!(out, "/data/log:8:a needle\n".repeat(guests), "{name}: {err}");
        // What it says with `exit`, which comes to a host as an error.
        let (code, out, err) = run("/data/none");
        assert_eq!((code, out.as_str()), (if guests > 1 { 1 } else { 3 }, ""), "{name}: {err}");
        assert_eq!(
            err.matches("exit code 3").count(),
            if guests > 1 { guests } else { 0 },
            "{err}"
        );
        assert!(!err.contains("FAILED"), "{name}: {err}");
    }
}
