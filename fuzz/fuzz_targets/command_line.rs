//! Command lines in historic spellings.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("command_line", data));
