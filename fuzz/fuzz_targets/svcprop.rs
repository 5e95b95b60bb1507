//! What svcprop prints.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = vboxsvc::smf::svcprop::parse(data);
    let _ = vboxsvc::smf::svcprop::parse_many(data);
});
