//! The crate `tantivy`, its source unmodified, in a component: held to the same program natively, on the same
//! indexes.

use std::fs::{self, File};

use super::program::Program;
use fastrand::Rng;
use iommap_artifacts::SLOW;
use iommap_tests::command_line::said;
use iommap_tests::conversation::Conversation;
use iommap_tests::{Kind, Scene};

const TANTIVY: Program = Program { name: "mmap-tantivy", folder: SLOW };

/// Has an index made of the lines of a text: natively, or in the guest if it is to be so.
#[track_caller]
fn build(scene: &Scene, text: &str, index: &str, in_guest: bool) {
    scene.write("text", text);
    fs::create_dir(scene.path(index)).unwrap();
    let mut run = match in_guest {
        true => TANTIVY.guest(scene.directory(), index, &["build"]),
        false => TANTIVY.native(scene.directory(), index, &["build"]),
    };
    let lines = File::open(scene.path("text")).unwrap();
    let (code, out, err) = said(&run.stdin(lines).output().unwrap());
    assert_eq!((code, &*err), (0, ""));
    assert_eq!(out, format!("{} documents\n", text.lines().count()));
}

/// Lines of words, of which some are far more frequent than others.
fn text(lines: usize) -> String {
    let mut random = Rng::with_seed(20_261_127);
    let mut word = || {
        let most = [10, 100, 1000][random.usize(..3)];
        format!("w{}", random.usize(..most))
    };
    let line = |_| (0..12).map(|_| word()).collect::<Vec<_>>().join(" ");
    (0..lines).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn tantivy_unmodified_answers_as_it_does_natively() {
    let scene = Scene::new(Kind::Sync);
    let text = text(2_000);
    build(&scene, &text, "native", false);
    build(&scene, &text, "guest", true);
    let mut random = Rng::with_seed(20_261_128);
    let mut questions = String::from("nosuchword\n\"w1 w2\"\n\"w3 w4 w5\"\n");
    for _ in 0..40 {
        let [one, two] = [random.usize(..10), random.usize(..1000)];
        questions +=
            &format!("w{one}\nw{two}\nw{one} AND w{two}\nw{one} OR w{two}\n-w{one} +w{two}\n");
    }
    scene.write("questions", &questions);
    let [native, guest] = ["native", "guest"]
        .map(|index| TANTIVY.answers(scene.directory(), index, &scene.path("questions")));
    assert!(native == guest, "indexes of the same text answer differently");
    assert_eq!(native.lines().count(), questions.lines().count());
    let found = |count: &str| native.lines().any(|line| line.contains(count));
    assert!(
        found("nosuchword\t0 documents") && found("\t1 documents\t") && found("\t2 documents\t")
    );
}

#[test]
fn an_index_that_is_cut_or_not_shown_is_an_error() {
    let scene = Scene::new(Kind::Sync);
    build(&scene, &text(2_000), "index", false);
    TANTIVY.without(&scene, "index", "w1");

    let mut run = Conversation::start(TANTIVY.guest(scene.directory(), "index", &[]));
    let first = run.ask("w1");
    assert!(first.starts_with("w1\t"), "{first}");
    for file in fs::read_dir(scene.path("index")).unwrap() {
        let file = file.unwrap().file_name();
        scene.cut(&format!("index/{}", file.to_str().unwrap()), 0);
    }
    assert_eq!(run.ask("w7 AND w8"), "");
    // By its own word, or by a panic over zeros.
    let (code, out, err) = run.finish();
    assert!([1, 134].contains(&code) && out.is_empty(), "{code}: {err}");
    assert!(err.contains("iommap: lost pages in windows: "), "{err}");
}
