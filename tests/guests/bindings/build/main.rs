//! Generates the bindings of `iommap-guest`, and fails if those that it ships are others.
//!
//! After a change of the WIT, `IOMMAP_WRITE=1 cargo build -p bindings` in `tests/guests` writes them.

mod interface;
mod section;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{env, fs};
use wit_parser::{Resolve, WorldItem};

/// The worlds, each with the feature that it takes. What is in one isn't written again for the next.
const WORLDS: [(&str, Option<&str>); 7] = [
    ("iommap:mmap/imports", None),
    ("iommap:mmap/atomics-imports", Some("atomics")),
    ("iommap:mmap/changes-imports", Some("changes")),
    ("iommap:mmap/locks-imports", Some("locks")),
    ("iommap:mmap/storage-imports", Some("storage")),
    ("iommap:mmap/windows-imports", Some("windows")),
    ("iommap:wasi/imports", Some("wasi")),
];

fn main() {
    println!("cargo:rerun-if-env-changed=IOMMAP_WRITE");
    let mut resolve = Resolve::default();
    let packages = ["wit", "wit/wasi"].map(|dir| resolve.push_path(path(dir)).expect("WIT").0);
    let mut interfaces = "use super::{List, Optional, Reply};\n\n".to_string();
    let (mut sections, mut seen) = (String::new(), HashSet::new());
    for (name, feature) in WORLDS {
        let world = resolve.select_world(&packages, Some(name)).expect("a world");
        let condition = feature.map(|feature| format!("#[cfg(feature = \"{feature}\")]\n"));
        let condition = condition.unwrap_or_default();
        for item in resolve.worlds[world].imports.values() {
            let WorldItem::Interface { id, .. } = item else {
                panic!("{name} has only interfaces")
            };
            let package = resolve.interfaces[*id].package.expect("a package");
            // Those of WASI are bound by `wasip2`.
            if resolve.packages[package].name.namespace == "iommap" && seen.insert(*id) {
                interfaces += &condition;
                interfaces += &interface::module(&resolve, *id);
            }
        }
        sections += &condition;
        sections += &section::section(&resolve, world, feature.unwrap_or("imports"));
    }
    sections += section::KEEP;
    hold("interfaces.rs", &interfaces);
    hold("sections.rs", &sections);
}

/// A path in the repository, whose changes run this again.
fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join(name);
    println!("cargo:rerun-if-changed={}", path.display());
    path
}

fn hold(name: &str, generated: &str) {
    let generated =
        format!("// Made of `wit/` by `tests/guests/bindings`. DO NOT EDIT!\n\n{generated}");
    let file = path("guest/src/sys/component/bindings").join(name);
    if env::var_os("IOMMAP_WRITE").is_some() {
        fs::write(&file, &generated).expect("the bindings are written");
    }
    let shipped = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        shipped == generated,
        "{} is not what is made of wit/: `IOMMAP_WRITE=1 cargo build -p bindings` in tests/guests \
         writes it",
        file.display()
    );
}
