//! The UUID by which VirtualBox knows a machine or a medium: the only safe way to address one, because names may
//! repeat, look like options or hold line breaks.

use std::fmt;
use std::str::FromStr;

/// Where the hyphens are in the 36 characters of a written UUID.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A UUID. Written as 36 lower-case characters, as VirtualBox does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID (8-4-4-4-12 hexadecimal digits)")]
pub struct NotAUuid;

impl FromStr for Uuid {
    type Err = NotAUuid;

    fn from_str(text: &str) -> Result<Self, NotAUuid> {
        let text = text.as_bytes();
        if text.len() != 36 || HYPHENS.iter().any(|&at| text.get(at) != Some(&b'-')) {
            return Err(NotAUuid);
        }
        let mut digits = text.iter().enumerate().filter(|(at, _)| !HYPHENS.contains(at)).map(|(_, &c)| c);
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            let mut nibble = || digits.next().and_then(|c| char::from(c).to_digit(16)).ok_or(NotAUuid);
            let value = nibble()? * 16 + nibble()?;
            *byte = u8::try_from(value).map_err(|_| NotAUuid)?;
        }
        Ok(Uuid(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn capital_digits_are_taken_and_written_small() {
        let uuid: Uuid = "B5FB516D-16e5-4c70-863f-540c98e423cd".parse().unwrap();
        assert_eq!(uuid.to_string(), "b5fb516d-16e5-4c70-863f-540c98e423cd");
    }

    #[test]
    fn what_only_looks_like_a_uuid_is_refused() {
        for text in [
            "",
            "b5fb516d-16e5-4c70-863f-540c98e423c",
            "b5fb516d-16e5-4c70-863f-540c98e423cdd",
            "b5fb516d16e5-4c70-863f-540c98e423cd-",
            "b5fb516d-16e5-4c70-863f-540c98e423cg",
            "{b5fb516d-16e5-4c70-863f-540c98e423cd}",
            "b5fb516d-16e5-4c70-863f-540c98e42é",
            "+5fb516d-16e5-4c70-863f-540c98e423cd",
        ] {
            assert_eq!(text.parse::<Uuid>(), Err(NotAUuid), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_uuid_reads_back(bytes: [u8; 16]) {
            let uuid = Uuid(bytes);
            prop_assert_eq!(uuid.to_string().len(), 36);
            prop_assert_eq!(uuid.to_string().parse(), Ok(uuid));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Uuid>();
        }
    }
}
