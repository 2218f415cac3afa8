//! Generates the bindings of `iommap-guest`, and fails if those that it ships are others.
//!
//! After a change of the WIT, or with another version of wit-bindgen, `IOMMAP_WRITE=1 cargo build
//! -p bindings` in `tests/guests` writes them.

use std::path::{Path, PathBuf};
use std::{env, fs};
use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};
use wit_bindgen_rust::{Opts, WithOption};

fn main() {
    println!("cargo:rerun-if-env-changed=IOMMAP_WRITE");
    hold("mmap.rs", &generate(&["wit"], "imports", opts("iommap-guest")));

    let types = ("iommap:mmap/types@0.1.0", "super::mmap::iommap::mmap::types");
    let batch = ("iommap:mmap/batch@0.1.0", "super::mmap::iommap::mmap::batch");
    let opts = opts_with("iommap-guest-windows", &[types, batch]);
    hold("windows.rs", &generate(&["wit"], "windows-imports", opts));

    let opts = opts_with("iommap-guest-locks", &[types, batch]);
    hold("locks.rs", &generate(&["wit"], "locks-imports", opts));

    let opts = opts_with("iommap-guest-storage", &[types, batch]);
    hold("storage.rs", &generate(&["wit"], "storage-imports", opts));
    let opts = opts_with("iommap-guest-changes", &[types, batch]);
    hold("changes.rs", &generate(&["wit"], "changes-imports", opts));

    let opts = opts_with("iommap-guest-atomics", &[types, batch]);
    hold("atomics.rs", &generate(&["wit"], "atomics-imports", opts));

    let descriptors = ("wasi:filesystem/types@0.2.1", "wasip2::filesystem::types");
    let opts = opts_with("iommap-guest-wasi", &[types, descriptors]);
    hold("wasi.rs", &generate(&["wit", "wit/wasi"], "iommap:wasi/imports", opts));
}

/// A path in the repository, whose changes run this again.
fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join(name);
    println!("cargo:rerun-if-changed={}", path.display());
    path
}

/// What all have in common.
fn opts(suffix: &str) -> Opts {
    // A user's own bindings of the same world get a section of their own.
    let type_section_suffix = Some(suffix.into());
    // They are called by hand, in `imports.rs`.
    let skip = ["[method]mapping.pread", "pread-many", "pwrite-many", "read-up-to", "read-strict"];
    let skip = skip.map(Into::into).into();
    Opts { format: true, type_section_suffix, skip, ..Opts::default() }
}

/// With interfaces that are bound elsewhere.
fn opts_with(suffix: &str, with: &[(&str, &str)]) -> Opts {
    let with = with.iter().map(|&(name, path)| (name.into(), WithOption::Path(path.into())));
    Opts { with: with.collect(), ..opts(suffix) }
}

/// What is generated for a world, from the WIT in these directories.
fn generate(wit: &[&str], world: &str, opts: Opts) -> String {
    let mut resolve = Resolve::default();
    let packages = wit.iter().map(|dir| resolve.push_path(path(dir)).expect("WIT").0);
    let package = packages.last().expect("a package");
    let world = resolve.select_world(&[package], Some(world)).expect("a world");
    let mut files = Files::default();
    opts.build().generate(&mut resolve, world, &mut files).expect("bindings");
    let (_, source) = files.iter().next().expect("a file");
    let source = std::str::from_utf8(source).expect("text");
    // The documentation is in the WIT. Without it, a word there is no change here.
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("///"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn hold(name: &str, generated: &str) {
    let file = path("guest/src/sys/component/bindings").join(name);
    if env::var_os("IOMMAP_WRITE").is_some() {
        fs::write(&file, generated).expect("the bindings are written");
    }
    let shipped = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        shipped == generated,
        "{} is not what wit-bindgen makes of wit/: `IOMMAP_WRITE=1 cargo build -p bindings` in \
         tests/guests writes it",
        file.display()
    );
}
