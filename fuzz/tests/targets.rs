//! The fuzz targets: bounded tests on stable Rust, libFuzzer's by `cargo bolero`. Their inputs are
//! in `__fuzz__`.

use bolero::check;
use std::path::PathBuf;

/// No input is longer: what a target makes of it takes a bounded time.
const LONGEST: usize = 800;

#[test]
fn operations() {
    check!().with_iterations(1000).with_max_len(LONGEST).for_each(|input: &[u8]| {
        keep("operations", input);
        iommap_fuzz::operations(input);
    });
}

#[test]
fn paths() {
    check!().with_iterations(5000).with_max_len(LONGEST).for_each(|input: &[u8]| {
        keep("paths", input);
        iommap_fuzz::paths(input);
    });
}

#[test]
fn ranges() {
    check!().with_iterations(2000).with_max_len(LONGEST).for_each(|input: &[u8]| {
        keep("ranges", input);
        iommap_fuzz::ranges(input);
    });
}

#[cfg(all(feature = "windows", target_os = "linux"))]
#[test]
fn windows() {
    check!().with_iterations(100).with_max_len(LONGEST).for_each(|input: &[u8]| {
        keep("windows", input);
        iommap_fuzz::windows(input);
    });
}

/// Leaves an input in the directory `IOMMAP_FUZZ_KEEP`, if there is one: what panics is printed,
/// but what ends the process, or never ends, is known by this alone.
fn keep(target: &str, input: &[u8]) {
    if let Some(directory) = std::env::var_os("IOMMAP_FUZZ_KEEP") {
        std::fs::write(PathBuf::from(directory).join(target), input).expect("an input to be kept");
    }
}
