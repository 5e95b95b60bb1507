//! The arguments of a process, as /proc shows them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("process_arguments", data));
