//! Guests in Rust: workspaces that share one target directory, because they share what they depend
//! on. It is not the host's own, on which a cargo that runs us may hold the lock.

use crate::{Guest, root, target_dir};
use anyhow::{Context, Result, ensure};
use cargo_metadata::{Artifact, Message};
use std::env;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What guests are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// The guest workspaces, relative to the root of the clone, but for [`SLOW`].
pub const WORKSPACES: [&str; 8] = [
    "guest-example",
    "guest-example/fst",
    "guest-example/maxminddb",
    "guest-example/safetensors",
    "memmap2",
    "tests/guests",
    "tests/bare",
    "bench/guest",
];

/// A guest workspace with one program, which takes longer to compile than those of all others together.
/// Tests have it by [`unoptimised`], and `cargo xtask crates` as all others are built.
pub const SLOW: &str = "guest-example/tantivy";

/// A compiler that can build guests: rustup's, or one that `ci/wasm-std.sh` made.
#[derive(Clone, Debug)]
pub struct Toolchain {
    rustc: Option<PathBuf>,
}

impl Toolchain {
    /// Finds one that is there already.
    ///
    /// # Errors
    ///
    /// There is none: it says how to get one.
    pub fn find() -> Result<Toolchain> {
        Toolchain::by(Command::new(root().join("ci/wasm-std.sh")).arg("--find"))
    }

    /// Finds one, or sets it up: a minute or two, once.
    ///
    /// # Errors
    ///
    /// None can be had here: it says why.
    pub fn set_up() -> Result<Toolchain> {
        Toolchain::by(&mut Command::new(root().join("ci/wasm-std.sh")))
    }

    fn by(script: &mut Command) -> Result<Toolchain> {
        let said = script.stderr(Stdio::inherit()).output().context("ci/wasm-std.sh")?;
        ensure!(said.status.success(), "nothing here builds for {TARGET}, see above");
        let rustc = String::from_utf8(said.stdout)?.trim().to_owned();
        Ok(Toolchain { rustc: (!rustc.is_empty()).then(|| rustc.into()) })
    }

    /// What to set `RUSTC` to, or nothing if the active toolchain itself can do it.
    pub fn rustc(&self) -> Option<&Path> {
        self.rustc.as_deref()
    }

    /// A directory for each compiler: cargo can't tell apart two standard libraries of one version.
    fn target_dir(&self) -> PathBuf {
        let made = self.rustc.as_deref().and_then(Path::parent).and_then(Path::file_name);
        target_dir().join("guests").join(made.unwrap_or("rustup".as_ref()))
    }

    /// Where components are once they are built.
    pub fn components(&self) -> PathBuf {
        self.target_dir().join(TARGET).join("release")
    }

    /// A cargo for a guest workspace, undisturbed by a cargo that runs us for this machine.
    pub fn cargo(&self, workspace: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        for name in ["RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"] {
            cargo.env_remove(name).env_remove(format!("CARGO_BUILD_{name}"));
        }
        cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
        cargo.current_dir(root().join(workspace)).env("CARGO_TARGET_DIR", self.target_dir());
        cargo
    }

    /// Builds a workspace's guests: all of them, or one package with what it alone needs.
    ///
    /// # Errors
    ///
    /// One does not compile.
    pub fn build(&self, workspace: &str, package: Option<&str>) -> Result<Vec<Guest>> {
        let mut cargo = self.cargo(workspace);
        cargo.args(["build", "--release", "--locked", "--target", TARGET]);
        cargo.arg(package.map_or("--workspace".to_owned(), |name| format!("--package={name}")));
        let artifacts = cargo_build(&mut cargo)
            .with_context(|| format!("the guests in {workspace} were not built"))?;
        let own = root().join(workspace);
        let mut guests: Vec<Guest> = artifacts
            .into_iter()
            .filter(|artifact| artifact.manifest_path.starts_with(&own))
            .flat_map(|artifact| artifact.filenames)
            .filter(|path| path.extension() == Some("wasm"))
            .map(|path| Guest {
                name: path.file_stem().unwrap_or_default().to_owned(),
                path: path.into(),
            })
            .collect();
        guests.sort();
        Ok(guests)
    }
}

/// Builds every guest of every workspace.
///
/// # Errors
///
/// One does not compile.
pub fn build_all(toolchain: &Toolchain) -> Result<Vec<Guest>> {
    let built = WORKSPACES.iter().map(|workspace| toolchain.build(workspace, None));
    Ok(built.collect::<Result<Vec<_>>>()?.concat())
}

/// A program of a guest workspace, built for this machine: what its guest is held to.
///
/// # Errors
///
/// It does not compile.
pub fn native(workspace: &str, program: &str) -> Result<PathBuf> {
    let mut cargo = Toolchain { rustc: None }.cargo(workspace);
    cargo.args(["build", "--release", "--locked", "--bin", program]);
    let built = cargo_build(&mut cargo)?.into_iter().rev().find_map(|artifact| artifact.executable);
    Ok(built.with_context(|| format!("no program {program} in {workspace}"))?.into())
}

/// The program of a guest workspace as a component and for this machine, compiled as fast as can be.
///
/// # Errors
///
/// It does not compile, or nothing here builds for wasm.
pub fn unoptimised(workspace: &str, program: &str) -> Result<[PathBuf; 2]> {
    let build = |toolchain: Toolchain, target: &[&str]| {
        let mut cargo = toolchain.cargo(workspace);
        cargo.args(["build", "--locked", "--bin", program]).args(target);
        let built = cargo_build(&mut cargo)?.into_iter().rev();
        // Of a component, cargo names no executable.
        let mut files = built.flat_map(|artifact| artifact.filenames);
        let found = files.find(|path| path.file_stem() == Some(program));
        Ok(found.with_context(|| format!("no program {program} in {workspace}"))?.into())
    };
    let guest: Result<_> = build(Toolchain::find()?, &["--target", TARGET]);
    Ok([guest?, build(Toolchain { rustc: None }, &[])?])
}

/// Runs a `cargo build` and returns what it built, what was fresh included.
///
/// # Errors
///
/// It fails.
pub fn cargo_build(cargo: &mut Command) -> Result<Vec<Artifact>> {
    cargo.arg("--message-format=json-render-diagnostics");
    let mut child = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut artifacts = Vec::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) = message? {
            artifacts.push(artifact);
        }
    }
    ensure!(child.wait()?.success(), "`{cargo:?}` failed");
    Ok(artifacts)
}
