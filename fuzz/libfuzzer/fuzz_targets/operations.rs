//! Sequences of all operations, held to the model.
#![no_main]

use iommap_fuzz::Seen;

libfuzzer_sys::fuzz_target!(|data: &[u8]| iommap_fuzz::operations(data, &mut Seen::default()));
