//! A toolchain for wasm32-wasip2 made from Debian's packages.
//!
//! Debian ships `rustc-web` (a current rustc) with the source of its standard library, and
//! `wasi-libc`; it ships no standard library for the target. So: download the packages, unpack
//! them in a directory of our own, build the standard library once with `-Zbuild-std`, and put
//! the result where that rustc looks. The linkers come from the rustup toolchain. Cargo, too,
//! remains rustup's: guests are built with `RUSTC` set to the wrapper script made here.
//!
//! Everything is made in a temporary directory and renamed at the end, so that what is found is
//! complete; a lock keeps two runs from doing the same work. The wrapper finds its surroundings
//! relative to itself.

use crate::apt;
pub(crate) use crate::cache::{clear_leftovers, lock};
use crate::toolchain::{Active, TARGET, WasmToolchain};
use crate::workspace::{cache_dir, output, run, say, since};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Changes whenever the recipe below makes something else than before.
const RECIPE: u32 = 1;

const CRT1: &str = include_str!("../sysroot/crt1.rs");
const STUBS: &str = include_str!("../sysroot/stubs.rs");

/// The linkers that rustc runs, relative to `lib/rustlib/HOST/bin`. Debian's has none for wasm.
const LINKERS: [&str; 3] = ["rust-lld", "wasm-component-ld", "gcc-ld/wasm-ld"];

const WRAPPER: &str = r#"#!/bin/sh
# Made by `cargo xtask setup`: Debian's rustc with the libraries that lie beside it.
here=${0%/*}
LD_LIBRARY_PATH=$here/usr/lib/MULTIARCH${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec "$here/usr/bin/rustc" "$@"
"#;

/// A finished toolchain.
pub(crate) struct Built {
    pub(crate) rustc: PathBuf,
    pub(crate) identity: String,
}

/// Whether this machine has Debian's package tools.
pub(crate) fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists() && output(Command::new("apt-get").arg("-v")).is_ok()
}

/// Finds what [`build`] made for this rustc, if it is whole.
pub(crate) fn find(active: &Active) -> Result<Option<Built>> {
    let dir = home(active)?;
    let stamp = match fs::read_to_string(dir.join("stamp")) {
        Ok(stamp) => stamp,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}/stamp", dir.display())),
    };
    if !fits(&stamp, active) {
        return Ok(None);
    }
    Ok(Some(Built { rustc: dir.join("rustc"), identity: stamp }))
}

/// Builds the toolchain, unless another run does it meanwhile.
pub(crate) fn build(active: &Active) -> Result<Built> {
    let home = home(active)?;
    let parent = home.parent().expect("a directory in the cache");
    fs::create_dir_all(parent).with_context(|| {
        format!("cannot create {}: set IOMMAP_CACHE to where it may be", parent.display())
    })?;
    let _lock = lock(&parent.join("lock"))?;
    if let Some(built) = find(active)? {
        return Ok(built);
    }

    let start = Instant::now();
    say(format_args!(
        "{} has no standard library for {TARGET}; making one from Debian's packages in {} \
         (a minute or two, once)",
        active.version,
        home.display()
    ));
    let prefix = format!("{}.making-", home.file_name().unwrap_or_default().to_string_lossy());
    clear_leftovers(parent, &prefix);
    let tmp = parent.join(format!("{prefix}{}", std::process::id()));
    fs::create_dir(&tmp).with_context(|| format!("cannot create {}", tmp.display()))?;
    let made = Recipe { dir: &tmp, active }.follow().and_then(|()| {
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::rename(&tmp, &home).with_context(|| format!("cannot move it to {}", home.display()))
    });
    if let Err(e) = made {
        let _ = fs::remove_dir_all(&tmp);
        return Err(e);
    }
    say(format_args!("the toolchain for {TARGET} is ready ({})", since(start)));
    find(active)?.context("it was made, but isn't there")
}

/// Where the toolchain for an active rustc is.
fn home(active: &Active) -> Result<PathBuf> {
    let name = format!("{}-{}-{RECIPE}", active.release, active.host);
    Ok(cache_dir()?.join("wasm-std").join(name))
}

/// The first lines of a stamp. What was made from one rustc's linkers is of no use to another.
fn stamp_for(active: &Active) -> String {
    format!("recipe {RECIPE}\n{}\n{}\n", active.version, active.sysroot.display())
}

fn fits(stamp: &str, active: &Active) -> bool {
    stamp.starts_with(&stamp_for(active))
}

/// The work itself, step by step, in a directory that is empty at first.
pub(crate) struct Recipe<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) active: &'a Active,
}

impl Recipe<'_> {
    fn follow(&self) -> Result<()> {
        let debian = step("downloading Debian's packages", || {
            fs::create_dir(self.dir.join("debs"))?;
            apt::download(&self.dir.join("debs"), &[])
        })?;
        step("unpacking them", || self.unpack())?;
        self.link_linkers()?;
        self.write_wrapper()?;
        step("building the standard library", || self.build_std())?;
        self.build_start_files()?;
        self.tidy()?;
        // Last, since it says that all of the above was done.
        let stamp = stamp_for(self.active) + &debian + "\n";
        fs::write(self.dir.join("stamp"), stamp).context("cannot write the stamp")
    }

    /// Unpacks all of `debs`.
    pub(crate) fn unpack(&self) -> Result<()> {
        for entry in fs::read_dir(self.dir.join("debs"))? {
            let deb = entry?.path();
            let name = deb.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("rust-web-src_") {
                let library = ["./usr/src/rustc-*/library", "./usr/lib/rustlib/src/*"];
                self.unpack_only(&deb, &library)?;
            } else if name.starts_with("qemu-user-static_") {
                self.unpack_only(&deb, &["./usr/bin/qemu-aarch64-static"])?;
            } else {
                output(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(self.dir))?;
            }
        }
        Ok(())
    }

    /// Of the compiler's source only the part that the standard library is made of, and of a
    /// hundred emulators one.
    fn unpack_only(&self, deb: &Path, wanted: &[&str]) -> Result<()> {
        let mut dpkg = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(deb)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run dpkg-deb")?;
        let stream = dpkg.stdout.take().context("dpkg-deb has no output")?;
        let tar = Command::new("tar")
            .args(["-x", "-C"])
            .arg(self.dir)
            .arg("--wildcards")
            .args(wanted)
            .stdin(stream)
            .status()
            .context("cannot run tar")?;
        ensure!(tar.success() && dpkg.wait()?.success(), "cannot unpack {}", deb.display());
        Ok(())
    }

    fn link_linkers(&self) -> Result<()> {
        let bin = Path::new("lib/rustlib").join(&self.active.host).join("bin");
        let (from, to) = (self.active.sysroot.join(&bin), self.dir.join("usr").join(&bin));
        fs::create_dir_all(to.join("gcc-ld"))?;
        for name in LINKERS {
            let linker = from.join(name);
            ensure!(
                linker.is_file(),
                "{} is missing: this needs a rustc from rustup, not from a distribution",
                linker.display()
            );
            symlink(&linker, to.join(name)).with_context(|| format!("cannot link {name}"))?;
        }
        Ok(())
    }

    /// Makes Debian's rustc run from where it was unpacked.
    pub(crate) fn write_wrapper(&self) -> Result<()> {
        let driver = Path::new("usr/lib").join(multiarch(&self.active.host));
        ensure!(
            self.dir.join(&driver).is_dir(),
            "Debian's rustc is not for {}: is rustup's?",
            self.active.host
        );
        let script = WRAPPER.replace("MULTIARCH", &multiarch(&self.active.host));
        fs::write(self.rustc(), script)?;
        fs::set_permissions(self.rustc(), fs::Permissions::from_mode(0o755))?;
        output(Command::new(self.rustc()).arg("-V")).context("Debian's rustc does not run")?;
        Ok(())
    }

    fn build_std(&self) -> Result<()> {
        let package = self.dir.join("build");
        fs::create_dir_all(package.join("src"))?;
        fs::write(package.join("src/lib.rs"), "#![no_std]\n")?;
        fs::write(
            package.join("Cargo.toml"),
            "[package]\nname = \"sysroot\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
             [workspace]\n[profile.release]\npanic = \"abort\"\n",
        )?;
        let source = self.dir.join("usr/lib/rustlib/src/rust");
        // Without bitcode a guest can't be linked with LTO.
        let flags =
            format!("-Cembed-bitcode=yes --remap-path-prefix={}=/rustc/debian", source.display());
        let toolchain = WasmToolchain::made_of(self.rustc());
        run(toolchain
            .cargo()
            .args(["build", "--quiet", "--release", "--target", TARGET])
            .arg("-Zbuild-std=std,panic_abort,proc_macro,test")
            .arg("--manifest-path")
            .arg(package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(package.join("target"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags))
        .context("the standard library's dependencies come from crates.io: is there a network?")?;
        let lib = self.lib();
        fs::create_dir_all(lib.join("self-contained"))?;
        for entry in fs::read_dir(package.join("target").join(TARGET).join("release/deps"))? {
            let rlib = entry?.path();
            let name = rlib.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".rlib") && !name.starts_with("libsysroot-") {
                fs::copy(&rlib, lib.join(name))?;
            }
        }
        Ok(())
    }

    /// wasi-libc, and the two objects that a program and a library start with.
    fn build_start_files(&self) -> Result<()> {
        let build = self.dir.join("build");
        let start = self.lib().join("self-contained");
        let wasi = self.dir.join("usr/lib/wasm32-wasi");
        for (name, source) in [("crt1", CRT1), ("stubs", STUBS)] {
            let path = build.join(name).with_extension("rs");
            fs::write(&path, source)?;
            let emit = format!("obj={}", build.join(name).with_extension("o").display());
            // It leaves a scratch file or two where it is run.
            run(Command::new(self.rustc())
                .current_dir(&build)
                .args(["--edition=2021", "--target", TARGET, "--crate-type=lib"])
                .args(["-O", "-Cpanic=abort", "-Ccodegen-units=1", "--emit"])
                .arg(emit)
                .arg(path))?;
        }
        fs::copy(wasi.join("libc.a"), start.join("libc.a"))?;
        let stubs = build.join("stubs.o");
        self.join(&[&build.join("crt1.o"), &stubs], &start.join("crt1-command.o"))?;
        self.join(&[&wasi.join("crt1-reactor.o"), &stubs], &start.join("crt1-reactor.o"))
    }

    /// Links objects into one.
    fn join(&self, objects: &[&Path], into: &Path) -> Result<()> {
        let bin = Path::new("usr/lib/rustlib").join(&self.active.host).join("bin");
        run(Command::new(self.dir.join(bin).join("rust-lld"))
            .args(["-flavor", "wasm", "-r"])
            .args(objects)
            .arg("-o")
            .arg(into))
    }

    /// Removes what was only needed to get here: more than half of it.
    fn tidy(&self) -> Result<()> {
        let rest = ["debs", "build", "etc", "usr/src", "usr/share", "usr/include", "usr/libexec"];
        for name in rest {
            let dir = self.dir.join(name);
            if dir.exists() {
                fs::remove_dir_all(&dir)
                    .with_context(|| format!("cannot remove {}", dir.display()))?;
            }
        }
        Ok(())
    }

    pub(crate) fn rustc(&self) -> PathBuf {
        self.dir.join("rustc")
    }

    fn lib(&self) -> PathBuf {
        self.dir.join("usr/lib/rustlib").join(TARGET).join("lib")
    }
}

/// Announces a step, does it, and says how long it took.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let mut stderr = std::io::stderr();
    say(format_args!("  {what} …"));
    let _ = stderr.flush();
    let done = work()?;
    say(format_args!("  {what}: {}", since(start)));
    Ok(done)
}

/// Debian's name of a rustc host: without the vendor.
pub(crate) fn multiarch(host: &str) -> String {
    let mut parts: Vec<_> = host.split('-').collect();
    if parts.len() == 4 {
        parts.remove(1);
    }
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(version: &str, sysroot: &str) -> Active {
        let about = format!("{version}\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n");
        Active::parse(&about, &format!("{sysroot}\n{sysroot}/lib\n")).unwrap()
    }

    #[test]
    fn a_stamp_fits_the_rustc_it_was_made_for() {
        let here = active("rustc 1.95.0 (59807616e 2026-04-14)", "/tc");
        let stamp = stamp_for(&here) + "rustc-web 1.96.0+dfsg1-1~deb12u2\n";
        assert!(fits(&stamp, &here));
        assert!(!fits(&stamp, &active("rustc 1.95.1 (59807616e 2026-05-14)", "/tc")));
        assert!(!fits(&stamp, &active("rustc 1.95.0 (59807616e 2026-04-14)", "/elsewhere")));
        assert!(!fits("", &here));
        assert!(!fits(&stamp.replacen("recipe ", "recipe 9", 1), &here));
    }

    #[test]
    fn hosts_have_a_name_in_debian() {
        assert_eq!(multiarch("x86_64-unknown-linux-gnu"), "x86_64-linux-gnu");
        assert_eq!(multiarch("aarch64-unknown-linux-gnu"), "aarch64-linux-gnu");
    }
}
