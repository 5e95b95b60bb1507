//! Rights on volumes, as properties and as `ls -V` prints them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("zvol_rights", data));
