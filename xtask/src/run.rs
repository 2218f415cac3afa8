//! How programs are built and run.

use anyhow::{Context, Result, ensure};
use iommap_artifacts::{SetUp, Toolchain, cargo_build, database, guest, root, target_dir};
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use xshell::Shell;

/// Says one line about what goes on, on standard error.
pub(crate) fn say(line: impl Display) {
    eprintln!("xtask: {line}");
}

/// A shell in the root of the clone.
pub(crate) fn shell() -> Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(root());
    Ok(sh)
}

/// A cargo in the root of the clone.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root());
    cargo
}

/// How long ago: `0.4 s`, `3 min 5 s`.
pub(crate) fn since(start: Instant) -> String {
    let time = start.elapsed();
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// Builds a program as the tests build it.
///
/// `--workspace --all-features`, as `cargo test` has it: with fewer packages cargo would choose
/// fewer features of wasmtime, and compile wasmtime once for each choice.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["build", "--workspace", "--all-features"]);
    built(cargo, name)
}

/// Builds a program of a package as what is installed is built.
pub(crate) fn released(package: &str, name: &str) -> Result<PathBuf> {
    say(format_args!("building {name} with fat LTO, which takes minutes the first time"));
    let mut cargo = cargo();
    cargo.args(["build", "--release", "--locked", "--package", package]);
    built(cargo, name)
}

fn built(mut cargo: Command, name: &str) -> Result<PathBuf> {
    cargo_build(cargo.args(["--bin", name]))?
        .into_iter()
        .filter_map(|artifact| artifact.executable)
        .find(|path| path.file_stem() == Some(name))
        .map(PathBuf::from)
        .with_context(|| format!("cargo built no program `{name}`"))
}

/// Runs a program with our own standard streams.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// `cargo xtask stress`.
pub(crate) fn stress(seconds: u64, args: &[OsString]) -> Result<()> {
    Toolchain::set_up()?;
    let mut stress = Command::new(program("iommap-stress")?);
    run(stress.args(["--seconds", &seconds.to_string()]).args(args))
}

/// `cargo xtask bench`: measures, prints tables and goals; a full run also writes what it found to
/// docs/performance.md.
pub(crate) fn bench(quick: bool, args: &[OsString]) -> Result<()> {
    Toolchain::set_up()?;
    let mut bench = Command::new(released("iommap-bench", "iommap-bench")?);
    bench.arg("--rust-guest").arg(guest("iommap_bench_guest"));
    // Without it, lookups are measured on one that is made.
    if let Ok(database) = database(SetUp::Forbidden) {
        bench.arg("--database").arg(database);
    }
    if quick {
        return run(bench.arg("--quick").args(args));
    }
    let out = target_dir().join("bench");
    run(bench.arg("--out").arg(&out).args(args))?;
    let sh = shell()?;
    sh.copy_file(out.join("performance.svg"), "docs/performance.svg")?;
    crate::document::write("docs/performance.md", &out)
}

/// What a program prints, if it ends well.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
