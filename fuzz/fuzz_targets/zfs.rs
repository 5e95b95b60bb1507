//! What zfs prints, and the mount table.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = vboxsvc::zfs::parse::datasets(data);
    let _ = vboxsvc::zfs::parse::snapshots(data);
    let _ = vboxsvc::zfs::parse::owned_volumes(data);
    let _ = vboxsvc::zfs::parse::mnttab(data);
});
