//! Debian's packages: which ones the toolchain is made of, and how to get them.
//!
//! They are only downloaded: nothing is installed, and no rights are needed but for
//! `apt-get update`.

use crate::workspace::{output, say};
use anyhow::{Context, Result};
use std::fmt;
use std::path::Path;
use std::process::Command;

/// Packages can't be had here, and that is nobody's fault: no Debian, or one that lacks them.
#[derive(Debug)]
pub(crate) struct Unavailable(pub(crate) String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// Downloads the packages into a directory and returns the version of `rustc-web`. `also` are
/// tools to bring along, with what they are made of.
///
/// # Errors
///
/// [`Unavailable`] where apt knows none of that name.
pub(crate) fn download(into: &Path, also: &[&str]) -> Result<String> {
    try_twice(&[&["rustc-web", "wasi-libc"], also].concat(), || {
        let mut packages = packages()?;
        packages.extend(parts_of(also)?);
        fetch(into, packages)?;
        let version = candidate(&apt_cache(&["policy", "rustc-web"])?).map(str::to_owned);
        Ok(format!("rustc-web {}", version.context("apt forgot rustc-web")?))
    })
}

/// Downloads tools for another processor into a directory, with what they are made of.
///
/// # Errors
///
/// As for [`download`].
pub(crate) fn download_tools(into: &Path, tools: &[&str]) -> Result<()> {
    try_twice(tools, || fetch(into, parts_of(tools)?))
}

/// Downloads the package of a program, and the libraries that it needs and this machine lacks.
pub(crate) fn download_program(into: &Path, name: &str) -> Result<()> {
    try_twice(&[name], || {
        let mut packages = not_installed(&closure(&[name])?, &installed()?);
        packages.push(name.to_owned());
        fetch(into, packages)
    })
}

/// Lists that are missing or out of date are the usual reason for a failure.
fn try_twice<T>(wanted: &[&str], attempt: impl Fn() -> Result<T>) -> Result<T> {
    attempt().or_else(|first| {
        say(format_args!("  apt's lists seem to be out of date ({})", telling_line(&first)));
        say("  apt-get update");
        // Without this, a server that does not answer is a warning, and its packages unheard of.
        let strictly = ["-o", "APT::Update::Error-Mode=any", "update"];
        let updated = output(apt_get().args(strictly));
        attempt().map_err(|second| match (updated, unknown(wanted)) {
            (Err(e), _) => {
                let why = telling_line(&e);
                second.context(format!(
                    "`apt-get update` fails: are you root, and is there a network? ({why})"
                ))
            }
            (Ok(_), Some(name)) => {
                Unavailable(format!("apt knows no {name}: it comes with Debian 12 (security)"))
                    .into()
            }
            (Ok(_), None) => second.context("Debian's packages can't be had: is there a network?"),
        })
    })
}

/// A server that doesn't answer is asked again before that counts.
fn apt_get() -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(["-q", "-o", "Acquire::Retries=3"]);
    apt
}

fn fetch(into: &Path, mut packages: Vec<String>) -> Result<()> {
    packages.sort();
    packages.dedup();
    output(apt_get().arg("download").args(&packages).current_dir(into)).map(drop)
}

/// The first of these that apt has no version of.
fn unknown<'a>(packages: &[&'a str]) -> Option<&'a str> {
    let known = |name| apt_cache(&["policy", name]).is_ok_and(|said| candidate(&said).is_some());
    packages.iter().copied().find(|name| !known(name))
}

fn apt_cache(args: &[&str]) -> Result<String> {
    // Without a language of its own it says `Depends:` and not `Hängt ab von:`.
    output(Command::new("apt-cache").args(args).env("LC_ALL", "C"))
}

/// The packages to download, by name.
fn packages() -> Result<Vec<String>> {
    let missing = |name: &str| format!("apt knows no {name}: it comes with Debian 12 (security)");
    let libstd = depends(&apt_cache(&["depends", "libstd-rust-web-dev"])?)
        .find(|name| name.starts_with("libstd-rust-web-"))
        .with_context(|| missing("libstd-rust-web-dev"))?
        .to_owned();
    let llvm = depends(&apt_cache(&["depends", "rust-web-llvm"])?)
        .find_map(|name| Some(format!("libllvm{}", name.strip_prefix("llvm-")?)))
        .with_context(|| missing("rust-web-llvm"))?;
    let mut packages = ["rustc-web", "libstd-rust-web-dev", "rust-web-src", "wasi-libc"]
        .map(String::from)
        .to_vec();
    packages.push(libstd);
    // Of what LLVM needs, a small machine may have only a part.
    packages.extend(not_installed(&closure(&[&llvm])?, &installed()?));
    if !packages.contains(&llvm) {
        packages.push(llvm);
    }
    Ok(packages)
}

/// The packages that a tool for another processor is made of: its own, installed here or not, so
/// that it is complete where it is unpacked, and the libraries that this machine lacks.
fn parts_of(tools: &[&str]) -> Result<Vec<String>> {
    if tools.is_empty() {
        return Ok(Vec::new());
    }
    let closure = closure(tools)?;
    let own = closure.lines().filter(|name| is_for_another(name)).map(str::to_owned);
    Ok(own.chain(not_installed(&closure, &installed()?)).collect())
}

fn is_for_another(package: &str) -> bool {
    const ENDS: [&str; 4] =
        ["-aarch64-linux-gnu", "-arm64-cross", "-i686-linux-gnu", "-i386-cross"];
    !package.starts_with([' ', '<'])
        && (ENDS.iter().any(|end| package.ends_with(end)) || package == "qemu-user-static")
}

/// All that packages depend on, as `apt-cache` lists it.
fn closure(packages: &[&str]) -> Result<String> {
    let how =
        ["depends", "--recurse", "--important", "--no-conflicts", "--no-breaks", "--no-replaces"];
    apt_cache(&[&how[..], packages].concat())
}

/// All packages of this machine, as `dpkg-query` lists them.
fn installed() -> Result<String> {
    output(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Abbrev} ${Package}\n"]))
}

/// The names in the `Depends:` lines of `apt-cache depends`.
fn depends(listing: &str) -> impl Iterator<Item = &str> {
    listing.lines().filter_map(|line| line.trim_start().strip_prefix("Depends: "))
}

/// The libraries of a recursive `apt-cache depends` that `dpkg-query` does not list as installed.
fn not_installed(closure: &str, installed: &str) -> Vec<String> {
    let has = |name: &str| {
        installed.lines().any(|line| line.strip_prefix("ii").is_some_and(|n| n.trim() == name))
    };
    let is_library = |name: &str| name.starts_with("lib") || name.starts_with("zlib");
    closure.lines().filter(|line| is_library(line) && !has(line)).map(str::to_owned).collect()
}

/// The candidate version in what `apt-cache policy` prints.
fn candidate(policy: &str) -> Option<&str> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then_some(version)
}

/// The line of an error that says most: apt's own, if there is one.
fn telling_line(error: &anyhow::Error) -> String {
    let text = error.to_string();
    let telling = text.lines().find(|line| line.starts_with("E: ")).or(text.lines().next());
    telling.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_is_understood() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n";
        assert_eq!(candidate(policy).unwrap(), "1.96.0+dfsg1-1~deb12u2");
        assert_eq!(candidate("rustc-web:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(candidate(""), None);

        let listing =
            "libstd-rust-web-dev\n  Depends: libstd-rust-web-1.96\n  Conflicts: <rustup>\n";
        assert_eq!(depends(listing).collect::<Vec<_>>(), ["libstd-rust-web-1.96"]);
    }

    #[test]
    fn only_libraries_that_are_missing_are_fetched() {
        let closure = "libllvm22\n  Depends: libc6\n  Depends: libz3-4\nlibc6\nlibz3-4\n\
                       zlib1g\ngcc-12-base\n<libfoo>\n";
        let installed = "ii  libc6\nrc  libz3-4\nii  zlib1g\n";
        assert_eq!(not_installed(closure, installed), ["libllvm22", "libz3-4"]);
    }

    #[test]
    fn tools_for_another_processor_are_told_from_what_they_share() {
        for own in [
            "gcc-12-aarch64-linux-gnu",
            "libc6-dev-arm64-cross",
            "qemu-user-static",
            "binutils-i686-linux-gnu",
            "libgcc-s1-i386-cross",
        ] {
            assert!(is_for_another(own), "{own}");
        }
        for other in ["libc6", "  Depends: libc6-arm64-cross", "<x-arm64-cross>", "gcc-12-base"] {
            assert!(!is_for_another(other), "{other}");
        }
    }

    #[test]
    fn apts_own_words_are_found() {
        let error = anyhow::anyhow!("`apt-get` failed: 100\nW: so what\nE: Unable to locate it\n");
        assert_eq!(telling_line(&error), "E: Unable to locate it");
        assert_eq!(telling_line(&anyhow::anyhow!("one\ntwo")), "one");
    }
}
