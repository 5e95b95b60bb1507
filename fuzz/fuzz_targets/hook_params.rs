//! The words of a hook's parameters.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("hook_params", data));
