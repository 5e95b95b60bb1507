//! What zfs prints, and the mount table.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("zfs", data));
