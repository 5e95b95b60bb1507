//! SVR4 datastreams: header, cpio archives, pkginfo and pkgmap.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::check("datastream", data));
