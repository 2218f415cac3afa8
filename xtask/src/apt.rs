//! Debian's packages: which ones the toolchain is made of, and how to get them.
//!
//! They are only downloaded: nothing is installed, and no rights are needed but for
//! `apt-get update`.

use crate::workspace::{output, say};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Downloads the packages into a directory and returns the version of `rustc-web`.
pub(crate) fn download(into: &Path) -> Result<String> {
    let attempt = || -> Result<String> {
        let packages = packages()?;
        let mut apt = Command::new("apt-get");
        output(apt.args(["-q", "download"]).args(&packages).current_dir(into))?;
        candidate(&apt_cache(&["policy", "rustc-web"])?).context("apt forgot rustc-web")
    };
    // Lists that are missing or out of date are the usual reason for a failure.
    attempt().or_else(|first| {
        say(format_args!("  apt's lists seem to be out of date ({})", telling_line(&first)));
        say("  apt-get update");
        let updated = output(Command::new("apt-get").args(["-q", "update"]));
        attempt().with_context(|| match updated {
            Ok(_) => "Debian's packages can't be had: is there a network?".to_owned(),
            Err(e) => format!("run `apt-get update` as root ({})", telling_line(&e)),
        })
    })
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
    let closure = apt_cache(&[
        "depends",
        "--recurse",
        "--important",
        "--no-conflicts",
        "--no-breaks",
        "--no-replaces",
        &llvm,
    ])?;
    let installed =
        output(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Abbrev} ${Package}\n"]))?;
    packages.extend(not_installed(&closure, &installed));
    if !packages.contains(&llvm) {
        packages.push(llvm);
    }
    Ok(packages)
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
fn candidate(policy: &str) -> Option<String> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| format!("rustc-web {version}"))
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
        assert_eq!(candidate(policy).unwrap(), "rustc-web 1.96.0+dfsg1-1~deb12u2");
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
    fn apts_own_words_are_found() {
        let error = anyhow::anyhow!("`apt-get` failed: 100\nW: so what\nE: Unable to locate it\n");
        assert_eq!(telling_line(&error), "E: Unable to locate it");
        assert_eq!(telling_line(&anyhow::anyhow!("one\ntwo")), "one");
    }
}
