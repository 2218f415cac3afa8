//! What this host provides to components, and what a component needs beyond that.

use anyhow::{Result, bail};
use std::fmt::Write as _;
use std::path::Path;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// Every interface that `run.rs` puts into the linker.
const INTERFACES: [&str; 30] = [
    "iommap:mmap/batch@0.1.0",
    "iommap:mmap/types@0.1.0",
    "iommap:wasi/files@0.1.0",
    "wasi:cli/environment@0.2.12",
    "wasi:cli/exit@0.2.12",
    "wasi:cli/stderr@0.2.12",
    "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12",
    "wasi:cli/terminal-input@0.2.12",
    "wasi:cli/terminal-output@0.2.12",
    "wasi:cli/terminal-stderr@0.2.12",
    "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:filesystem/preopens@0.2.12",
    "wasi:filesystem/types@0.2.12",
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    "wasi:random/insecure-seed@0.2.12",
    "wasi:random/insecure@0.2.12",
    "wasi:random/random@0.2.12",
    "wasi:sockets/instance-network@0.2.12",
    "wasi:sockets/ip-name-lookup@0.2.12",
    "wasi:sockets/network@0.2.12",
    "wasi:sockets/tcp-create-socket@0.2.12",
    "wasi:sockets/tcp@0.2.12",
    "wasi:sockets/udp-create-socket@0.2.12",
    "wasi:sockets/udp@0.2.12",
];

/// What a component has to export to be run.
const RUN: &str = "wasi:cli/run@0.2.12";

/// An interface that a component imports.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) name: String,
    /// The interface that it gets, by this host's name for it.
    ours: Option<&'static str>,
}

impl Import {
    fn new(name: &str) -> Import {
        let ours = INTERFACES.into_iter().find(|ours| fits(ours, name));
        Import { name: name.to_owned(), ours }
    }

    pub(crate) fn is_provided(&self) -> bool {
        self.ours.is_some()
    }

    /// What else there is to say of it: the version that it gets, if it is not the one it names,
    /// or why there is none.
    pub(crate) fn note(&self) -> Option<String> {
        let Some(ours) = self.ours else { return self.hint() };
        let (_, version) = ours.split_once('@').filter(|_| ours != self.name)?;
        Some(format!("gets version {version}"))
    }

    /// Why it is not provided, as far as that can be told.
    fn hint(&self) -> Option<String> {
        let (path, version) = self.name.split_once('@')?;
        let ours = || INTERFACES.iter().filter_map(|name| name.split_once('@'));
        if let Some((_, version)) = ours().find(|(other, _)| *other == path) {
            return Some(format!("this host provides version {version}"));
        }
        let (package, _) = path.split_once('/')?;
        if package == "wasi:http" {
            return Some("this host has no HTTP, neither for servers nor for clients".to_owned());
        }
        if package.starts_with("wasi:") && version.starts_with("0.3.") {
            return Some("this host provides WASI 0.2: build it for wasm32-wasip2".to_owned());
        }
        ours()
            .any(|(other, _)| other.split_once('/').is_some_and(|(other, _)| other == package))
            .then(|| format!("this host knows no such interface in {package}"))
    }
}

/// What a component imports, sorted by name.
pub(crate) fn imports(component: &Component) -> Vec<Import> {
    let ty = component.component_type();
    let imports = ty.imports(component.engine());
    let mut imports: Vec<Import> = imports
        .filter(|(_, import)| asks_for_something(component, &import.ty))
        .map(|(name, _)| Import::new(name))
        .collect();
    imports.sort_by(|a, b| a.name.cmp(&b.name));
    imports
}

/// What a component exports.
pub(crate) fn exports(component: &Component) -> Vec<String> {
    let ty = component.component_type();
    ty.exports(component.engine()).map(|(name, _)| name.to_owned()).collect()
}

/// Is there something in a component that `iommap run` can start?
pub(crate) fn can_start(exports: &[String]) -> bool {
    exports.iter().any(|name| fits(RUN, name))
}

/// Refuses a component whose imports this host does not provide, and names all of them.
pub(crate) fn check_imports(path: &Path, component: &Component) -> Result<()> {
    let mut missing = imports(component);
    missing.retain(|import| !import.is_provided());
    if missing.is_empty() {
        return Ok(());
    }
    let mut list = String::new();
    for import in &missing {
        _ = write!(list, "\n  {}", import.name);
        if let Some(hint) = import.hint() {
            _ = write!(list, "  ({hint})");
        }
    }
    let [ours, descriptors, wasi] = ["iommap:mmap/", "iommap:wasi/", "wasi:cli/"].map(version_of);
    bail!(
        "{} needs what this host does not provide:{list}\n\
         It provides iommap:mmap {ours}, iommap:wasi {descriptors} and WASI {wasi} (the world \
         wasi:cli/command). Build the component against these, or compose it with one that exports what is missing, as \
         `wac plug` does",
        path.display()
    )
}

/// Refuses a component with nothing to start.
pub(crate) fn check_exports(path: &Path, component: &Component) -> Result<()> {
    let exports = exports(component);
    if can_start(&exports) {
        return Ok(());
    }
    let shown = path.display();
    let interface = RUN.split_once('@').map_or(RUN, |(name, _)| name);
    if let Some(other) = exports.iter().find(|name| name.split('@').next() == Some(interface)) {
        bail!("{shown} exports {other}, but this host runs {RUN}: build it for wasm32-wasip2");
    }
    let list = match exports.as_slice() {
        [] => "It exports nothing".to_owned(),
        some => format!("It exports {}", some.join(", ")),
    };
    bail!(
        "{shown} cannot be run, since it does not export {interface}. {list}: is it a library, or \
         a plugin for another host? A program has a `main` function and is built as a command"
    )
}

fn version_of(package: &str) -> &'static str {
    let name = INTERFACES.iter().find(|name| name.starts_with(package));
    name.and_then(|name| name.split_once('@')).map_or("", |(_, version)| version)
}

/// Does an import ask the host for anything, or does it only name types?
fn asks_for_something(component: &Component, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::Type(_) => false,
        ComponentItem::ComponentInstance(instance) => instance
            .exports(component.engine())
            .any(|(_, export)| asks_for_something(component, &export.ty)),
        _ => true,
    }
}

/// Is one name as good as another? Versions fit as wasmtime's linker has it: by the first of
/// their numbers that is not zero, and exactly if they are of a version to come (`-rc`) or 0.0.x.
fn fits(ours: &str, theirs: &str) -> bool {
    ours == theirs || track(ours).is_some_and(|track_of_ours| track(theirs) == Some(track_of_ours))
}

/// A name with what of its version counts.
fn track(name: &str) -> Option<(&str, [u64; 2])> {
    let (path, version) = name.split_once('@')?;
    let version = version.split_once('+').map_or(version, |(version, _)| version);
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    // Anything but three numbers, such as `1.0.0-rc`, fits itself only.
    let (major, minor, Some(_)) = (numbers.next()??, numbers.next()??, numbers.next()?) else {
        return None;
    };
    match (major, minor) {
        _ if numbers.next().is_some() => None,
        (0, 0) => None,
        (0, minor) => Some((path, [0, minor])),
        (major, _) => Some((path, [major, 0])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::Engine;
    use wasmtime::component::ResourceType;

    #[test]
    fn whatever_is_said_to_be_provided_is_in_the_linker() {
        let linker = crate::run::linker(&Engine::default()).unwrap();
        let is_defined = |name: &str| {
            // Only a name that is taken cannot be taken.
            let resource = ResourceType::host::<()>();
            linker.clone().root().resource(name, resource, |_, _| Ok(())).is_err()
        };
        for name in INTERFACES {
            assert!(is_defined(name), "{name}");
        }
        assert!(!is_defined("iommap:mmap/nonsense@0.1.0"));
    }

    #[test]
    fn versions_fit_as_in_wasmtimes_linker() {
        for (theirs, fit) in [
            ("a:b/c@0.2.12", true),
            ("a:b/c@0.2.0", true),
            ("a:b/c@0.2.99+build", true),
            ("a:b/c@0.3.0", false),
            ("a:b/c@1.2.0", false),
            ("a:b/c@0.2.0-rc-2023-10-25", false),
            ("a:b/c@0.2", false),
            ("a:b/c", false),
            ("a:b/d@0.2.12", false),
            ("a:b/c@", false),
            ("a:b/c@0.2.1.1", false),
        ] {
            assert_eq!(fits("a:b/c@0.2.12", theirs), fit, "{theirs}");
        }
        assert!(fits("a:b/c@1.0.0", "a:b/c@1.9.9") && fits("x", "x"));
        assert!(!fits("a:b/c@0.0.1", "a:b/c@0.0.2") && !fits("x", "y"));
    }

    #[test]
    fn an_import_that_is_missing_is_explained() {
        let hint = |name: &str| Import::new(name).hint().unwrap_or_default();
        assert!(hint("iommap:mmap/types@0.2.0").contains("provides version 0.1.0"));
        assert!(hint("iommap:mmap/nonsense@0.1.0").contains("no such interface in iommap:mmap"));
        assert!(hint("wasi:http/types@0.2.3").contains("HTTP"));
        assert!(hint("wasi:cli/run@0.3.0").contains("wasm32-wasip2"));
        assert_eq!(hint("acme:db/query@1.0.0"), "");
        assert_eq!(hint("f"), "");
    }

    #[test]
    fn an_import_that_gets_another_version_says_so() {
        let note = |name: &str| Import::new(name).note();
        assert_eq!(note("wasi:cli/exit@0.2.0").as_deref(), Some("gets version 0.2.12"));
        assert_eq!(note("wasi:cli/exit@0.2.12"), None);
        assert!(note("wasi:cli/exit@0.3.0").is_some_and(|note| note.contains("version 0.2.12")));
    }
}
