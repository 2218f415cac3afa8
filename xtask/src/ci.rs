//! `cargo xtask ci`: what `.ci/run` holds a change to.

use crate::run::{say, shell, since};
use crate::test;
use anyhow::{Result, ensure};
use iommap_artifacts::{SLOW, SetUp, Toolchain, WORKSPACES, build_all, build_others, target_dir};
use std::collections::BTreeSet;
use std::time::Instant;
use xshell::{Shell, cmd};

/// Workspaces beside the host's and the guests'.
const TOOLS: [&str; 2] = ["ci/public-api", "guest-example/search-c/componentize"];

/// No more packages than this may iommap add to an embedder, itself among them.
const MOST_ADDED: usize = 5;

/// Every check, then, if wanted, every test. A step that fails does not keep the next one from
/// running.
pub(crate) fn run(with_tests: bool) -> Result<()> {
    let start = Instant::now();
    let toolchain = Toolchain::set_up()?;
    let sh = &shell()?;
    let mut steps = Steps(Vec::new());
    steps.take("formatting", || {
        cmd!(sh, "cargo fmt --all --check").run()?;
        elsewhere(sh, &[&WORKSPACES[..], &TOOLS, &[SLOW]].concat(), &["fmt", "--all", "--check"])
    });
    steps.take("guests build", || build_all(&toolchain).map(drop));
    steps.take("guests in other languages build", || build_others(SetUp::Allowed).map(drop));
    let strict = ["--all-targets", "--locked", "--", "-D", "warnings"];
    steps.take("clippy", || {
        Ok(cmd!(sh, "cargo clippy --workspace --all-features {strict...}").run()?)
    });
    steps.take("clippy, native layer alone", || {
        Ok(cmd!(sh, "cargo clippy --package iommap --no-default-features {strict...}").run()?)
    });
    // As if they were for this machine: the toolchain that builds for wasm may have no clippy.
    steps.take("clippy, guests", || {
        let dir = sh.push_env("CARGO_TARGET_DIR", target_dir().join("guests/clippy"));
        elsewhere(sh, &WORKSPACES, &[&["clippy", "--workspace"], &strict[..]].concat())?;
        drop(dir);
        let _dir = sh.push_env("CARGO_TARGET_DIR", target_dir().join("tools"));
        elsewhere(sh, &TOOLS, &[&["clippy", "--no-default-features"], &strict[..]].concat())
    });
    steps.take("documentation", || {
        let _flags = sh.push_env("RUSTDOCFLAGS", "-D warnings");
        Ok(cmd!(sh, "cargo doc --workspace --no-deps --all-features --locked").run()?)
    });
    steps.take("what an embedder gains", embedder);
    for (name, script) in [
        ("packages build alone", "ci/packages.sh"),
        ("the public interface", "ci/public-api.sh"),
        ("semantic version", "ci/semver.sh"),
        ("the next wasmtime", "ci/next-wasmtime.sh"),
    ] {
        steps.take(name, || Ok(cmd!(sh, "{script}").run()?));
    }
    if with_tests {
        steps.take("tests", || test::run(&[]));
    }
    steps.report(start)
}

/// Runs a cargo command in other workspaces.
fn elsewhere(sh: &Shell, workspaces: &[&str], args: &[&str]) -> Result<()> {
    for workspace in workspaces {
        let _dir = sh.push_dir(workspace);
        cmd!(sh, "cargo {args...}").run()?;
    }
    Ok(())
}

/// `cargo xtask embedder`: counts the packages that iommap adds to a program that has wasmtime and
/// wasmtime-wasi, which `tests/embedder` is.
pub(crate) fn embedder() -> Result<()> {
    let sh = shell()?;
    let packages = |feature: Option<&str>| -> Result<BTreeSet<String>> {
        let tree =
            cmd!(sh, "cargo tree --locked --package iommap-embedder --edges normal --prefix none")
                .args(["--format", "{p}"])
                .args(feature.map(|feature| format!("--features={feature}")));
        let tree = tree.quiet().read()?;
        let name = |line: &str| line.split(" (").next().unwrap_or(line).to_owned();
        Ok(tree.lines().map(name).collect())
    };
    let without = packages(None)?;
    let with = packages(Some("iommap"))?;
    let added: Vec<_> = with.difference(&without).collect();
    println!(
        "wasmtime and wasmtime-wasi: {} packages; iommap adds {}:",
        without.len() - 1,
        added.len()
    );
    for package in &added {
        println!("  {package}");
    }
    ensure!((1..=MOST_ADDED).contains(&added.len()), "an embedder gains no more than {MOST_ADDED}");
    Ok(())
}

/// What was done so far: the name, whether it went well, and how long it took.
struct Steps(Vec<(&'static str, bool, String)>);

impl Steps {
    fn take(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        say(format_args!("ci: {name} …"));
        let start = Instant::now();
        let result = work();
        if let Err(why) = &result {
            say(format_args!("ci: {name}: {why:#}"));
        }
        self.0.push((name, result.is_ok(), since(start)));
    }

    fn report(&self, start: Instant) -> Result<()> {
        println!();
        for (name, good, took) in &self.0 {
            println!("{:6}  {name:32} {took:>12}", if *good { "ok" } else { "FAILED" });
        }
        println!("xtask ci: {}", since(start));
        ensure!(self.0.iter().all(|(_, good, _)| *good), "not all is good");
        Ok(())
    }
}
