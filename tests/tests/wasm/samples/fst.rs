//! The crate `fst`, unmodified, in a component: held to the same program natively, on the same sets.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use super::program::Program;
use fastrand::Rng;
use iommap_artifacts::SetUp;
use iommap_tests::command_line::said;
use iommap_tests::{Kind, Scene};

const FST: Program = Program { name: "mmap-fst", folder: "guest-example/fst" };

/// Makes a set of the words in a file: natively, or in the guest if it is to be so.
#[track_caller]
fn build(scene: &Scene, words: &Path, set: &str, in_guest: bool) {
    let mut run = match in_guest {
        true => FST.guest(scene.directory(), set, &["build"]),
        false => FST.native(scene.directory(), set, &["build"]),
    };
    let (code, out, err) = said(&run.stdin(File::open(words).unwrap()).output().unwrap());
    assert_eq!((code, &*err), (0, ""));
    assert!(out.ends_with(" words\n"), "{out}");
}

/// Questions of every kind about a word.
fn ask(questions: &mut String, word: &str, other: &str) {
    let start: String = word.chars().take(3).collect();
    let (from, to) = if word < other { (word, other) } else { (other, word) };
    // A letter too few, and those that come first and last.
    let short: String = word.chars().skip(1).collect();
    for question in
        [word, &short, &format!("{start}*"), &format!("{word}~"), &format!("{from}..{to}")]
    {
        writeln!(questions, "{question}").unwrap();
    }
    let ends = word.chars().next().zip(word.chars().last());
    if let Some((first, last)) = ends {
        writeln!(questions, "{first}?{last}").unwrap();
    }
}

#[track_caller]
fn hold_to_native(words: &str, questions: &str) {
    let scene = Scene::new(Kind::Sync);
    let questions = format!("{questions}no such word*\n");
    scene.write("words", words);
    scene.write("questions", &questions);
    build(&scene, &scene.path("words"), "native.fst", false);
    build(&scene, &scene.path("words"), "guest.fst", true);
    let [native, guest] = ["native.fst", "guest.fst"]
        .map(|set| FST.answers(scene.directory(), set, &scene.path("questions")));
    // The two are not alike, byte for byte: `fst` looks for nodes that it has by a hash as large as an
    // address is.
    assert!(native == guest, "sets of the same words answer differently");
    assert_eq!(native.lines().count(), questions.lines().count());
    for found in ["\tyes", "\tno", "\t0:", "\t1: "] {
        assert!(native.contains(found), "no answer is {found:?}");
    }
}

#[test]
fn fst_unmodified_answers_as_it_does_natively() {
    let mut random = Rng::with_seed(20_261_126);
    let word = |random: &mut Rng| -> String {
        (0..random.usize(1..9)).map(|_| ['a', 'b', 'c', 'd', 'é'][random.usize(..5)]).collect()
    };
    let words: Vec<String> = (0..5000).map(|_| word(&mut random)).collect();
    let mut questions = String::new();
    for pair in words[..400].chunks(2) {
        ask(&mut questions, &pair[0], &pair[1]);
    }
    hold_to_native(&words.join("\n"), &questions);
}

#[test]
fn a_set_of_a_million_words_answers_as_it_does_natively() {
    let Ok(words) = iommap_artifacts::words(SetUp::Forbidden) else {
        println!("skipped: no words: `cargo xtask data` fetches them, with npm");
        return;
    };
    let words = std::fs::read_to_string(words).unwrap();
    let list: Vec<&str> = words.lines().collect();
    assert!(list.len() > 1_000_000, "{}", list.len());
    let mut random = Rng::with_seed(20_261_127);
    let mut questions = String::new();
    for _ in 0..40 {
        let at = random.usize(..list.len() - 1);
        ask(&mut questions, list[at], list[at + 1]);
    }
    hold_to_native(&words, &questions);
}

#[test]
fn a_set_that_is_cut_or_not_shown_is_an_error() {
    let scene = Scene::new(Kind::Sync);
    scene.write("words", "one\ntwo\nthree");
    build(&scene, &scene.path("words"), "set", false);
    FST.without(&scene, "set", "two");
    FST.cut(&scene, "set", ["two", "three"], "mmap-fst: the set was cut short");
}
