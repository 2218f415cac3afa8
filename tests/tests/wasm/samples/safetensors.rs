//! The crate `safetensors`, unmodified, in a component: held to the same program natively, on the same
//! models, and to the memory that it takes.

use std::path::Path;

use super::program::Program;
use fastrand::Rng;
use iommap_artifacts::SetUp;
use iommap_tests::{Kind, Scene};

const TENSORS: Program = Program { name: "mmap-tensors", folder: "guest-example/safetensors" };

/// A file of some tensors, as the format says: a length, a header of JSON, and the numbers.
fn model(floats: usize) -> Vec<u8> {
    let mut random = Rng::with_seed(20_261_126);
    let mut data = Vec::new();
    let mut header = Vec::new();
    let mut add = |name: &str, dtype: &str, count: usize, number: &mut dyn FnMut() -> Vec<u8>| {
        let begin = data.len();
        data.extend((0..count).flat_map(|_| number()));
        let end = data.len();
        header.push(format!(
            r#""{name}":{{"dtype":"{dtype}","shape":[{count}],"data_offsets":[{begin},{end}]}}"#
        ));
    };
    add("weights", "F32", floats, &mut || (random.f32() - 0.5).to_le_bytes().into());
    add("halves", "BF16", 1001, &mut || random.u16(0x3f00..0x4000).to_le_bytes().into());
    add("ids", "I64", 77, &mut || random.i64(-9..9).to_le_bytes().into());
    add("bytes", "U8", 5, &mut || vec![random.u8(..)]);
    let header = format!("{{{}}}", header.join(","));
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &data].concat()
}

#[track_caller]
fn hold_to_native(dir: &Path, file: &str, tensors: usize) -> String {
    let scene = Scene::new(Kind::Sync);
    scene.write("names", "*\n");
    let answers = TENSORS.answers(dir, file, &scene.path("names"));
    assert_eq!(answers.lines().count(), tensors, "{answers}");
    answers
}

#[test]
fn safetensors_unmodified_answers_as_it_does_natively() {
    let scene = Scene::new(Kind::Sync);
    scene.write("model", model(100_000));
    let answers = hold_to_native(scene.directory(), "model", 4);
    for line in
        ["bytes\tU8 [5]\t", "halves\tBF16 [1001]\t", "ids\tI64 [77]\t-9..8 mean ", "weights\t"]
    {
        assert!(answers.contains(line), "{answers}");
    }
}

#[test]
fn a_real_model_answers_as_it_does_natively() {
    let Ok(model) = iommap_artifacts::model(SetUp::Forbidden) else {
        println!("skipped: no model: `cargo xtask data` fetches it, with pip");
        return;
    };
    let answers = hold_to_native(model.parent().unwrap(), "model.safetensors", 104);
    assert!(answers.contains("pooler.dense.weight\tF32 [384, 384]\t"), "{answers}");
}

#[test]
fn a_model_that_is_cut_or_not_shown_is_an_error() {
    let scene = Scene::new(Kind::Sync);
    scene.write("model", model(100_000));
    TENSORS.without(&scene, "model", "ids");
    TENSORS.cut(&scene, "model", ["ids", "weights"], "mmap-tensors: the model was cut short");
}

/// So much memory of its own has a process that has read all of a model: no pages of files.
#[cfg(target_os = "linux")]
#[track_caller]
fn own_memory(floats: usize) -> u64 {
    use iommap_tests::conversation::Conversation;
    let scene = Scene::new(Kind::Sync);
    scene.write("model", model(floats));
    let run = TENSORS.guest(scene.directory(), "model", &[]);
    let mut run = Conversation::start(run);
    let answer = run.ask("weights");
    assert!(answer.starts_with(&format!("weights\tF32 [{floats}]\t")), "{answer}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.strip_suffix("kB"));
    let kib: u64 = kib.unwrap_or_else(|| panic!("{status}")).trim().parse().unwrap();
    assert_eq!(run.finish().0, 0);
    kib << 10
}

#[cfg(target_os = "linux")]
#[test]
fn a_model_that_was_read_is_not_in_memory_a_second_time() {
    const FLOATS: usize = 12 << 20;
    let (small, large) = (own_memory(1 << 10), own_memory(FLOATS));
    let more = large.saturating_sub(small);
    assert!(more < FLOATS as u64, "48 MiB of numbers take {more} bytes");
}
