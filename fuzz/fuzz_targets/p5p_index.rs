//! The index of an IPS archive.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("p5p_index", data));
