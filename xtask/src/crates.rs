//! `cargo xtask crates`: the programs on `memmap2`, each beside itself natively, on real files.

use crate::run::{program, read, run, say};
use anyhow::{Context, Result, ensure};
use iommap_artifacts::{SLOW, SetUp, Toolchain, database, guest, model, native, target_dir, words};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is measured of one program.
struct Subject {
    name: &'static str,
    file: PathBuf,
    /// Behind `--bench`.
    args: &'static [&'static str],
    native: PathBuf,
}

/// Measures and prints a table. A `text` is for `tantivy`, which is left out without one.
pub(crate) fn measure(rounds: usize, text: Option<&Path>) -> Result<()> {
    ensure!(rounds > 0, "nothing is to be measured");
    let toolchain = Toolchain::set_up()?;
    // What is measured is the guest's own code, which every build of it compiles alike.
    let iommap = program("iommap")?;
    let dir = target_dir().join("crates");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)?;
    let build = |program: &Path, into: &Path, from: &Path| {
        run(Command::new(program).arg(into).arg("build").stdin(File::open(from)?))
    };

    let fst = native("guest-example/fst", "mmap-fst")?;
    let set = dir.join("words.fst");
    build(&fst, &set, &words(SetUp::Allowed)?)?;
    let mut subjects = vec![
        Subject {
            name: "mmap-geoip",
            file: database(SetUp::Allowed)?,
            args: &[],
            native: native("guest-example/maxminddb", "mmap-geoip")?,
        },
        Subject { name: "mmap-fst", file: set, args: &[], native: fst },
        Subject {
            name: "mmap-tensors",
            file: model(SetUp::Allowed)?,
            args: &[],
            native: native("guest-example/safetensors", "mmap-tensors")?,
        },
    ];
    if let Some(text) = text {
        toolchain.build(SLOW, None)?;
        let tantivy = native(SLOW, "mmap-tantivy")?;
        let index = dir.join("index");
        fs::create_dir(&index)?;
        build(&tantivy, &index, text)?;
        let args = &["memory", "memory AND page", "\"of the\"", "the"];
        subjects.push(Subject { name: "mmap-tantivy", file: index, args, native: tantivy });
    }
    println!("\nA second, the best of {rounds} rounds, natively and as a guest in turns:\n");
    println!("| program | what | native | guest | ratio |\n|---|---|---:|---:|---:|");
    subjects.iter().try_for_each(|subject| subject.measure(&iommap, rounds))
}

impl Subject {
    fn measure(&self, iommap: &Path, rounds: usize) -> Result<()> {
        say(format_args!("{}: {}", self.name, self.file.display()));
        let (dir, name) = self.file.parent().zip(self.file.file_name()).context("it is a file")?;
        let mut by_native = Command::new(&self.native);
        by_native.arg(&self.file);
        let mut by_guest = Command::new(iommap);
        by_guest.args(["run", "--limit", "windows=16", "--limit", "window-bytes=1G"]);
        by_guest.args(["--windows-on-changing-files", "--dir"]);
        by_guest.arg(format!("{}::/data::ro", dir.display())).arg(guest(self.name));
        by_guest.arg(format!("/data/{}", name.display()));
        let mut programs = [by_native, by_guest];
        for program in &mut programs {
            program.arg("--bench").args(self.args);
        }
        // By what is measured, and what the answers amount to.
        let mut best: BTreeMap<(String, String), [f64; 2]> = BTreeMap::new();
        for _ in 0..rounds {
            for (place, program) in programs.iter_mut().enumerate() {
                for line in read(program)?.lines() {
                    let (what, rate, answers) = parts(line).with_context(|| line.to_owned())?;
                    let rates = best.entry((what.into(), answers.into())).or_default();
                    rates[place] = rates[place].max(rate);
                }
            }
        }
        for ((what, answers), [native, guest]) in best {
            ensure!(native > 0.0 && guest > 0.0, "{what}: only one has the answers {answers}");
            let ratio = guest / native;
            println!("| {} | {what} | {native:.0} | {guest:.0} | {ratio:.2} |", self.name);
        }
        Ok(())
    }
}

/// `what: N a second; answers`.
fn parts(line: &str) -> Option<(&str, f64, &str)> {
    let (what, rest) = line.rsplit_once(": ")?;
    let (rate, answers) = rest.split_once("; ")?;
    Some((what, rate.split(' ').next()?.parse().ok()?, answers))
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_line_of_a_bench_is_taken_apart() {
        let line = "a: b: 219 MB a second; 7 bytes, 1.5";
        assert_eq!(parts(line), Some(("a: b", 219.0, "7 bytes, 1.5")));
        assert_eq!(parts("a: much a second; 7"), None);
    }
}
