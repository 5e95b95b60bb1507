//! Detached signatures, and the lists of checksums that are signed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("signature", data));
