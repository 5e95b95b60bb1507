//! What the lists of VBoxManage print.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("vbox_lists", data));
