//! IPS archives: tar, index, manifests and payloads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("p5p", data));
