//! What a guest under test and its QEMU say: the bytes of a serial console, the frames in them, and QEMU's protocol.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::json;
use xtask::smoke::guest::clean::Cleaner;
use xtask::smoke::guest::frame::{Found, find, summed};
use xtask::smoke::guest::qmp::Qmp;

/// The frame that is looked for.
const ID: u32 = 7;
/// What a socket takes in before anybody reads from it.
const FITS: usize = 32 * 1024;

/// Wherever the pieces end, what is left of a console's bytes moves no cursor, and a frame that counts is what its own
/// last line says.
pub fn console(data: &[u8]) {
    let (first, rest) = data.split_at(data.first().map_or(0, |first| usize::from(*first)).min(data.len()));
    let mut cleaner = Cleaner::default();
    let text = cleaner.feed(first) + &cleaner.feed(rest);
    assert!(!text.contains(|c: char| c.is_ascii_control() && c != '\n' && c != '\t'), "{text:?}");
    let Some((found, length)) = find(&text, ID) else { return };
    let Some(framed) = text.get(..length).filter(|framed| framed.ends_with('\n')) else {
        panic!("a frame that ends within a line, at {length}: {text:?}");
    };
    let Found::Whole(ran) = found else { return };
    // What is no text came with the checksum of what it was.
    if [&ran.stdout, &ran.stderr].iter().any(|stream| stream.contains('\u{fffd}')) {
        return;
    }
    let numbers = |text: &str| text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>();
    let (_, verdict) = framed.rsplit_once(&format!("@@end {ID} ")).unwrap_or_default();
    let told = format!("{} {} {}", ran.status, summed(ran.stdout.as_bytes()), summed(ran.stderr.as_bytes()));
    assert_eq!(numbers(&told), numbers(verdict));
}

/// Whatever QEMU says, it is answered or refused at once, and an event is one of those that were asked for.
pub fn qmp(data: &[u8]) {
    let Ok((ours, mut theirs)) = UnixStream::pair() else { return };
    let said = data.get(..data.len().min(FITS)).unwrap_or_default();
    if theirs.write_all(said).and_then(|()| theirs.shutdown(Shutdown::Write)).is_err() {
        return;
    }
    let Ok(mut qmp) = Qmp::new(ours) else { return };
    // Either end of it is right.
    let _ = qmp.execute("query-status", json!({}));
    let wanted = ["SHUTDOWN", "RESET"];
    if let Ok(event) = qmp.wait_event(&wanted, Duration::from_secs(1)) {
        assert!(wanted.contains(&event.name.as_str()), "{event:?}");
    }
}
