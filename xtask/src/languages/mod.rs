//! Guests that are not written in Rust.
//!
//! Each language has tools from the registry that its users install from, pinned by a lock file
//! in the folder of its sample guest: what a user needs, copied with the folder. They are
//! installed in the user's cache directory and nowhere else. Where a language's tools can't be
//! had, for want of Python, Node.js or a network, its guests are skipped and it is said why,
//! unless `IOMMAP_LANGUAGES=required` is set, as CI does.

mod c;
mod input;
mod javascript;
mod npm;
mod pypi;
mod python;

use crate::guests::Guest;
use crate::workspace::{cache_dir, root, say, since, target_dir};
use anyhow::{Context, Result, bail};
use input::Input;
use std::env;
use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

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

impl Language {
    /// All of them.
    pub const ALL: [Language; 3] = [Language::C, Language::JavaScript, Language::Python];

    /// Finds the tools that make components, or sets them up if `set_up` allows it.
    fn tools(self, set_up: SetUp) -> Result<Box<dyn Tools>> {
        Ok(match self {
            Language::C => Box::new(c::Zig::get(set_up)?),
            Language::JavaScript => Box::new(javascript::ComponentizeJs::get(set_up)?),
            Language::Python => Box::new(python::ComponentizePy::get(set_up)?),
        })
    }
}

impl Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Language::C => "C",
            Language::JavaScript => "JavaScript",
            Language::Python => "Python",
        })
    }
}

/// Whether tools that are missing may be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUp {
    /// They may.
    Allowed,
    /// They may not: build scripts download nothing.
    Forbidden,
}

/// What makes a component of a guest's sources.
trait Tools {
    /// Makes it. What comes in between goes to `work`, an empty directory.
    fn build(&self, source: &Source, work: &Path, component: &Path) -> Result<()>;

    /// What the tools are, as far as it isn't in the guest's own folder.
    fn inputs(&self) -> Vec<PathBuf>;
}

/// A guest's sources.
struct Source {
    /// What the component is named.
    name: &'static str,
    language: Language,
    /// Its folder, relative to the root of the clone.
    dir: &'static str,
    /// The module or file in it to begin with.
    main: &'static str,
    /// The directory of its WIT, relative to the root of the clone.
    wit: &'static str,
    world: &'static str,
}

impl Source {
    fn path(&self) -> PathBuf {
        root().join(self.dir)
    }

    fn wit(&self) -> PathBuf {
        root().join(self.wit)
    }

    /// Whether it only exports what its world says, and has no `main`.
    fn is_driver(&self) -> bool {
        self.wit == DRIVER_WIT
    }
}

/// The world of the guest that the tests command.
const DRIVER_WIT: &str = "tests/guests/driver/wit";

const SOURCES: [Source; 6] = [
    Source {
        name: "search-c",
        language: Language::C,
        dir: "guest-example/search-c",
        main: "src",
        wit: "guest-example/search-c/wit",
        world: "search",
    },
    Source {
        name: "logs",
        language: Language::JavaScript,
        dir: "guest-example/logs",
        main: "src/logs.js",
        wit: "guest-example/logs/wit",
        world: "logs",
    },
    Source {
        name: "records",
        language: Language::Python,
        dir: "guest-example/records",
        main: "app",
        wit: "guest-example/records/wit",
        world: "records",
    },
    Source {
        name: "driver-c",
        language: Language::C,
        dir: "tests/conformance/c",
        main: ".",
        wit: DRIVER_WIT,
        world: "driver",
    },
    Source {
        name: "driver-javascript",
        language: Language::JavaScript,
        dir: "tests/conformance/javascript",
        main: "driver.js",
        wit: DRIVER_WIT,
        world: "driver",
    },
    Source {
        name: "driver-python",
        language: Language::Python,
        dir: "tests/conformance/python",
        main: "app",
        wit: DRIVER_WIT,
        world: "driver",
    },
];

/// What came of all languages.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// The guests that were built.
    pub guests: Vec<Guest>,
    /// The languages whose guests were not, and why.
    pub skipped: Vec<(Language, String)>,
}

/// What a build script calls: downloads nothing, and builds what it can.
pub fn for_tests() -> Result<Built> {
    build_all(SetUp::Forbidden)
}

/// What guests are made of, as absolute paths: for `cargo:rerun-if-changed`. The set-up of the
/// tools is among them.
pub fn inputs() -> Result<Vec<PathBuf>> {
    let mut inputs = vec![root().join("tests/conformance"), root().join(c::COMPONENTIZE)];
    inputs.push(ready_dir()?);
    Ok(inputs)
}

/// Sets up the tools of every language, and tells of each whether they can be had.
pub fn set_up() -> [(Language, Result<()>); 3] {
    Language::ALL.map(|language| (language, language.tools(SetUp::Allowed).map(drop)))
}

/// Builds the guests of every language whose tools can be had.
pub fn build_all(set_up: SetUp) -> Result<Built> {
    let mut built = Built::default();
    for language in Language::ALL {
        match language.tools(set_up) {
            Ok(tools) => {
                for source in SOURCES.iter().filter(|source| source.language == language) {
                    let guest = build(source, &*tools)
                        .with_context(|| format!("{} was not built", source.dir))?;
                    built.guests.push(guest);
                }
            }
            Err(why) if env::var_os("IOMMAP_LANGUAGES").is_some_and(|v| v == "required") => {
                return Err(why.context(format!("{language} is required (IOMMAP_LANGUAGES)")));
            }
            Err(why) => {
                say(format_args!("skipped: the guests in {language}: {why:#}"));
                built.skipped.push((language, in_one_line(&why)));
            }
        }
    }
    built.guests.sort();
    Ok(built)
}

/// Builds a guest, unless what it is made of is what it was made of last time.
fn build(source: &Source, tools: &dyn Tools) -> Result<Guest> {
    let dir = target_dir().join("languages");
    let component = dir.join(format!("{}.wasm", source.name));
    let note = dir.join(format!("{}.input", source.name));
    let mut input = Input::default();
    input.add(&source.path())?;
    input.add(&source.wit())?;
    for path in tools.inputs() {
        input.add(&path)?;
    }
    let input = input.digest();
    if !component.exists() || fs::read_to_string(&note).ok().as_deref() != Some(&*input) {
        let start = Instant::now();
        let work = dir.join(format!("{}.work", source.name));
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
        // Beside it first: a build that is interrupted leaves nothing that looks whole.
        let made = work.join("component.wasm");
        tools.build(source, &work, &made)?;
        fs::rename(&made, &component)?;
        fs::write(&note, input)?;
        say(format_args!("{} is built ({})", source.dir, since(start)));
    }
    let size = component.metadata()?.len();
    Ok(Guest { name: source.name.to_owned(), path: component, size })
}

/// The directory that has an entry for each set of tools that is ready. It is small, so that
/// cargo can watch it.
fn ready_dir() -> Result<PathBuf> {
    let dir = cache_dir()?.join("languages/ready");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// Tools that were installed from a lock file: where they are. `install` fills a directory.
fn installed(
    name: &str,
    lock: &[PathBuf],
    set_up: SetUp,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut input = Input::default();
    for path in lock {
        input.add(path)?;
    }
    let name = format!("{name}-{}", &input.digest()[..16]);
    let home = cache_dir()?.join("languages").join(&name);
    if !crate::cache::is_made(&home) {
        if set_up == SetUp::Forbidden {
            bail!("its tools are not set up: `cargo xtask setup` does it");
        }
        let start = Instant::now();
        say(format_args!("setting up {}", home.display()));
        crate::cache::make_once(&home, install)?;
        say(format_args!("it is ready ({})", since(start)));
    }
    fs::write(ready_dir()?.join(name), "")?;
    Ok(home)
}

fn in_one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}
