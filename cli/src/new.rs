//! `iommap new`: the beginning of a guest of one's own.

use crate::terminal;
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a guest is begun in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// A program in Rust.
    Rust,
    /// A program in C.
    C,
    /// A program in JavaScript.
    #[value(name = "js")]
    JavaScript,
    /// A program in Python.
    Python,
    /// A component in Rust with a function of its own, and the host that calls it.
    Plugin,
}

/// Makes a folder and says what to do in it.
pub(crate) fn new(template: Template, dir: &Path) -> Result<u8> {
    let shown = dir.display();
    template.make(dir).with_context(|| format!("cannot make {shown}"))?;
    let mut text =
        format!("{shown} is made: its README.md says what is what. To build and run it:\n");
    _ = writeln!(text, "\n  cd {shown}");
    let readme = fs::read_to_string(dir.join("README.md"))?;
    for command in commands(&readme) {
        _ = writeln!(text, "  {command}");
    }
    terminal::print(text)?;
    Ok(0)
}

/// The lines of a README's first block of commands.
fn commands(readme: &str) -> impl Iterator<Item = &str> {
    let block = readme.lines().skip_while(|line| *line != "```sh").skip(1);
    block.take_while(|line| *line != "```")
}

/// A file's path, and what is in it.
type File = (&'static str, &'static str);

/// A file whose name in the folder `templates` is its own, but for those that would mean something
/// to cargo there.
macro_rules! files {
    ($dir:literal: $($path:literal $(from $source:literal)?,)*) => {
        &[$(($path, files!(@ $dir, $path $(, $source)?)),)*]
    };
    (@ $dir:literal, $path:literal) => { include_str!(concat!("../templates/", $dir, "/", $path)) };
    (@ $dir:literal, $path:literal, $source:literal) => {
        include_str!(concat!("../templates/", $dir, "/", $source))
    };
}

impl Template {
    fn files(self) -> &'static [File] {
        match self {
            Template::Rust => files! { "rust":
                "README.md",
                ".gitignore" from "../gitignore",
                "Cargo.toml" from "Cargo.toml.in",
                ".cargo/config.toml" from "cargo-config.toml",
                "src/main.rs",
            },
            Template::C => files! { "c":
                "README.md",
                ".gitignore" from "../gitignore",
                "requirements.txt",
                "src/main.c",
                "componentize/Cargo.toml" from "componentize/Cargo.toml.in",
                "componentize/src/main.rs",
                "wit/app.wit",
                "wit/deps/mmap/iommap.wit" from "../iommap.wit",
            },
            Template::JavaScript => files! { "js":
                "README.md",
                ".gitignore" from "../gitignore",
                "package.json",
                "build.mjs",
                "src/app.js",
                "wit/app.wit",
                "wit/deps/mmap/iommap.wit" from "../iommap.wit",
            },
            Template::Python => files! { "python":
                "README.md",
                ".gitignore" from "../gitignore",
                "requirements.txt",
                "app.py",
                "wit/app.wit",
                "wit/deps/mmap/iommap.wit" from "../iommap.wit",
            },
            Template::Plugin => files! { "plugin":
                "README.md",
                ".gitignore" from "../gitignore",
                "wit/plugin.wit",
                "guest/Cargo.toml" from "guest/Cargo.toml.in",
                "guest/src/lib.rs",
                "host/Cargo.toml" from "host/Cargo.toml.in",
                "host/src/main.rs",
                "host/src/state.rs",
            },
        }
    }

    /// Makes a folder of it, which must not exist or be empty, and returns the files' paths in it.
    fn make(self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "it is there and not empty: name a new folder",
            ));
        }
        fs::create_dir_all(dir)?;
        let name = package_name(&dir.canonicalize()?);
        let mut made = Vec::new();
        for (path, content) in self.files() {
            let file = dir.join(path);
            fs::create_dir_all(file.parent().unwrap_or(dir))?;
            fs::write(&file, filled(content, &name))?;
            made.push(PathBuf::from(path));
        }
        Ok(made)
    }
}

/// A template with its blanks filled in.
fn filled(content: &str, name: &str) -> String {
    content
        .replace("{{name}}", name)
        .replace("{{iommap-guest}}", &dependency("guest", ""))
        .replace("{{iommap}}", &dependency("host", r#", features = ["async"]"#))
}

/// Where a crate of ours comes from: the clone that this program was built in, as long as it is
/// there, or else crates.io.
fn dependency(folder: &str, more: &str) -> String {
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    match clone.canonicalize() {
        Ok(path) if path.join("Cargo.toml").is_file() => format!("{{ path = {path:?}{more} }}"),
        _ => format!("{{ version = {:?}{more} }}", env!("CARGO_PKG_VERSION")),
    }
}

/// The folder's name, as far as cargo and npm take it for a package's.
fn package_name(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = name.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let name = name.trim_matches(['-', '_']);
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && name != "test" {
        name.to_owned()
    } else {
        format!("guest-{name}").trim_end_matches('-').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_made_whole_and_once() {
        let dir = tempfile::tempdir().unwrap();
        for template in Template::value_variants() {
            let folder = dir.path().join(format!("{template:?}"));
            let made = template.make(&folder).unwrap();
            let readme = fs::read_to_string(folder.join("README.md")).unwrap();
            assert!(commands(&readme).count() > 1, "{template:?}");
            for path in made {
                let text = fs::read_to_string(folder.join(&path)).unwrap();
                for blank in ["{{name}}", "{{iommap}}", "{{iommap-guest}}"] {
                    assert!(!text.contains(blank), "{}", path.display());
                }
            }
            let again = template.make(&folder).unwrap_err();
            assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        }
    }

    #[test]
    fn any_folder_gives_a_name_for_a_package() {
        for (folder, name) in [
            ("/a/my-guest", "my-guest"),
            ("/a/My Guest", "my-guest"),
            ("/a/2026", "guest-2026"),
            ("/a/ż", "guest"),
            ("/", "guest"),
            ("/a/test", "guest-test"),
        ] {
            assert_eq!(package_name(Path::new(folder)), name, "{folder}");
        }
    }
}
