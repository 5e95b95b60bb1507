//! Names of IPS packages.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("ips_fmri", data));
