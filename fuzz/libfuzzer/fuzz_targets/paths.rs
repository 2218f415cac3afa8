//! Paths and open options, in a directory full of traps.
#![no_main]

use iommap_fuzz::Seen;

libfuzzer_sys::fuzz_target!(|data: &[u8]| iommap_fuzz::paths(data, &mut Seen::default()));
