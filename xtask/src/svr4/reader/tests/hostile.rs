//! Streams that mean harm or are broken at random: always a report, never a panic, never much memory.

use std::io::{self, Read};

use proptest::prelude::*;

use super::sample::{Format, Sample, archive};
use super::*;

fn errors(stream: &[u8]) -> usize {
    findings(stream).iter().filter(|finding| finding.level == Level::Error).count()
}

#[test]
fn a_cut_at_any_byte_is_an_error_until_only_padding_is_lost() {
    for format in [Format::Newc, Format::Crc, Format::Odc] {
        let mut sample = Sample::new();
        sample.format = format;
        let bytes = sample.bytes();
        let end = bytes.windows(10).rposition(|window| window == b"TRAILER!!!").unwrap() + 11;
        let end = if format == Format::Odc { end } else { end.next_multiple_of(4) };
        for cut in 0..bytes.len() {
            let report = read(&bytes[..cut], &mut NoVisitor).unwrap();
            assert_eq!(report.is_installable(), cut >= end, "{format:?} cut at {cut}: {:?}", report.findings);
            assert_eq!(report.bytes, cut as u64);
        }
    }
}

#[test]
fn each_place_of_a_cut_has_its_name() {
    let sample = Sample::new();
    let bytes = sample.bytes();
    let table = archive(&sample.table(), sample.format).len();
    let at = |cut: usize| {
        let found = findings(&bytes[..cut]);
        (found[0].id, found[0].place.clone())
    };
    assert_eq!(at(300), ("header-cut", "header".into()));
    assert_eq!(at(512 + 200), ("archive-cut", "archive 0".into()));
    assert_eq!(at(512 + table), ("archive-missing", "archive 1 (ABCexample, part 1)".into()));
    assert_eq!(at(512 + table + 200), ("archive-cut", "archive 1 (ABCexample, part 1)".into()));
}

#[test]
fn a_visitor_is_told_of_a_file_that_is_cut() {
    #[derive(Default)]
    struct Last(u64, Option<bool>);
    impl Visitor for Last {
        fn begin(&mut self, _: &str, _: &str, _: u64) {
            *self = Self::default();
        }
        fn data(&mut self, bytes: &[u8]) {
            self.0 += bytes.len() as u64;
        }
        fn end(&mut self, complete: bool) {
            self.1 = Some(complete);
        }
    }
    let bytes = Sample::new().bytes();
    let at = bytes.windows(16).rposition(|window| window == b"reloc/lib/method").unwrap();
    let mut last = Last::default();
    read(&bytes[..(at + 17).next_multiple_of(4) + 3], &mut last).unwrap();
    assert_eq!((last.0, last.1), (3, Some(false)));
}

#[test]
fn a_header_that_never_ends_is_given_up() {
    let endless = b"# PaCkAgE DaTaStReAm\n".chain(io::repeat(b'x')).take(1 << 24);
    let report = read(endless, &mut NoVisitor).unwrap();
    assert_eq!(report.findings[0].id, "header-no-end");
    assert_eq!(report.bytes, 1 << 24);
}

#[test]
fn a_huge_text_is_not_kept() {
    let mut sample = Sample::new();
    sample.table_pkgmap = Some("#".repeat(17 * 1024 * 1024));
    let found = ids(&sample.bytes());
    assert_eq!(found, ["text-too-large", "table-missing", "parent-missing"]);
}

#[test]
fn a_size_that_the_stream_does_not_have_takes_no_memory() {
    let mut bytes = Sample::new().bytes();
    let at = bytes.windows(6).position(|window| window == b"070701").unwrap();
    bytes[at + 54..at + 62].copy_from_slice(b"ffffffff");
    assert_eq!(errors(&bytes), 2, "too large to be a pkginfo, and cut");
}

#[test]
fn a_failing_disk_is_an_error_and_not_a_finding() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    let half = Sample::new().bytes();
    let stream = half[..700].chain(Failing);
    assert_eq!(read(stream, &mut NoVisitor).unwrap_err().to_string(), "broken");
}

/// Gives a byte or two at a time and is interrupted in between, as a pipe may be.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(3) {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        let count = (self.1 % 3).min(buffer.len()).min(self.0.len());
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

#[test]
fn a_slow_pipe_reads_like_a_file() {
    let bytes = Sample::new().bytes();
    let slow = read(Trickle(&bytes, 0), &mut NoVisitor).unwrap();
    assert_eq!(slow.findings, findings(&bytes));
    assert_eq!(slow.bytes, bytes.len() as u64);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(errors(&bytes) > 0);
    }

    #[test]
    fn random_bytes_after_a_good_header_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let stream = [Sample::new().header, bytes].concat();
        prop_assert!(errors(&stream) > 0);
    }

    #[test]
    fn changed_bytes_never_panic(changes in proptest::collection::vec((0usize..4096, any::<u8>()), 1..8), odc: bool) {
        let mut sample = Sample::new();
        sample.format = if odc { Format::Odc } else { Format::Newc };
        let mut bytes = sample.bytes();
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        findings(&bytes);
    }
}
