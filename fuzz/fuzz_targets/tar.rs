//! IPS archives whose header checksums are right.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("tar", data));
