//! Raw-disk descriptors.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = vboxsvc::virtualbox::media::Descriptor::parse(data);
});
