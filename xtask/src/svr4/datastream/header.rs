//! The datastream's first block or blocks: the table of packages.

use crate::svr4::{BLOCK, STREAM_END, STREAM_MAGIC};

/// The header of packages given as name, number of parts and maxsize.
///
/// A text that ends on a block's edge, or one byte after it, cannot be read by pkgadd although pkgtrans makes such
/// streams. A comment line of two bytes moves the end off the edge; padding a number would do it too, but pkgadd refuses
/// to unpack where it believes maxsize does not fit.
pub fn render<'a>(packages: impl Iterator<Item = (&'a str, u32, u64)>) -> Vec<u8> {
    let mut text = format!("{STREAM_MAGIC}\n");
    for (name, parts, maxsize) in packages {
        text.push_str(&format!("{name} {parts} {maxsize}\n"));
    }
    let end = format!("{STREAM_END}\n");
    if (text.len() + end.len()) % BLOCK <= 1 {
        text.push_str("#\n");
    }
    text.push_str(&end);
    let mut bytes = text.into_bytes();
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header made by a real pkgtrans, with the name of the package replaced.
    #[test]
    fn one_package_gives_the_block_of_a_real_stream() {
        let bytes = render([("ABCexample", 1, 508)].into_iter());
        let text = b"# PaCkAgE DaTaStReAm\nABCexample 1 508\n# end of header\n";
        assert_eq!(&bytes[..text.len()], text);
        assert_eq!(text.len(), 0x36, "NULs begin where they do in the real one");
        assert_eq!(bytes[text.len()..], [0; 512 - 0x36]);
    }

    /// The bare text of `count` packages, the last one's name made so long that the text has `length` bytes.
    fn names(count: usize, length: usize) -> Vec<String> {
        let fixed = "# PaCkAgE DaTaStReAm\n# end of header\n".len();
        let mut names: Vec<String> = (0..count - 1).map(|number| format!("P{number:02}")).collect();
        let rest = length - fixed - names.iter().map(|name| name.len() + 5).sum::<usize>() - 5;
        names.push("L".repeat(rest));
        names
    }

    #[test]
    fn texts_that_end_on_the_edge_of_a_block_are_moved_off_it() {
        for (count, length, blocks) in [
            (58, 511, 1),
            (58, 512, 2),
            (58, 513, 2),
            (58, 514, 2),
            (120, 1023, 2),
            (120, 1024, 3),
            (120, 1025, 3),
            (120, 1026, 3),
        ] {
            let names = names(count, length);
            let bytes = render(names.iter().map(|name| (name.as_str(), 1, 9)));
            assert_eq!(bytes.len(), blocks * 512, "{length}");
            let text = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            let expected = if length % 512 < 2 { length + 2 } else { length };
            assert_eq!(text, expected);
            assert!(bytes[..text].ends_with(b"# end of header\n"));
        }
    }
}
