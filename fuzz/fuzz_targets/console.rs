//! What a guest's serial console sends, and the frames in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("console", data));
