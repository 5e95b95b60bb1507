//! The checksum of a pkgmap: that of the System V `sum` command, fed piece by piece.
//!
//! It adds bytes, so it notices a lost or a changed byte but not two that changed places.

/// A running sum; [`Cksum::value`] folds it into the number a pkgmap shows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Cksum(u32);

impl Cksum {
    /// Adds `bytes`. The sum wraps at 2^32, as in the C program, which shows in files with many high bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(u32::from(*byte));
        }
    }

    /// The sum folded twice to 16 bits.
    pub fn value(self) -> u32 {
        let once = (self.0 & 0xffff) + (self.0 >> 16);
        (once & 0xffff) + (once >> 16)
    }
}

/// The checksum of bytes at hand.
pub fn cksum(bytes: &[u8]) -> u32 {
    let mut sum = Cksum::default();
    sum.update(bytes);
    sum.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_sums_to_zero() {
        assert_eq!(cksum(b""), 0);
    }

    #[test]
    fn a_short_text_sums_its_bytes() {
        assert_eq!(cksum(b"abc"), 97 + 98 + 99);
    }

    /// 20,000,000 bytes of 0xff: 764 from `sum -s`; a sum that did not wrap at 2^32 would give 765.
    #[test]
    fn the_sum_wraps_at_two_to_the_32() {
        let mut sum = Cksum::default();
        let piece = [0xff; 20_000];
        for _ in 0..1000 {
            sum.update(&piece);
        }
        assert_eq!(sum.value(), 764);
    }

    #[test]
    fn pieces_sum_like_the_whole() {
        let text: Vec<u8> = (0..8191u32).map(|n| (n * 7 % 256) as u8).collect();
        for cut in [0, 1, 4096, 8190, 8191] {
            let mut sum = Cksum::default();
            sum.update(&text[..cut]);
            sum.update(&text[cut..]);
            assert_eq!(sum.value(), cksum(&text));
        }
    }

    #[test]
    fn the_fold_carries_twice() {
        // 0x1_0001_fffe folds through 0x1fffe, whose own carry must come back in.
        assert_eq!(Cksum(0xffff_ffff).value(), 0xffff);
        assert_eq!(Cksum(0x0001_ffff).value(), 1);
    }
}
