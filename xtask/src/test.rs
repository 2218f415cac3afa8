//! `cargo xtask test`: every test of host and guests.

use crate::run::{cargo, program, say, since};
use anyhow::{Context, Result, ensure};
use iommap_artifacts::{
    GUESTS, SLOW, SetUp, TARGET, Toolchain, WORKSPACES, build_all, build_others, database,
    unoptimised, words,
};
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, pipe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs every test, or, given arguments for `cargo test`, what they choose of the host's tests.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let start = Instant::now();
    let toolchain = Toolchain::set_up()?;
    say("building the guests");
    build_all(&toolchain)?;
    unoptimised(SLOW, "mmap-tantivy")?;
    for (guest, why) in build_others(SetUp::Allowed)?.missing {
        say(format_args!("the tests of {guest} will be skipped: {why}"));
    }
    // The model is as large as all else together: `cargo xtask data` fetches it.
    for fetch in [database, words] {
        if let Err(why) = fetch(SetUp::Allowed) {
            say(format_args!("tests of samples with real data will be skipped: {why:#}"));
        }
    }
    let host = |options: &[&str]| {
        let mut cargo = cargo();
        cargo.env(GUESTS, toolchain.components()).args(["test", "--no-fail-fast"]).args(options);
        cargo
    };
    let all = ["--workspace", "--all-features"];
    let mut passes = Vec::new();
    if args.is_empty() {
        let mut everything = host(&all);
        everything.args(["--", "--show-output"]);
        passes.push(pass("host: native, through wasm, doctests", everything)?);
        let iommap = program("iommap")?;
        // The benchmark's guest has no tests, and exports what a test program has from libc.
        for workspace in WORKSPACES.into_iter().filter(|workspace| *workspace != "bench/guest") {
            passes.push(pass(
                &format!("guests: {workspace}, run in wasm"),
                guests(workspace, &toolchain, &iommap)?,
            )?);
        }
        let mut native = host(&["--package", "iommap", "--no-default-features"]);
        native.args(["--", "--show-output"]);
        passes.push(pass("host: the native layer alone", native)?);
    } else {
        // Cargo would let `--workspace` win over any `--package`.
        let names_a_package = |arg: &OsString| {
            let arg = arg.to_string_lossy();
            arg.starts_with("--package") || arg.starts_with("-p")
        };
        let whole = if args.iter().any(names_a_package) { &all[1..] } else { &all[..] };
        let mut chosen = host(whole);
        chosen.args(args);
        passes.push(pass("what was chosen of the host's tests", chosen)?);
    }
    report(&passes, start)
}

/// The tests in a guest workspace, as components that our command line runs.
fn guests(workspace: &str, toolchain: &Toolchain, iommap: &Path) -> Result<Command> {
    let iommap = iommap.to_str().context("the path of the clone is not UTF-8")?;
    let mut cargo = toolchain.cargo(workspace);
    cargo.args(["test", "--release", "--workspace", "--locked", "--no-fail-fast"]);
    // Not the doctests: guests are programs.
    cargo.args(["--tests", "--target", TARGET]);
    // Some of them make files.
    let tmp = format!("{}::/tmp", env::temp_dir().display());
    let mut run = vec![iommap, "run", "--dir", &tmp, "--limit", "windows=16"];
    // The tests change no file while they have a window on it.
    run.extend([
        "--limit",
        "window-bytes=64M",
        "--windows-on-changing-files",
        "--writable-windows",
        "--limit",
        "locked-bytes=1M",
    ]);
    let runner = format!("target.{TARGET}.runner={run:?}");
    cargo.arg("--config").arg(runner);
    // A test that panics takes the whole program with it, and what was captured so far.
    cargo.args(["--", "--nocapture"]);
    Ok(cargo)
}

/// One run of `cargo test`.
#[derive(Default)]
pub(crate) struct Pass {
    name: String,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    ignored: usize,
    /// Which tests were skipped, or a part of them, and why.
    skipped: BTreeSet<String>,
    /// So many of them said so themselves and passed, as their harness sees it.
    skipped_themselves: usize,
    pub(crate) succeeded: bool,
    took: String,
}

/// Runs a `cargo test` and counts what its harnesses say.
///
/// Both of cargo's streams go through one pipe to our standard output: through two, the tests' lines
/// would end up in the middle of cargo's.
pub(crate) fn pass(name: &str, mut cargo: Command) -> Result<Pass> {
    say(format_args!("{name}: {cargo:?}"));
    let start = Instant::now();
    let (reader, writer) = pipe()?;
    cargo.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = cargo.spawn().context("cannot run cargo")?;
    // It holds the writing end, and the output would never end.
    drop(cargo);
    let mut output = Output { pass: Pass { name: name.to_owned(), ..Pass::default() }, test: None };
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if output.is_shown(&line) {
            println!("{line}");
        }
    }
    let succeeded = child.wait()?.success();
    Ok(Pass { succeeded, took: since(start), ..output.pass })
}

/// What test programs say, line by line.
struct Output {
    pass: Pass,
    /// In the output of tests that passed: the test, if one has said something.
    test: Option<String>,
}

impl Output {
    /// Counts what a line says. What tests say that passed is not shown, but for why they skipped
    /// something, which the report has.
    fn is_shown(&mut self, line: &str) -> bool {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.test = None;
            let count = |what| {
                let mut parts = result.split([';', '.']).map(str::trim);
                parts.find_map(|part| part.strip_suffix(what)?.trim().parse().ok()).unwrap_or(0)
            };
            self.pass.passed += count("passed");
            self.pass.failed += count("failed");
            self.pass.ignored += count("ignored");
            return true;
        }
        match line {
            "successes:" => self.test = Some(String::new()),
            "failures:" => self.test = None,
            _ => {}
        }
        if let (Some(test), Some(header)) = (&mut self.test, line.strip_prefix("---- ")) {
            *test = header.trim_end_matches(" stdout ----").to_owned();
        }
        if let Some(why) = line.strip_prefix("skipped: ") {
            let test = self.test.as_deref().unwrap_or_default();
            let of = if test.is_empty() { "" } else { ": " };
            let new = self.pass.skipped.insert(format!("{test}{of}{why}"));
            self.pass.skipped_themselves += usize::from(new && !test.is_empty());
        }
        if let Some((test, why)) = line.split_once(" ... ignored") {
            self.pass.skipped.insert(format!("{test}: ignored{why}"));
        }
        self.test.is_none()
    }
}

/// Prints how it went, and as the last line how many tests passed, failed and were skipped.
fn report(passes: &[Pass], start: Instant) -> Result<()> {
    let sum = |count: fn(&Pass) -> usize| passes.iter().map(count).sum::<usize>();
    println!();
    for Pass { name, passed, failed, succeeded, took, .. } in passes {
        let ok = if *succeeded { "ok" } else { "FAILED" };
        println!("{ok:6}  {name:40} {passed} passed, {failed} failed ({took})");
    }
    for why in passes.iter().flat_map(|pass| &pass.skipped) {
        println!("skipped: {why}");
    }
    let passed = sum(|pass| pass.passed.saturating_sub(pass.skipped_themselves));
    let skipped = sum(|pass| pass.skipped.len().max(pass.ignored));
    println!("xtask test: {}", since(start));
    println!("{passed} passed, {} failed, {skipped} skipped", sum(|pass| pass.failed));
    ensure!(passes.iter().all(|pass| pass.succeeded), "not all tests passed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_skipped_tests_are_counted() {
        let mut output = Output { pass: Pass::default(), test: None };
        let said = "running 3 tests\ntest a ... ok\ntest b ... ignored, why\n\nsuccesses:\n\n\
                    ---- a stdout ----\nskipped: no npm\nmuch else\n\nsuccesses:\n    a\n\n\
                    test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; finished in 0.01s\n\
                    test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured\nskipped: all";
        let shown = said.lines().filter(|line| output.is_shown(line)).count();
        let Output { pass, .. } = output;
        assert_eq!((pass.passed, pass.failed, pass.ignored), (5, 4, 1));
        assert_eq!(pass.skipped_themselves, 1);
        let skipped = ["a: no npm", "all", "test b: ignored, why"].map(String::from);
        assert_eq!(pass.skipped, BTreeSet::from(skipped));
        assert_eq!(shown, 7);
    }
}
