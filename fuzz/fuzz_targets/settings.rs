//! Properties of any kind, made into settings.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("settings", data));
