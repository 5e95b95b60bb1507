//! The reader against streams made by hand, good and broken, and against the writer.

mod archives;
mod defects;
mod hostile;
mod round_trip;
mod sample;

use super::*;

/// The findings' ids in order, for a stream that must not fail to be read.
fn ids(stream: &[u8]) -> Vec<&'static str> {
    findings(stream).iter().map(|finding| finding.id).collect()
}

fn findings(stream: &[u8]) -> Vec<Finding> {
    read(stream, &mut NoVisitor).unwrap().findings
}
