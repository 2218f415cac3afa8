//! Lists of ranges for the batch calls.
#![no_main]

use iommap_fuzz::Seen;

libfuzzer_sys::fuzz_target!(|data: &[u8]| iommap_fuzz::ranges(data, &mut Seen::default()));
