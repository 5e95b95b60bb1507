//! The pid file and the monitor's notes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("run_files", data));
