//! Properties of any kind, made into settings.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let own = vboxsvc::smf::svcprop::parse(data).found;
    let _ = vboxsvc::settings::effective::effective("web", &own, &own);
});
