//! `cargo xtask ci`: what `.ci/run` holds a change to.

use crate::languages::{self, SetUp};
use crate::workspace::{cargo, root, run as run_command, say, since, spoken, target_dir};
use crate::{guests, test, toolchain};
use anyhow::{Result, bail};
use std::process::Command;
use std::time::{Duration, Instant};

/// Every check, then, if wanted, every test. Tells whether all went well; a step that fails does
/// not keep the next one from running.
pub fn run(with_tests: bool) -> Result<bool> {
    let start = Instant::now();
    let toolchain = toolchain::ensure()?;
    let mut steps = Steps::default();
    steps.take("formatting", check_formatting);
    steps.take("guests build", || guests::build_all(&toolchain).map(drop));
    steps
        .take("guests in other languages build", || languages::build_all(SetUp::Allowed).map(drop));
    steps.take("clippy", || {
        run_command(clippy().args(["--workspace", "--all-features", "--all-targets"]).args(STRICT))
    });
    steps.take("clippy, native layer alone", || {
        let alone = ["--package", "iommap", "--no-default-features", "--all-targets"];
        run_command(clippy().args(alone).args(STRICT))
    });
    steps.take("clippy, guests", || {
        guests::WORKSPACES.iter().try_for_each(|dir| run_command(&mut guest_clippy(dir)))
    });
    steps.take("documentation", || {
        let args = ["doc", "--workspace", "--no-deps", "--all-features", "--locked"];
        run_command(cargo().args(args).env("RUSTDOCFLAGS", "-D warnings"))
    });
    if with_tests {
        steps.take("tests", || if test::run(&[])? { Ok(()) } else { bail!("see above") });
    }
    Ok(steps.report(start))
}

const STRICT: [&str; 3] = ["--", "-D", "warnings"];

fn clippy() -> Command {
    let mut cargo = cargo();
    cargo.args(["clippy", "--locked"]);
    cargo
}

/// The guests, as if they were for this machine: the active toolchain has clippy but may have no
/// wasm32-wasip2, and the one that has it may have no clippy.
fn guest_clippy(workspace: &str) -> Command {
    let mut cargo = clippy();
    cargo.current_dir(root().join(workspace)).env("CARGO_TARGET_DIR", target_dir().join("guests"));
    cargo.args(["--workspace", "--all-targets"]).args(STRICT);
    cargo
}

fn check_formatting() -> Result<()> {
    for workspace in [""].into_iter().chain(guests::WORKSPACES) {
        run_command(cargo().args(["fmt", "--all", "--check"]).current_dir(root().join(workspace)))?;
    }
    Ok(())
}

/// What was done so far.
#[derive(Default)]
struct Steps(Vec<Step>);

struct Step {
    name: &'static str,
    ok: bool,
    took: Duration,
}

impl Steps {
    fn take(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        say(format_args!("ci: {name} …"));
        let start = Instant::now();
        let result = work();
        if let Err(e) = &result {
            say(format_args!("ci: {name}: {e:#}"));
        }
        say(format_args!("ci: {name}: {}", since(start)));
        self.0.push(Step { name, ok: result.is_ok(), took: start.elapsed() });
    }

    fn report(&self, start: Instant) -> bool {
        let width = self.0.iter().map(|step| step.name.len()).max().unwrap_or(0);
        println!();
        for Step { name, ok, took } in &self.0 {
            println!(
                "{:6}  {name:width$}  {:>12}",
                if *ok { "ok" } else { "FAILED" },
                spoken(*took)
            );
        }
        let good = self.0.iter().all(|step| step.ok);
        println!("xtask ci: {} in {}", if good { "all good" } else { "NOT good" }, since(start));
        good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_remembered_and_the_next_one_taken() {
        let mut steps = Steps::default();
        steps.take("one", || Ok(()));
        assert!(steps.report(Instant::now()));
        steps.take("two", || bail!("no"));
        steps.take("three", || Ok(()));
        assert_eq!(steps.0.iter().map(|step| step.ok).collect::<Vec<_>>(), [true, false, true]);
        assert!(!steps.report(Instant::now()));
    }
}
