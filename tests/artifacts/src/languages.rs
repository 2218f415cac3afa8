//! Guests that are not written in Rust.
//!
//! Each language has tools from the registry that its users install from, pinned by a lock file in
//! the folder of its sample: what a user needs, copied with the folder. Where they can't be had, for
//! want of Python, Node.js or a network, its guests are skipped, and it is said why; with
//! `IOMMAP_LANGUAGES=required` that is an error.

use crate::tools::{SetUp, content, installed, npm, pip};
use crate::{Guest, cache_dir, cargo_build, mapped, root, sqlite, target_dir};
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xshell::{Shell, cmd};

/// A language that guests are written in, beside Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// By zig, wit-bindgen and wit-component.
    C,
    /// By componentize-js.
    JavaScript,
    /// By componentize-py.
    Python,
}

/// A guest's sources.
struct Source {
    name: &'static str,
    language: Language,
    /// Its folder, relative to the root of the clone.
    dir: &'static str,
    /// The module or file in it to begin with.
    main: &'static str,
    /// Its world, or that of the guest which the tests command.
    world: &'static str,
}

const SOURCES: [Source; 6] = {
    use Language::{C, JavaScript, Python};
    const fn source(
        language: Language,
        name: &'static str,
        dir: &'static str,
        main: &'static str,
        world: &'static str,
    ) -> Source {
        Source { name, language, dir, main, world }
    }
    [
        source(C, "search-c", "guest-example/search-c", "src", "search"),
        source(C, "driver-c", "tests/conformance/c", ".", "driver"),
        source(JavaScript, "logs", "guest-example/logs", "src/logs.js", "logs"),
        source(
            JavaScript,
            "driver-javascript",
            "tests/conformance/javascript",
            "driver.js",
            "driver",
        ),
        source(Python, "records", "guest-example/records", "app", "records"),
        source(Python, "driver-python", "tests/conformance/python", "app", "driver"),
    ]
};

impl Source {
    fn wit(&self) -> PathBuf {
        let driver = "tests/guests/driver";
        root().join(if self.world == "driver" { driver } else { self.dir }).join("wit")
    }
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 3] = [Language::C, Language::JavaScript, Language::Python];

    /// The language of a guest, unless it is Rust.
    pub fn of(guest: &str) -> Option<Language> {
        let source = SOURCES.iter().find(|source| source.name == guest);
        let c = mapped::PROGRAMS.contains(&guest) || guest == sqlite::NAME;
        source.map(|source| source.language).or(c.then_some(Language::C))
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Language::C => "C",
            Language::JavaScript => "JavaScript",
            Language::Python => "Python",
        }
    }

    /// Finds the tools, or sets them up if that is allowed, and returns where they are.
    ///
    /// # Errors
    ///
    /// They can not be had here: it says why.
    pub fn tools(self, set_up: SetUp) -> Result<PathBuf> {
        let files = |dir: &str, names: &[&str]| -> Vec<String> {
            names.iter().map(|name| format!("guest-example/{dir}/{name}")).collect()
        };
        match self {
            Language::C => {
                let lock = files("search-c", &["requirements.txt"]);
                installed("ziglang", &lock, set_up, pip)
            }
            Language::Python => {
                let lock = files("records", &["requirements.txt"]);
                installed("componentize-py", &lock, set_up, pip)
            }
            Language::JavaScript => {
                let names = ["package.json", "package-lock.json", ".npmrc", "build.mjs"];
                let lock = files("logs", &names);
                let sh = Shell::new()?;
                let node = cmd!(sh, "node --version").quiet().ignore_stdout().ignore_stderr();
                node.run().context("Node.js 20 or later is needed")?;
                installed("componentize-js", &lock, set_up, npm)
            }
        }
    }
}

fn components() -> PathBuf {
    target_dir().join("languages")
}

/// What came of all languages.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// The guests that were built.
    pub guests: Vec<Guest>,
    /// The languages whose guests were not, and why.
    pub skipped: Vec<(Language, String)>,
    /// Guests whose own sources can't be had here, and why.
    pub missing: Vec<(&'static str, String)>,
}

impl Others {
    /// A guest, or why its language was skipped.
    pub(crate) fn guest(&self, language: Language, name: &str) -> Result<PathBuf, String> {
        let skipped = self.skipped.iter().find(|(skipped, _)| *skipped == language);
        let built = self.guests.iter().find(|guest| guest.name == name);
        let missing = self.missing.iter().find(|(missing, _)| *missing == name);
        let why = skipped.map(|(_, why)| why).or(missing.map(|(_, why)| why));
        let why = || why.cloned().unwrap_or_default();
        built.map(|guest| guest.path.clone()).ok_or_else(why)
    }
}

/// Builds the guests of every language whose tools can be had.
///
/// # Errors
///
/// A guest does not compile, or a language is required.
pub fn build_others(set_up: SetUp) -> Result<Others> {
    fs::create_dir_all(components())?;
    // One run builds, others wait and find it done.
    let lock = fs::File::create(components().join("lock"))?;
    lock.lock()?;
    let mut others = Others::default();
    for language in Language::ALL {
        match language.tools(set_up) {
            Ok(tools) => {
                for source in SOURCES.iter().filter(|source| source.language == language) {
                    let path = build(source, &tools)
                        .with_context(|| format!("{} was not built", source.dir))?;
                    others.guests.push(Guest { name: source.name.to_owned(), path });
                }
                if language == Language::C {
                    mapped::build(&tools, set_up, &mut others)?;
                    sqlite::build(&tools, set_up, &mut others)?;
                }
            }
            Err(why) if env::var_os("IOMMAP_LANGUAGES").is_some_and(|v| v == "required") => {
                bail!("{} is required (IOMMAP_LANGUAGES): {why:#}", language.name());
            }
            Err(why) => {
                others.skipped.push((language, one_line(&why)));
            }
        }
    }
    Ok(others)
}

/// Why something failed, in a line.
pub(crate) fn one_line(why: &anyhow::Error) -> String {
    format!("{why:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn build(source: &Source, tools: &Path) -> Result<PathBuf> {
    let made_of = [root().join(source.dir), source.wit(), root().join(COMPONENTIZE_C)];
    made(source.name, &made_of, tools, |work, new| match source.language {
        Language::C => c(source, tools, work, new),
        Language::JavaScript => javascript(source, tools, work, new),
        Language::Python => python(source, tools, work, new),
    })
}

/// Has a guest made, unless what it is made of is what it was made of last time. `make` is given an
/// empty directory, and where the component is to be.
pub(crate) fn made(
    name: &str,
    made_of: &[PathBuf],
    tools: &Path,
    make: impl FnOnce(&Path, &Path) -> Result<()>,
) -> Result<PathBuf> {
    let made = |extension: &str| components().join(name).with_extension(extension);
    let (component, note, work) = (made("wasm"), made("input"), made("work"));
    let input = format!("{} {}", content(made_of)?, tools.display());
    if component.exists() && fs::read_to_string(&note).is_ok_and(|last| last == input) {
        return Ok(component);
    }
    eprintln!("building {name}");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work)?;
    // Beside it first: a build that is interrupted leaves nothing that looks whole.
    let new = work.join("component.wasm");
    make(&work, &new)?;
    fs::rename(&new, &component)?;
    fs::write(&note, input)?;
    Ok(component)
}

/// Makes components of C: a workspace of its own, relative to the root of the clone.
pub(crate) const COMPONENTIZE_C: &str = "guest-example/search-c/componentize";

pub(crate) fn componentize_c() -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root().join(COMPONENTIZE_C)).args(["build", "--locked"]);
    let built = cargo_build(cargo.env("CARGO_TARGET_DIR", components().join("componentize-c")))?;
    let tool = built.into_iter().find_map(|artifact| artifact.executable);
    Ok(tool.context("cargo built no componentize-c")?.into())
}

/// A shell whose zig keeps the C library that it compiles the first time.
pub(crate) fn zig_shell() -> Result<Shell> {
    let sh = Shell::new()?;
    let kept = cache_dir()?.join("languages/zig");
    sh.set_var("ZIG_GLOBAL_CACHE_DIR", &kept);
    sh.set_var("ZIG_LOCAL_CACHE_DIR", kept.join("local"));
    Ok(sh)
}

/// The sources in C in a directory.
pub(crate) fn c_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Shell::new()?.read_dir(dir)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    Ok(files)
}

fn c(source: &Source, tools: &Path, work: &Path, component: &Path) -> Result<()> {
    let (tool, sh) = (componentize_c()?, zig_shell()?);
    let files = c_files(&root().join(source.dir).join(source.main))?;
    let (wit, world, zig) = (source.wit(), source.world, tools.join("ziglang/zig"));
    let reactor = (world == "driver").then_some("--reactor");
    let command =
        cmd!(sh, "{tool} --wit {wit} --world {world} --work {work} --zig {zig} {reactor...}");
    Ok(command.arg("-o").arg(component).args(files).quiet().run()?)
}

fn javascript(source: &Source, tools: &Path, work: &Path, component: &Path) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(work);
    // The script is the copy beside the packages, or it would not find them.
    let (script, main) = (tools.join("build.mjs"), root().join(source.dir).join(source.main));
    let (wit, world) = (source.wit(), source.world);
    let command = cmd!(sh, "node {script} {main} {wit} {world} {component}");
    Ok(command.quiet().ignore_stdout().run()?)
}

fn python(source: &Source, tools: &Path, work: &Path, component: &Path) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(work);
    // This machine's own packages would become part of the guest.
    sh.create_dir("environment/lib/python3/site-packages")?;
    sh.set_var("VIRTUAL_ENV", work.join("environment"));
    sh.set_var("PYTHONPATH", tools);
    let (dir, wit, world, main) =
        (root().join(source.dir), source.wit(), source.world, source.main);
    let tool = tools.join("bin/componentize-py");
    let command = cmd!(sh, "python3 {tool} --quiet --wit-path {wit} --world {world}");
    let command = command.args(["componentize", main, "--python-path"]).arg(dir);
    Ok(command.arg("--output").arg(component).quiet().ignore_stdout().run()?)
}
