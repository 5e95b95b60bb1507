//! What is shown on a terminal and typed at one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("terminal", data));
