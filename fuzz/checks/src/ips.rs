//! IPS archives, manifests and names.

use std::io::{Cursor, Read, Write, copy, sink};

use flate2::Compression;
use flate2::write::GzEncoder;
use xtask::ips::Fmri;
use xtask::ips::manifest::quote_value;
use xtask::ips::reader::{Delivery, ReadAction, actions, read};

use crate::{shows_only, text};

pub fn p5p(data: &[u8]) {
    let mut look = |_: &Delivery<'_>, content: &mut dyn Read| copy(content, &mut sink()).map(drop);
    // The bytes are in memory: an error is one that the archive made.
    let Ok(report) = read(&mut Cursor::new(data), &mut look) else { return };
    for finding in &report.findings {
        shows_only(&finding.to_string());
    }
}

/// Archives whose headers have their checksums mended, which the fuzzer would not find.
pub fn tar(data: &[u8]) {
    let mut archive = data.to_vec();
    for block in archive.chunks_exact_mut(512) {
        if let Some(field) = block.get_mut(148..156) {
            field.fill(b' ');
        }
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        if sum != 8 * u32::from(b' ')
            && let Some(field) = block.get_mut(148..156)
        {
            field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    p5p(&archive);
}

/// An archive with this index, compressed, in front of two members.
pub fn index(data: &[u8]) {
    let members: [(&str, &[u8]); 3] = [("pkg5.index.0.gz", &packed(data)), ("publisher/x", b""), ("a", b"b")];
    let mut archive = tar::Builder::new(Vec::new());
    let mut written = archive.append_pax_extensions([("comment", b"pkg5.archive.version.0".as_slice())]);
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        written = written.and_then(|()| archive.append_data(&mut header, name, bytes));
    }
    match written.and_then(|()| archive.into_inner()) {
        Ok(bytes) => p5p(&bytes),
        Err(error) => panic!("writing to memory cannot fail: {error}"),
    }
}

fn packed(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(data).and_then(|()| encoder.finish());
    written.unwrap_or_else(|error| panic!("packing into memory cannot fail: {error}"))
}

/// What was read, written as stored lines, is read the same.
pub fn manifest(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let (read, findings) = actions(text);
    for finding in &findings {
        shows_only(&finding.to_string());
    }
    // The writer refuses values that no quoting can carry.
    let carried = |value: &str| !value.contains('\\') && !value.contains('\t');
    let read: Vec<ReadAction> =
        read.into_iter().filter(|action| action.attributes.iter().all(|(_, value)| carried(value))).collect();
    let written: String = read.iter().map(line).collect();
    let (again, wrong) = actions(&written);
    assert_eq!(wrong, []);
    let plain = |actions: Vec<ReadAction>| -> Vec<ReadAction> {
        actions.into_iter().map(|action| ReadAction { line: 0, ..action }).collect()
    };
    assert_eq!(plain(again), plain(read), "{written}");
}

fn line(action: &ReadAction) -> String {
    let hash = action.hash.as_ref().map(|hash| format!(" {hash}")).unwrap_or_default();
    let values: String =
        action.attributes.iter().map(|(key, value)| format!(" {key}={}", quote_value(value))).collect();
    format!("{}{hash}{values}\n", action.kind)
}

/// A name reads back as itself.
pub fn fmri(data: &[u8]) {
    let Some(fmri) = text(data).and_then(|text| text.parse::<Fmri>().ok()) else { return };
    assert_eq!(fmri.to_string().parse::<Fmri>().as_ref(), Ok(&fmri));
    shows_only(&fmri.to_string());
}
