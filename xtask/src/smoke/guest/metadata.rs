//! The disk that illumos' metadata-agent reads at the first boot: a cpio archive from the first block on.
//!
//! The agent looks for the magic number of cpio's older formats alone, so packages' "newc" will not do: this is the one
//! whose numbers are octal digits.

use super::disk::UNIT;

const FILE: u32 = 0o100_644;
const TRAILER: &str = "TRAILER!!!";

/// The whole disk: the guest's name, and the key that logs root in.
pub fn disk(public_key: &str) -> Vec<u8> {
    let files = [("nodename", "smoke\n".to_string()), ("authorized_keys", format!("{}\n", public_key.trim()))];
    let mut bytes = Vec::new();
    for (number, (name, text)) in files.iter().enumerate() {
        member(&mut bytes, number + 1, FILE, name, text);
    }
    member(&mut bytes, 0, 0, TRAILER, "");
    bytes.resize(bytes.len().next_multiple_of(UNIT as usize), 0);
    bytes
}

/// Device, inode, mode, owner, group, links, special device, time, lengths; then the name and the text, with no gap.
fn member(bytes: &mut Vec<u8>, inode: usize, mode: u32, name: &str, text: &str) {
    let (named, sized) = (name.len() + 1, text.len());
    let head =
        format!("070707{0:06o}{inode:06o}{mode:06o}{0:06o}{0:06o}{1:06o}{0:06o}{0:011o}{named:06o}{sized:011o}", 0, 1);
    bytes.extend([head.as_bytes(), name.as_bytes(), b"\0", text.as_bytes()].concat());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and texts, by the offsets that the format has.
    fn members(bytes: &[u8]) -> Vec<(String, String)> {
        let (mut members, mut at) = (Vec::new(), 0);
        loop {
            let text = |from: usize, length: usize| String::from_utf8(bytes[from..from + length].to_vec()).unwrap();
            assert_eq!(text(at, 6), "070707");
            let number = |from: usize, digits: usize| usize::from_str_radix(&text(at + from, digits), 8).unwrap();
            let (named, sized) = (number(59, 6), number(65, 11));
            let name = text(at + 76, named - 1);
            if name == TRAILER {
                return members;
            }
            assert_eq!(number(18, 6), FILE as usize);
            members.push((name, text(at + 76 + named, sized)));
            at += 76 + named + sized;
        }
    }

    #[test]
    fn the_agent_finds_an_archive_at_the_first_block_of_a_disk_of_whole_mebibytes() {
        let bytes = disk("ssh-ed25519 AAAA smoke\n");
        assert_eq!(bytes.len() as u64, UNIT);
        let expected = [("nodename", "smoke\n"), ("authorized_keys", "ssh-ed25519 AAAA smoke\n")];
        assert_eq!(members(&bytes), expected.map(|(name, text)| (name.to_string(), text.to_string())));
    }
}
