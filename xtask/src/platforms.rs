//! `cargo xtask platforms`: what of the host can be had on which system, found out by doing it.
//!
//! Linux on x86-64 is this machine; Linux on x86 with 32 bits runs on its kernel, and Linux on
//! aarch64 under qemu-user. All others are compiled only, down to the guard's assembly, and the host
//! with wasmtime is checked as far as it goes. The compilers come from `ci/cross.sh`.

use crate::document;
use crate::run::{cargo, run as run_command, say};
use crate::test::{Pass, pass};
use anyhow::{Context, Result, bail, ensure};
use iommap_artifacts::{root, target_dir};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// One target.
struct Target {
    triple: &'static str,
    /// The columns of the table.
    system: &'static str,
    native: Native,
    /// The features that the host with wasmtime is checked with, where it can be.
    host: Option<&'static str>,
    /// A quick run takes it.
    quick: bool,
    /// What is not checked, and why.
    note: &'static str,
}

/// What becomes of the native layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Native {
    TestedHere,
    TestedUnderQemu,
    TestedIn32Bits,
    Built,
}

#[rustfmt::skip]
const TARGETS: [Target; 10] = {
    use Native::{Built, TestedHere, TestedIn32Bits, TestedUnderQemu};
    const fn target(triple: &'static str, system: &'static str, native: Native, host: Option<&'static str>) -> Target {
        Target { triple, system, native, host, quick: false, note: "" }
    }
    [
        target("x86_64-unknown-linux-gnu", "Linux | x86-64", TestedHere, None),
        Target { quick: true, ..target("aarch64-unknown-linux-gnu", "Linux | aarch64", TestedUnderQemu, Some("wasi")) },
        Target {
            note: "the native layer alone is meant for 32 bits: a mapping is at most 2 GiB, and a longer file is `enomem`",
            ..target("i686-unknown-linux-gnu", "Linux | x86 (32 bits)", TestedIn32Bits, None)
        },
        Target { note: "as for x86 with 32 bits", ..target("armv7-unknown-linux-gnueabihf", "Linux | ARMv7 (32 bits)", Built, None) },
        target("aarch64-apple-darwin", "macOS | aarch64", Built, Some("wasi")),
        target("x86_64-apple-darwin", "macOS | x86-64", Built, Some("wasi")),
        Target { quick: true, ..target("x86_64-unknown-freebsd", "FreeBSD | x86-64", Built, Some("wasi")) },
        target("aarch64-unknown-freebsd", "FreeBSD | aarch64", Built, Some("wasi")),
        Target {
            note: "wasmtime-wasi 48 does not compile for OpenBSD: no `wasi`, no command line",
            ..target("x86_64-unknown-openbsd", "OpenBSD | x86-64", Built, Some("async"))
        },
        Target {
            note: "wasmtime 48 does not compile for it: the native layer alone",
            ..target("aarch64-unknown-openbsd", "OpenBSD | aarch64", Built, None)
        },
    ]
};

/// The native layer, and the guard below it.
const NATIVE: [&str; 5] =
    ["--package", "iommap", "--package", "iommap-guard", "--no-default-features"];

/// Tests that qemu-user can't run.
const NOT_UNDER_QEMU: &str = include_str!("../../ci/not-under-qemu.txt");

fn not_under_qemu() -> impl Iterator<Item = (&'static str, &'static str)> {
    NOT_UNDER_QEMU
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(test, _)| !test.starts_with('#'))
}

/// Goes through the targets, prints a table and puts it into a document, and fails if anything does.
/// A quick run looks at the native layer of a few targets, and at nothing where there is no Debian.
pub(crate) fn run(quick: bool, write: Option<&Path>) -> Result<()> {
    let mut failures = Vec::new();
    let mut table =
        String::from("| system | processor | native layer | with wasmtime |\n|---|---|---|---|\n");
    let mut notes = String::new();
    for target in TARGETS.iter().filter(|target| target.quick || !quick) {
        let Some(cross) = Cross::to(target.triple)? else {
            say(
                "platforms: skipped: compilers for other systems come from Debian's packages, and this is no Debian",
            );
            ensure!(quick, "only a quick run can do without");
            return Ok(());
        };
        let mut tell = |what: &str, done: Result<String>| {
            done.unwrap_or_else(|why| {
                say(format_args!("{}: {why:#}", target.triple));
                failures.push(format!("{}: {what}", target.triple));
                "fails".to_owned()
            })
        };
        let native = tell("native layer", native(target, &cross));
        let host = match target.host {
            _ if target.native == Native::TestedHere => "tested by `cargo xtask test`".to_owned(),
            None => "no".to_owned(),
            Some(_) if quick => "not asked".to_owned(),
            Some(features) => tell("host", host(&cross, features)),
        };
        writeln!(table, "| {} | {native} | {host} |", target.system)?;
        if !target.note.is_empty() {
            writeln!(notes, "- {}: {}.", target.system.replace(" |", ","), target.note)?;
        }
    }
    println!("\n{table}\n{notes}");
    if let Some(path) = write {
        ensure!(failures.is_empty(), "{} stays as it is: {failures:?}", path.display());
        let text = fs::read_to_string(root().join(path))?;
        let text = document::replaced(&text, "platforms", &format!("{table}\n{notes}"))?;
        fs::write(root().join(path), text)?;
    }
    ensure!(failures.is_empty(), "failed: {failures:?}");
    Ok(())
}

/// Tests the native layer, or builds it.
fn native(target: &Target, cross: &Cross) -> Result<String> {
    let tests = |mut cargo: Command, skip: &[&str]| {
        cargo.args(NATIVE).args(["--lib", "--tests", "--no-fail-fast", "--"]);
        tested(pass(target.triple, {
            cargo.args(skip.iter().flat_map(|test| ["--skip", test]));
            cargo
        })?)
    };
    match target.native {
        Native::TestedHere => {
            let passed = tests(
                {
                    let mut cargo = cargo();
                    cargo.arg("test");
                    cargo
                },
                &[],
            )?;
            // As FreeBSD and OpenBSD need it, with SIGSEGV watched as well.
            let mut guard = cargo();
            guard.args(["test", "--package", "iommap-guard", "--tests", "--no-fail-fast"]);
            guard.env("RUSTFLAGS", "--cfg iommap_watch_sigsegv");
            guard.env("CARGO_TARGET_DIR", target_dir().join("two-signals"));
            tested(pass("the guard, two signals", guard)?)?;
            Ok(format!("tested: {passed} tests"))
        }
        Native::TestedUnderQemu => {
            let skip: Vec<_> = not_under_qemu().map(|(test, _)| test).collect();
            let passed = tests(cross.cargo("test", true), &skip)?;
            Ok(format!("tested under qemu-user: {passed} tests; {} can't run there", skip.len()))
        }
        Native::TestedIn32Bits if !cross.cannot_run => {
            let passed = tests(cross.cargo("test", true), &[])?;
            Ok(format!("tested on a kernel of 64 bits: {passed} tests"))
        }
        _ => {
            run_command(cross.cargo("build", false).args(NATIVE).arg("--lib"))?;
            Ok("compiled, never run".to_owned())
        }
    }
}

fn tested(pass: Pass) -> Result<usize> {
    ensure!(pass.succeeded && pass.passed > 0, "{} of its tests failed", pass.failed);
    Ok(pass.passed)
}

/// Checks the host with wasmtime, as far as it goes.
fn host(cross: &Cross, features: &str) -> Result<String> {
    let mut host = cross.cargo("check", false);
    run_command(host.args([
        "--package",
        "iommap",
        "--no-default-features",
        "--features",
        features,
    ]))?;
    Ok(format!("compiles (feature `{features}`), never run"))
}

/// What a target is compiled with.
struct Cross {
    triple: &'static str,
    environment: Vec<(String, String)>,
    cannot_run: bool,
}

impl Cross {
    /// Asks `ci/cross.sh`. Nothing where that needs a Debian.
    fn to(triple: &'static str) -> Result<Option<Cross>> {
        let mut script = Command::new(root().join("ci/cross.sh"));
        let said = script.arg(triple).stderr(Stdio::inherit()).output().context("ci/cross.sh")?;
        match said.status.code() {
            Some(0) => {}
            Some(77) => return Ok(None),
            _ => bail!("no compiler for {triple}, see above"),
        }
        let lines = String::from_utf8(said.stdout)?;
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        let environment: Vec<_> =
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let cannot_run = environment.iter().any(|(name, _)| name == "IOMMAP_CANNOT_RUN");
        Ok(Some(Cross { triple, environment, cannot_run }))
    }

    /// A cargo that builds the standard library on the way.
    fn cargo(&self, command: &str, tests: bool) -> Command {
        let mut cargo = cargo();
        let tests = if tests { ",test,proc_macro" } else { "" };
        cargo.args([
            command,
            "--target",
            self.triple,
            &format!("-Zbuild-std=std,panic_abort{tests}"),
        ]);
        cargo.envs(self.environment.iter().map(|(name, value)| (name, value)));
        cargo.env("CARGO_INCREMENTAL", "0").env("CARGO_TARGET_DIR", target_dir().join("platforms"));
        cargo
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xshell::Shell;

    #[test]
    fn every_test_left_out_under_qemu_exists() {
        let sh = Shell::new().unwrap();
        let files = ["host/tests/native", "guard/tests/guard"].map(|dir| root().join(dir));
        let files = files.iter().filter_map(|dir| sh.read_dir(dir).ok()).flatten();
        let sources: String = files.filter_map(|file| fs::read_to_string(file).ok()).collect();
        for (test, _) in not_under_qemu() {
            assert_eq!(sources.matches(&format!("fn {test}()")).count(), 1, "{test}");
        }
    }
}
