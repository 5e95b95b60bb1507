//! IPS archives: tar, index, manifests and payloads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut look = |_: &xtask::ips::reader::Delivery<'_>, content: &mut dyn std::io::Read| {
        std::io::copy(content, &mut std::io::sink()).map(drop)
    };
    let _ = xtask::ips::reader::read(&mut std::io::Cursor::new(data), &mut look);
});
