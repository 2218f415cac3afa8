//! What other targets are compiled with.
//!
//! Debian ships `rustc-web` (a current rustc) with the source of its standard library, which
//! cargo builds for each target on the way (`-Zbuild-std`); a C compiler and a C library for
//! aarch64 and for x86 with 32 bits; and qemu-user. They are downloaded and unpacked in the cache
//! directory. ziglang, from PyPI, compiles C for macOS: wasmtime has a few lines of it.
//!
//! As in `debian.rs`, everything is made in a temporary directory and renamed at the end, so a run
//! that is killed loses nothing that was finished.

use super::targets::{Native, Target, named};
use super::{quietly, variable};
use crate::apt::{self, Unavailable};
use crate::debian::{self, Recipe, multiarch, step};
use crate::toolchain::{Active, WasmToolchain};
use crate::workspace::{cache_dir, say, since};
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

/// Changes whenever what is made below is something else than before.
const RECIPE: u32 = 1;

const TOOLS: [&str; 3] = ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "qemu-user-static"];

/// What programs for x86 with 32 bits are linked with.
const TOOLS_32: [&str; 2] = ["gcc-i686-linux-gnu", "libc6-dev-i386-cross"];

const ZIGLANG: &str = "ziglang==0.17.1";

const AARCH64: &str = "aarch64-unknown-linux-gnu";
const I686: &str = "i686-unknown-linux-gnu";

const GCC: &str = r#"#!/bin/sh
# Made by `cargo xtask platforms`: Debian's compiler with the libraries that lie beside it.
here=${0%/*}
LD_LIBRARY_PATH=$here/usr/lib/MULTIARCH${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
    exec "$here/usr/bin/aarch64-linux-gnu-gcc" --sysroot="$here" "$@"
"#;

/// As [`GCC`]. What it links finds the loader and the C library where they were unpacked, so that
/// the kernel runs it as it is.
const GCC_32: &str = r#"#!/bin/sh
# Made by `cargo xtask platforms`: Debian's compiler with the libraries that lie beside it.
here=${0%/*}
lib=$here/usr/i686-linux-gnu/lib
LD_LIBRARY_PATH=$here/usr/lib/MULTIARCH${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
    exec "$here/usr/bin/i686-linux-gnu-gcc" --sysroot="$here" \
    "-Wl,--dynamic-linker=$lib/ld-linux.so.2" "-Wl,-rpath=$lib" "$@"
"#;

const ZIG: &str = r#"#!/bin/sh
# Made by `cargo xtask platforms`. The target is named in zig's way, not in clang's.
for arg; do
    shift
    case $arg in
    --target=* | -mmacosx-version-min=* | -isysroot* | -arch | arm64 | x86_64) ;;
    *) set -- "$@" "$arg" ;;
    esac
done
exec "${0%/*}/lib/ziglang/zig" cc -target "$IOMMAP_ZIG_TARGET" "$@"
"#;

/// The tools, ready for use.
pub(super) struct Cross {
    active: Active,
    dir: PathBuf,
    pub(super) target_dir: PathBuf,
    /// Where the compiler for 32 bits is, once it was asked for.
    gcc_32: OnceLock<PathBuf>,
}

impl Cross {
    /// Finds them, or gets them: some 150 MB to download, once.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where there is no Debian to have them from.
    pub(super) fn ensure() -> Result<Cross> {
        let active = Active::ask()?;
        let parent = cache_dir()?.join("platforms");
        let name = format!("{}-{}-{RECIPE}", active.release, active.host);
        let (dir, target_dir) = (parent.join(&name), parent.join("target"));
        let cross = Cross { active, dir, target_dir, gcc_32: OnceLock::new() };
        if cross.dir.join("stamp").exists() {
            return Ok(cross);
        }
        if !debian::is_debian() {
            let why = "the compilers for other systems are made from Debian's packages, and this \
                       is no Debian";
            return Err(Unavailable(why.to_owned()).into());
        }
        fs::create_dir_all(&parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
        let _lock = debian::lock(&parent.join("lock"))?;
        if cross.dir.join("stamp").exists() {
            return Ok(cross);
        }
        let start = Instant::now();
        say(format_args!("unpacking compilers for other systems in {}", cross.dir.display()));
        whole(&cross.dir, |tmp| make(tmp, &cross.active))?;
        say(format_args!("the compilers are ready ({})", since(start)));
        Ok(cross)
    }

    /// Does the kernel run programs of 32 bits?
    pub(super) fn runs_32_bits(&self) -> Result<bool> {
        let loader = self.gcc_32()?.with_file_name("usr/i686-linux-gnu/lib/ld-linux.so.2");
        Ok(Command::new(loader).arg("--version").output().is_ok_and(|said| said.status.success()))
    }

    /// A cargo command for a target, with a standard library that is built on the way.
    pub(super) fn cargo(&self, command: &str, triple: &str) -> Result<Command> {
        let mut cargo = WasmToolchain::made_of(self.dir.join("rustc")).cargo();
        let tested = named(triple).is_some_and(|target| target.native != Native::Built);
        let crates = if tested { "std,panic_abort,test,proc_macro" } else { "std,panic_abort" };
        cargo.args([command, "--target", triple, &format!("-Zbuild-std={crates}")]);
        cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_INCREMENTAL", "0");
        cargo.env("CARGO_TARGET_DIR", &self.target_dir);
        if triple == AARCH64 {
            let gcc = self.dir.join("gcc");
            let qemu = self.qemu();
            cargo.env(variable(triple, "LINKER"), &gcc).env(variable(triple, "RUNNER"), &qemu);
            cargo.env("CC_aarch64_unknown_linux_gnu", &gcc);
            // Tests that start themselves anew need it too: the kernel doesn't know what to do
            // with their program.
            cargo.env("IOMMAP_TEST_RUNNER", &qemu);
            // Sequences of the model take long under an emulator.
            cargo.env("IOMMAP_CASES", "20");
        }
        if triple == I686 {
            let gcc = self.gcc_32()?;
            cargo.env(variable(triple, "LINKER"), gcc).env("CC_i686_unknown_linux_gnu", gcc);
        }
        Ok(cargo)
    }

    /// Lets a build script compile C by zig, where the target needs it.
    pub(super) fn use_zig(&self, cargo: &mut Command, target: &Target) -> Result<()> {
        let Some(zig) = target.zig else { return Ok(()) };
        let zigcc = self.zig()?;
        cargo.env("IOMMAP_ZIG_TARGET", zig).env("SDKROOT", "/");
        cargo.env("ZIG_GLOBAL_CACHE_DIR", self.dir.join("zig/cache"));
        cargo.env(format!("CC_{}", target.triple.replace('-', "_")), zigcc);
        Ok(())
    }

    /// The emulator, as a command of several words: none of the paths may hold a space.
    fn qemu(&self) -> String {
        let dir = self.dir.display();
        format!("{dir}/usr/bin/qemu-aarch64-static -L {dir}/usr/aarch64-linux-gnu")
    }

    /// The script that compiles and links for 32 bits; gets the compiler the first time.
    fn gcc_32(&self) -> Result<&Path> {
        if let Some(gcc) = self.gcc_32.get() {
            return Ok(gcc);
        }
        let dir = self.dir.join("i686");
        if !dir.exists() {
            step("a compiler for 32 bits", || whole(&dir, |tmp| self.make_32(tmp)))?;
        }
        Ok(self.gcc_32.get_or_init(|| dir.join("gcc")))
    }

    fn make_32(&self, dir: &Path) -> Result<()> {
        fs::create_dir(dir.join("debs"))?;
        apt::download_tools(&dir.join("debs"), &TOOLS_32)?;
        Recipe { dir, active: &self.active }.unpack()?;
        let script = GCC_32.replace("MULTIARCH", &multiarch(&self.active.host));
        write_script(&dir.join("gcc"), &script)?;
        quietly(Command::new(dir.join("gcc")).arg("--version"), "Debian's gcc does not run")?;
        Ok(fs::remove_dir_all(dir.join("debs"))?)
    }

    /// The script that is zig's C compiler; gets zig the first time.
    fn zig(&self) -> Result<PathBuf> {
        let dir = self.dir.join("zig");
        let script = dir.join("cc");
        if !script.exists() {
            step("zig, from PyPI", || {
                let mut pip = Command::new("python3");
                pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]);
                pip.arg(dir.join("lib")).arg(ZIGLANG);
                quietly(&mut pip, "a C compiler for macOS comes from PyPI, by python3 and its pip")
            })?;
            write_script(&script, ZIG)?;
        }
        Ok(script)
    }
}

/// Makes a directory in a temporary place, and moves it where it belongs when it is whole.
fn whole(dir: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (parent, name) = dir.parent().zip(dir.file_name()).context("a directory has a name")?;
    let prefix = format!("{}.making-", name.to_string_lossy());
    debian::clear_leftovers(parent, &prefix);
    let tmp = parent.join(format!("{prefix}{}", std::process::id()));
    fs::create_dir(&tmp).with_context(|| format!("cannot create {}", tmp.display()))?;
    let made = make(&tmp).and_then(|()| fs::rename(&tmp, dir).context("cannot move it"));
    if made.is_err() {
        let _ = fs::remove_dir_all(&tmp);
    }
    made
}

fn make(dir: &Path, active: &Active) -> Result<()> {
    let debian = step("downloading Debian's packages", || {
        fs::create_dir(dir.join("debs"))?;
        apt::download(&dir.join("debs"), &TOOLS)
    })?;
    let recipe = Recipe { dir, active };
    step("unpacking them", || recipe.unpack())?;
    recipe.write_wrapper()?;
    write_script(&dir.join("gcc"), &GCC.replace("MULTIARCH", &multiarch(&active.host)))?;
    quietly(Command::new(dir.join("gcc")).arg("--version"), "Debian's gcc does not run")?;
    fs::remove_dir_all(dir.join("debs"))?;
    // Last, since it says that all of the above was done.
    fs::write(dir.join("stamp"), debian).context("cannot write the stamp")
}

fn write_script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
