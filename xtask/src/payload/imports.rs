//! The committed list of what the payload may import, by shared library.
//!
//! The linker makes its stub libraries of it and the verifier holds the executable against it. This module reads the
//! list's text; it knows nothing of ELF.

use std::collections::BTreeMap;

/// How a symbol may be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Function,
    /// A function that older releases lack: only a weak reference to it still starts there.
    WeakFunction,
    Object,
}

/// One shared library and the symbols that may be imported from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The name by which the program asks for it, as in `libc.so.1`.
    pub name: String,
    pub symbols: BTreeMap<String, Kind>,
}

/// The whole list; libraries in the order in which they are linked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imports {
    pub libraries: Vec<Library>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ImportsError {
    pub line: usize,
    pub what: String,
}

impl Imports {
    /// Reads the list: `[library]`, then lines of `symbol`, `symbol weak` or `symbol object`; `#` starts a comment.
    pub fn parse(text: &str) -> Result<Self, ImportsError> {
        let mut imports = Imports::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                imports.add(line).map_err(|what| ImportsError { line: index + 1, what })?;
            }
        }
        Ok(imports)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            if !is_library(name) {
                return Err(format!("not the name of a shared library: {name:?}"));
            }
            if self.libraries.iter().any(|l| l.name == name) {
                return Err(format!("{name} has two sections"));
            }
            self.libraries.push(Library { name: name.to_owned(), symbols: BTreeMap::new() });
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let (symbol, kind) = match words.as_slice() {
            [symbol] => (*symbol, Kind::Function),
            [symbol, "weak"] => (*symbol, Kind::WeakFunction),
            [symbol, "object"] => (*symbol, Kind::Object),
            _ => return Err(format!("not a symbol with `weak`, `object` or nothing after it: {line:?}")),
        };
        if !is_symbol(symbol) {
            return Err(format!("not the name of a symbol: {symbol:?}"));
        }
        if let Some((library, _)) = self.find(symbol) {
            return Err(format!("{symbol} is listed already, under {library}"));
        }
        let Some(library) = self.libraries.last_mut() else {
            return Err(format!("{symbol} stands before the first [library]"));
        };
        library.symbols.insert(symbol.to_owned(), kind);
        Ok(())
    }

    /// The library that exports this symbol, and how it may be imported.
    pub fn find(&self, symbol: &str) -> Option<(&str, Kind)> {
        self.libraries.iter().find_map(|l| Some((l.name.as_str(), *l.symbols.get(symbol)?)))
    }
}

fn is_symbol(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_library(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    word.starts_with("lib") && word.contains(".so.") && word.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_kinds_and_comments_are_read() {
        let text = "# top\n[libsocket.so.1]\naccept4 # ILLUMOS_0.1\n\n[libc.so.1]\nopen\nflag weak\nenviron object\n";
        let imports = Imports::parse(text).unwrap();
        let names: Vec<_> = imports.libraries.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["libsocket.so.1", "libc.so.1"]);
        assert_eq!(imports.find("accept4"), Some(("libsocket.so.1", Kind::Function)));
        assert_eq!(imports.find("flag"), Some(("libc.so.1", Kind::WeakFunction)));
        assert_eq!(imports.find("environ"), Some(("libc.so.1", Kind::Object)));
        assert_eq!(imports.find("openat64"), None);
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let error = |text: &str| Imports::parse(text).unwrap_err().to_string();
        assert_eq!(error("\nopen"), "line 2: open stands before the first [library]");
        assert_eq!(error("[libc.so.1]\nopen\nopen"), "line 3: open is listed already, under libc.so.1");
        assert_eq!(error("[libc.so.1]\n[libc.so.1]"), "line 2: libc.so.1 has two sections");
        assert!(error("[../evil.so.1]").contains("not the name of a shared library"));
        assert!(error("[libc.so.1]\nopen strong").contains("open strong"));
        assert!(error("[libc.so.1]\nopen;exit").contains("not the name of a symbol"));
    }

    #[test]
    fn the_committed_list_is_sound_and_puts_the_unwinder_before_libc() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../pkg/illumos-imports.txt");
        let imports = Imports::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let place = |name: &str| imports.libraries.iter().position(|l| l.name == name).unwrap();
        assert!(place("libgcc_s.so.1") < place("libc.so.1"));
        assert_eq!(imports.find("_Unwind_Resume"), Some(("libgcc_s.so.1", Kind::Function)));
    }
}
