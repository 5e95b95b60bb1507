//! SVR4 packages and their texts.

use xtask::svr4::depend::Depend;
use xtask::svr4::pkginfo::{self, Quotes};
use xtask::svr4::pkgmap::PkgMap;
use xtask::svr4::reader::{Visitor, read};

use crate::{shows_only, text};

/// Holds what a reader of packages hands out to what is promised: names that leave no folder, and no more bytes than
/// were announced.
#[derive(Default)]
struct Watch {
    announced: u64,
    given: u64,
}

impl Visitor for Watch {
    fn begin(&mut self, _: &str, member: &str, size: u64) {
        assert!(!member.starts_with('/') && !member.split('/').any(|part| part == ".."), "{member:?}");
        *self = Watch { announced: size, given: 0 };
    }

    fn data(&mut self, bytes: &[u8]) {
        self.given += bytes.len() as u64;
        assert!(self.given <= self.announced);
    }

    fn end(&mut self, complete: bool) {
        assert!(!complete || self.given == self.announced);
    }
}

pub fn datastream(data: &[u8]) {
    let report = match read(data, &mut Watch::default()) {
        Ok(report) => report,
        Err(error) => panic!("reading from memory cannot fail: {error}"),
    };
    assert!(report.bytes <= data.len() as u64);
    for finding in &report.findings {
        shows_only(&finding.to_string());
    }
}

/// Archives behind a header that is right, so that the fuzzer need not find one.
pub fn cpio(data: &[u8]) {
    let mut stream = b"# PaCkAgE DaTaStReAm\nABCx 1 10\n# end of header\n".to_vec();
    stream.resize(512, 0);
    stream.extend_from_slice(data);
    datastream(&stream);
}

/// What was read, written, is read the same.
pub fn pkgmap(data: &[u8]) {
    let Some(Ok(map)) = text(data).map(PkgMap::parse) else { return };
    assert_eq!(PkgMap::parse(&map.to_string()), Ok(map));
}

/// Parameters that pass the rules are written so that the readers of both systems get them back.
pub fn pkginfo(data: &[u8]) {
    for quotes in [Quotes::FirstCloses, Quotes::LastCloses] {
        let Ok(info) = pkginfo::parse(data, quotes) else { continue };
        if info.validate().is_err() {
            continue;
        }
        let written = info.render();
        for reader in [Quotes::FirstCloses, Quotes::LastCloses] {
            assert_eq!(pkginfo::parse(written.as_bytes(), reader).as_ref(), Ok(&info), "{written:?}");
        }
    }
}

/// What can be written at all is read the same.
pub fn depend(data: &[u8]) {
    let Some(Ok(depend)) = text(data).map(Depend::parse) else { return };
    if let Ok(written) = depend.render() {
        assert_eq!(Depend::parse(&written).as_ref(), Ok(&depend), "{written:?}");
    }
}
