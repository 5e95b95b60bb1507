//! What the lists of VBoxManage print.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = vboxsvc::virtualbox::parse::short_list(data);
    let _ = vboxsvc::virtualbox::parse::long_list(data);
    let _ = vboxsvc::virtualbox::parse::hard_disks(data);
});
