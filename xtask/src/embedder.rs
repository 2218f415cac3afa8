//! `cargo xtask embedder`: the packages that iommap adds to a program that has wasmtime and
//! wasmtime-wasi.

use crate::workspace::{cargo, output};
use anyhow::{Result, ensure};
use std::collections::BTreeSet;

/// The crate that is such a program. Its feature `iommap` adds iommap.
const EMBEDDER: &str = "iommap-embedder";

/// No more packages than this, iommap itself among them.
const MOST: usize = 5;

/// Prints what iommap adds, and fails if it is too much.
pub fn run() -> Result<()> {
    let (before, added) = count()?;
    println!("wasmtime and wasmtime-wasi: {before} packages; iommap adds {}:", added.len());
    for package in &added {
        println!("  {package}");
    }
    ensure!(added.len() <= MOST, "an embedder is to gain no more than {MOST} packages");
    Ok(())
}

/// How many packages there are without iommap, and which there are only with it.
fn count() -> Result<(usize, Vec<String>)> {
    let without = packages(&[])?;
    let with = packages(&["--features", "iommap"])?;
    let added = with.difference(&without).filter(|package| !package.starts_with(EMBEDDER));
    Ok((without.len() - 1, added.cloned().collect()))
}

/// The packages that are compiled into the embedder, as `name vVERSION`.
fn packages(features: &[&str]) -> Result<BTreeSet<String>> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--package", EMBEDDER, "--edges", "normal"]);
    tree.args(["--prefix", "none", "--format", "{p}"]).args(features);
    let name = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    Ok(output(&mut tree)?.lines().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_an_embedder_when_it_adds_iommap_then_it_gains_few_packages() {
        let (before, added) = count().unwrap();
        assert!(before > 20, "wasmtime alone has more than {before}");
        assert!(added.iter().any(|package| package.starts_with("iommap ")), "{added:?}");
        assert!(added.len() <= MOST, "{added:?}");
    }
}
