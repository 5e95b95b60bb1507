//! What `showvminfo --machinereadable` prints.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = vboxsvc::virtualbox::parse::info(data);
});
