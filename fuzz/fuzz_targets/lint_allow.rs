//! The list of what lint allows.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("lint_allow", data));
