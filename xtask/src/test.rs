//! `cargo xtask test`: every test of host and guests.
//!
//! Three passes: the host's (those that drive guests through wasm and the doctests are among
//! them), the guests' own, run as components by our own command line, and the native layer alone.

use crate::languages::{self, SetUp};
use crate::toolchain::{self, TARGET, WasmToolchain};
use crate::workspace::{cargo, root, say, shown, since, spoken};
use crate::{bench, data, guests, host};
use anyhow::{Context, Result};
use std::env;
use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write, pipe, stdout};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs every test, or, given arguments for `cargo test`, what they choose of the host's tests.
/// Tells whether all of them passed.
pub fn run(args: &[OsString]) -> Result<bool> {
    let start = Instant::now();
    let toolchain = toolchain::ensure()?;
    say("building the guests");
    let mut guests = guests::build_all(&toolchain)?;
    guests.extend(languages::build_all(SetUp::Allowed)?.guests);
    let names: Vec<_> = guests.iter().map(|guest| guest.name.as_str()).collect();
    say(format_args!("the guests: {}", names.join(", ")));
    data::if_possible();

    if !args.is_empty() {
        let done = pass("what was chosen of the host's tests", chosen(args))?;
        return Ok(report(&[done], start));
    }
    let mut all = cargo();
    all.args(["test", "--workspace", "--all-features", "--no-fail-fast"]);
    let mut native = cargo();
    native.args(["test", "--package", "iommap", "--no-default-features", "--no-fail-fast"]);

    let mut passes = vec![pass("host: native, through wasm, doctests", all)?];
    let iommap = host::command_line()?;
    // The benchmark's guest has none, and exports what a test program has from libc, as `open`.
    for workspace in guests::WORKSPACES.into_iter().filter(|dir| *dir != bench::GUEST) {
        let cargo = own_tests(workspace, &toolchain, &iommap)?;
        passes.push(pass(&format!("guests: {workspace}, run in wasm"), cargo)?);
    }
    passes.push(pass("host: the native layer alone", native)?);
    Ok(report(&passes, start))
}

/// `cargo test` with somebody's own arguments; all features, so that nothing is built twice.
fn chosen(args: &[OsString]) -> Command {
    let mut cargo = cargo();
    cargo.args(["test", "--all-features"]);
    // Cargo would let `--workspace` win over any `--package`.
    if !args.iter().any(names_a_package) {
        cargo.arg("--workspace");
    }
    cargo.args(args);
    cargo
}

fn names_a_package(arg: &OsString) -> bool {
    let arg = arg.to_string_lossy();
    arg.starts_with("--package") || (arg.starts_with("-p") && !arg.starts_with("--"))
}

/// The tests in a guest workspace, as components that our command line runs.
fn own_tests(workspace: &str, toolchain: &WasmToolchain, iommap: &Path) -> Result<Command> {
    let iommap = iommap.to_str().context("the path of the clone is not UTF-8")?;
    let mut cargo = guests::cargo(&root().join(workspace), toolchain)?;
    cargo.args(["test", "--release", "--workspace", "--locked", "--no-fail-fast"]);
    // Not the doctests: guests are programs. Nor what has no test program: one of a guest that is no
    // command could not be run.
    cargo.args(["--tests", "--target", TARGET]);
    cargo.arg("--config").arg(format!("target.{TARGET}.runner=[{iommap:?}, \"run\"]"));
    // A test that panics takes the whole program with it, and what was captured so far.
    cargo.args(["--", "--nocapture"]);
    Ok(cargo)
}

/// One run of `cargo test`.
#[derive(Debug)]
pub(crate) struct Pass {
    name: String,
    pub(crate) counts: Counts,
    pub(crate) succeeded: bool,
    took: Duration,
}

/// Runs a `cargo test` and counts what its harnesses say.
///
/// Both of cargo's streams go through one pipe to our standard output: through two, the tests'
/// lines would end up in the middle of cargo's.
pub(crate) fn pass(name: &str, mut cargo: Command) -> Result<Pass> {
    let command = shown(&cargo);
    say(format_args!("{name}: {command}"));
    let start = Instant::now();
    let (reader, writer) = pipe()?;
    cargo.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    if stdout().is_terminal() && env::var_os("CARGO_TERM_COLOR").is_none() {
        cargo.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = cargo.spawn().with_context(|| format!("cannot run `{command}`"))?;
    // It holds the writing end, and the output would never end.
    drop(cargo);
    let counts = copy_and_count(reader, stdout())?;
    let succeeded = child.wait()?.success();
    Ok(Pass { name: name.to_owned(), counts, succeeded, took: start.elapsed() })
}

/// What test harnesses said of their tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Counts {
    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
    fn parse(line: &str) -> Option<Counts> {
        let (_, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count = |what| {
            let of_it = |part: &str| part.trim().strip_suffix(what)?.trim().parse().ok();
            rest.split(';').find_map(of_it)
        };
        Some(Counts {
            passed: count("passed")?,
            failed: count("failed")?,
            ignored: count("ignored")?,
        })
    }

    fn spoken(&self) -> String {
        let Counts { passed, failed, ignored } = self;
        format!("{passed} passed, {failed} failed, {ignored} ignored")
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Copies output as it comes, half lines included, and adds up the results in it.
fn copy_and_count(mut from: impl Read, mut to: impl Write) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut line = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let n = from.read(&mut buffer)?;
        to.write_all(&buffer[..n])?;
        to.flush()?;
        for &byte in &buffer[..n] {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            if let Some(more) = Counts::parse(&String::from_utf8_lossy(&line)) {
                counts += more;
            }
            line.clear();
        }
        if n == 0 {
            return Ok(counts);
        }
    }
}

/// Prints how it went, and tells whether it went well.
fn report(passes: &[Pass], start: Instant) -> bool {
    let width = passes.iter().map(|pass| pass.name.len()).max().unwrap_or(0);
    let mut total = Counts::default();
    println!();
    for pass in passes {
        total += pass.counts;
        println!(
            "{:6}  {:width$}  {} ({})",
            if pass.succeeded { "ok" } else { "FAILED" },
            pass.name,
            pass.counts.spoken(),
            spoken(pass.took)
        );
    }
    let green = passes.iter().all(|pass| pass.succeeded);
    let verdict = if green { "all green" } else { "NOT green" };
    println!("xtask test: {verdict} ({} in {})", total.spoken(), since(start));
    green
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_while_output_is_copied() {
        let output = "running 2 tests\ntest a ... ok\ntest result: ok. 2 passed; 0 failed; \
                      1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                      test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered \
                      out; finished in 1.00s\nno newline at the end";
        let mut copy = Vec::new();
        let counts = copy_and_count(output.as_bytes(), &mut copy).unwrap();
        assert_eq!(counts, Counts { passed: 5, failed: 4, ignored: 1 });
        assert_eq!(copy, output.as_bytes());
    }

    #[test]
    fn other_lines_are_no_results() {
        assert_eq!(Counts::parse("test result: who knows"), None);
        assert_eq!(Counts::parse("2 passed; 0 failed; 0 ignored"), None);
        assert_eq!(Counts::parse(""), None);
    }

    #[test]
    fn one_failed_pass_fails_the_whole() {
        let pass = |succeeded| Pass {
            name: "pass".into(),
            counts: Counts::default(),
            succeeded,
            took: Duration::ZERO,
        };
        assert!(report(&[pass(true), pass(true)], Instant::now()));
        assert!(!report(&[pass(true), pass(false)], Instant::now()));
    }

    #[test]
    fn chosen_packages_are_not_overridden() {
        let args = |args: &[&str]| args.iter().map(OsString::from).collect::<Vec<_>>();
        let shown_for = |given: &[&str]| shown(&chosen(&args(given)));
        assert_eq!(shown_for(&["guard"]), "cargo test --all-features --workspace guard");
        assert_eq!(shown_for(&["-p", "iommap"]), "cargo test --all-features -p iommap");
        assert_eq!(shown_for(&["--package=xtask"]), "cargo test --all-features --package=xtask");
    }
}
