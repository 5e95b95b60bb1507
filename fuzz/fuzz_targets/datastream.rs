//! SVR4 datastreams: header, cpio archives, pkginfo and pkgmap.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = xtask::svr4::reader::read(data, &mut xtask::svr4::reader::NoVisitor);
});
