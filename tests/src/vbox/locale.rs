//! What the caller's locale does to a VirtualBox program: outside UTF-8, output ends at the first character that is not
//! ASCII, and the program still exits 0; an argument with such a character stops it at once.

use std::env;

/// Whether the locale of this process's environment is a UTF-8 one of the host. `installed`: the host's UTF-8 locales;
/// unset: any.
pub fn is_utf8(installed: Option<&[String]>) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_default();
    is_utf8_locale(&set, installed)
}

fn is_utf8_locale(name: &str, installed: Option<&[String]>) -> bool {
    let Some(wanted) = canonical(name) else { return false };
    installed.is_none_or(|list| list.iter().filter_map(|have| canonical(have)).any(|have| have == wanted))
}

/// `C.UTF-8` and `C.utf8` are one locale. None for one that is not UTF-8.
fn canonical(name: &str) -> Option<String> {
    let (language, codeset) = name.split_once('.')?;
    let utf8 = codeset.eq_ignore_ascii_case("UTF-8") || codeset.eq_ignore_ascii_case("utf8");
    utf8.then(|| language.to_owned())
}

/// The part of the output that gets through outside UTF-8.
pub fn ascii_part(output: &[u8]) -> &[u8] {
    let end = output.iter().position(|byte| !byte.is_ascii()).unwrap_or(output.len());
    output.get(..end).unwrap_or(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_installed_utf8_locale_will_do() {
        for good in ["C.UTF-8", "C.utf8", "en_US.UTF-8"] {
            assert!(is_utf8_locale(good, None), "{good}");
        }
        for bad in ["", "C", "POSIX", "de_DE", "de_DE.ISO8859-1"] {
            assert!(!is_utf8_locale(bad, None), "{bad}");
        }
        let installed = ["en_US.UTF-8".to_owned()];
        assert!(is_utf8_locale("en_US.utf8", Some(&installed)));
        assert!(!is_utf8_locale("C.UTF-8", Some(&installed)));
    }

    #[test]
    fn output_ends_at_the_first_character_that_is_not_ascii() {
        assert_eq!(ascii_part("name=\"ü\"\n".as_bytes()), b"name=\"");
        assert_eq!(ascii_part(b"plain"), b"plain");
    }
}
