//! A small executable made by hand, byte by byte, and what the verifier says when one thing about it is wrong.

use proptest::prelude::*;

use super::*;

const BASE: u64 = 0x40_0000;
const DATA_AT: u64 = 0x40_1000;

/// What goes into the executable. The default is one that illumos would start.
#[derive(Clone)]
struct Recipe {
    osabi: u8,
    kind: u16,
    machine: u16,
    interpreter: &'static str,
    needed: Vec<&'static str>,
    /// Imported symbols; true for weak ones.
    imports: Vec<(&'static str, bool)>,
    exports: Vec<&'static str>,
    relocations: Vec<(u64, u32)>,
    tags: Vec<(u32, u64)>,
    /// Library and version, as asked for.
    version: Option<(&'static str, &'static str)>,
    note: Option<&'static [u8]>,
    data_flags: u32,
    entry: u64,
    hash: bool,
    /// Program header kinds that are left out.
    without: Vec<u32>,
    load_first: bool,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            osabi: 6,
            kind: 2,
            machine: 62,
            interpreter: "/lib/amd64/ld.so.1",
            needed: vec!["libgcc_s.so.1", "libc.so.1"],
            imports: vec![("_Unwind_Resume", false), ("open", false), ("newer", true)],
            exports: vec!["_environ", "__xpg4", "__xpg6"],
            relocations: vec![(DATA_AT + 8, 6), (DATA_AT + 16, 7)],
            tags: Vec::new(),
            version: None,
            note: None,
            data_flags: 6,
            entry: BASE,
            hash: true,
            without: Vec::new(),
            load_first: false,
        }
    }
}

/// Bytes that know where they will be.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn at(&self) -> u64 {
        BASE + self.0.len() as u64
    }
    fn u16(&mut self, v: u16) {
        self.0.extend(v.to_le_bytes());
    }
    fn u32(&mut self, v: u32) {
        self.0.extend(v.to_le_bytes());
    }
    fn u64(&mut self, v: u64) {
        self.0.extend(v.to_le_bytes());
    }
    fn align(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
    }
}

/// Strings with their places in a table.
fn strings(names: &[&str]) -> (Vec<u8>, Vec<u32>) {
    let mut table = vec![0];
    let mut places = Vec::new();
    for name in names {
        places.push(table.len() as u32);
        table.extend(name.as_bytes());
        table.push(0);
    }
    (table, places)
}

impl Recipe {
    /// The executable: one read-only segment that holds all but the data, and one for the data.
    fn build(&self) -> Vec<u8> {
        let version: Vec<&str> = self.version.iter().flat_map(|(l, v)| [*l, *v]).collect();
        let names: Vec<&str> = self.imports.iter().map(|(n, _)| *n).chain(self.exports.iter().copied()).collect();
        let (text, places) = strings(&[self.needed.clone(), names, version].concat());
        let (needed, rest) = places.split_at(self.needed.len());
        let (symbols, version) = rest.split_at(self.imports.len() + self.exports.len());

        // 64 bytes of header and room for nine program headers.
        let mut out = Bytes(vec![0; 64 + 9 * 56]);
        let interpreter = (out.at(), self.interpreter.len() as u64 + 1);
        out.0.extend(self.interpreter.as_bytes());
        out.0.push(0);
        out.align();
        let note = (out.at(), self.note.map_or(0, |n| n.len() as u64));
        out.0.extend(self.note.unwrap_or_default());
        out.align();
        let strtab = out.at();
        out.0.extend(&text);
        out.align();
        let symtab = out.at();
        out.0.extend([0; 24]);
        for (index, name) in symbols.iter().enumerate() {
            let import = self.imports.get(index);
            out.u32(*name);
            out.0.push(if import.is_some_and(|(_, weak)| *weak) { 0x22 } else { 0x12 });
            out.0.push(0);
            out.u16(if import.is_some() { 0 } else { 1 });
            out.u64(if import.is_some() { 0 } else { DATA_AT });
            out.u64(8);
        }
        let hash = out.at();
        out.u32(1);
        out.u32(symbols.len() as u32 + 1);
        (0..symbols.len() + 2).for_each(|_| out.u32(0));
        out.align();
        let rela = out.at();
        for (address, kind) in &self.relocations {
            out.u64(*address);
            out.u64(1 << 32 | u64::from(*kind));
            out.u64(0);
        }
        let verneed = out.at();
        if let [library, name] = version {
            [1u16, 1].into_iter().for_each(|v| out.u16(v));
            [*library, 16, 0].into_iter().for_each(|v| out.u32(v));
            out.u32(0);
            [0u16, 2].into_iter().for_each(|v| out.u16(v));
            [*name, 0].into_iter().for_each(|v| out.u32(v));
            out.align();
        }
        let dynamic = out.at();
        let mut tags: Vec<(u32, u64)> = needed.iter().map(|n| (1, u64::from(*n))).collect();
        tags.extend([
            (5, strtab),
            (10, text.len() as u64),
            (6, symtab),
            (7, rela),
            (8, self.relocations.len() as u64 * 24),
        ]);
        tags.extend(self.hash.then_some((4, hash)));
        tags.extend(self.version.map(|_| (0x6fff_fffe, verneed)));
        tags.extend(&self.tags);
        tags.push((0, 0));
        for (tag, value) in &tags {
            out.u64(u64::from(*tag));
            out.u64(*value);
        }
        let text_size = out.0.len() as u64;
        out.0.resize((DATA_AT - BASE) as usize + 64, 0xab);

        let mut headers = vec![
            (6, 4, BASE + 64, 9 * 56),
            (3, 4, interpreter.0, interpreter.1),
            (1, 5, BASE, text_size),
            (1, self.data_flags, DATA_AT, 64),
            (2, 6, dynamic, tags.len() as u64 * 16),
            (0x6474_e550, 4, BASE, 8),
        ];
        headers.extend(self.note.map(|_| (4, 4, note.0, note.1)));
        headers.retain(|(kind, ..)| !self.without.contains(kind));
        if self.load_first {
            headers.rotate_left(2);
        }
        let mut head = Bytes::default();
        head.0.extend([0x7f, b'E', b'L', b'F', 2, 1, 1, self.osabi, 0, 0, 0, 0, 0, 0, 0, 0]);
        head.u16(self.kind);
        head.u16(self.machine);
        head.u32(1);
        head.u64(self.entry);
        head.u64(64);
        head.u64(0);
        head.u32(0);
        [64, 56, headers.len() as u16, 64, 0, 0].into_iter().for_each(|v| head.u16(v));
        for (kind, flags, address, size) in headers {
            head.u32(kind);
            head.u32(flags);
            [address - BASE, address, address, size, size, 8].into_iter().for_each(|v| head.u64(v));
        }
        out.0[..head.0.len()].copy_from_slice(&head.0);
        out.0
    }
}

fn list() -> Imports {
    let text = "[libsocket.so.1]\nbind\n[libgcc_s.so.1]\n_Unwind_Resume\n[libc.so.1]\nopen\nclose\nnewer weak\n";
    Imports::parse(text).unwrap()
}

fn findings(recipe: &Recipe) -> Vec<String> {
    inspect(&recipe.build(), &list()).1.iter().map(ToString::to_string).collect()
}

/// The one finding of an executable in which `change` was made.
#[track_caller]
fn finding(change: impl FnOnce(&mut Recipe)) -> String {
    let mut recipe = Recipe::default();
    change(&mut recipe);
    let found = findings(&recipe);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

#[test]
fn a_sound_executable_has_no_findings_and_is_described() {
    let (report, found) = inspect(&Recipe::default().build(), &list());
    assert_eq!(found, []);
    assert_eq!(report.needed, ["libgcc_s.so.1", "libc.so.1"]);
    assert_eq!(report.interpreter.as_deref(), Some("/lib/amd64/ld.so.1"));
    let import = |name: &str, library: &str, weak| Import { name: name.into(), library: Some(library.into()), weak };
    let expected = [
        import("_Unwind_Resume", "libgcc_s.so.1", false),
        import("newer", "libc.so.1", true),
        import("open", "libc.so.1", false),
    ];
    assert_eq!(report.imports, expected);
    assert_eq!(report.exports, ["__xpg4", "__xpg6", "_environ"]);
    assert_eq!(report.relocations, BTreeMap::from([(6, 1), (7, 1)]));
    let permissions: Vec<_> = report.segments.iter().map(|s| s.permissions.as_str()).collect();
    assert_eq!(permissions, ["r-x", "rw-"]);
}

#[test]
fn an_executable_without_an_os_mark_passes_too() {
    assert_eq!(findings(&Recipe { osabi: 0, ..Recipe::default() }), [""; 0]);
}

#[test]
fn the_wrong_kind_of_file_is_refused() {
    assert!(finding(|r| r.osabi = 3).starts_with("osabi: OS/ABI 3"));
    assert!(finding(|r| r.kind = 3).starts_with("type: type 3"));
    assert!(finding(|r| r.machine = 183).starts_with("machine: machine 183"));
    assert!(inspect(b"#!/bin/sh\n", &list()).1[0].to_string().starts_with("elf: "));
}

#[test]
fn the_way_in_must_be_illumoss() {
    assert!(finding(|r| r.interpreter = "/lib64/ld-linux-x86-64.so.2").starts_with("interpreter: "));
    assert_eq!(finding(|r| r.without = vec![6]), "order: PT_PHDR does not come before the first PT_LOAD");
    let found = findings(&Recipe { load_first: true, ..Recipe::default() });
    assert_eq!(found.iter().filter(|f| f.starts_with("order: ")).count(), 2, "{found:#?}");
    assert!(finding(|r| r.entry = DATA_AT).starts_with("entry: "));
    assert!(finding(|r| r.entry = 0).starts_with("entry: "));
}

#[test]
fn memory_is_never_writable_and_executable() {
    assert_eq!(finding(|r| r.data_flags = 7), "permissions: the segment at 0x401000 is writable and executable");
}

#[test]
fn only_libraries_of_the_base_system_may_be_asked_for() {
    assert!(finding(|r| r.needed.push("libssl.so.3")).starts_with("library: libssl.so.3"));
    let found = findings(&Recipe { needed: vec!["libgcc_s.so.1"], ..Recipe::default() });
    assert!(found.contains(&"library: libc.so.1 is not asked for".to_owned()), "{found:#?}");
}

#[test]
fn every_import_must_be_listed_and_its_library_asked_for() {
    assert!(
        finding(|r| r.imports.push(("epoll_pwait2", false))).starts_with("import: epoll_pwait2 is not on the list")
    );
    assert!(finding(|r| r.imports.push(("bind", false))).starts_with("import: bind is of libsocket.so.1"));
    assert!(finding(|r| r.imports[2].1 = false).starts_with("import: newer must be a weak reference"));
}

#[test]
fn what_libc_looks_for_in_the_program_must_be_seen_from_there() {
    assert!(finding(|r| r.exports.retain(|e| *e != "__xpg6")).starts_with("start: __xpg6 is not exported"));
}

#[test]
fn tables_that_illumos_does_not_read_are_refused() {
    let found = findings(&Recipe { hash: false, ..Recipe::default() });
    assert!(found[0].starts_with("hash: "), "{found:#?}");
    assert!(finding(|r| r.tags.push((36, BASE))).contains("DT_RELR"));
    assert!(finding(|r| r.without = vec![0x6474_e550]).starts_with("unwinding: "));
}

#[test]
fn code_is_never_patched() {
    assert!(finding(|r| r.tags.push((22, 0))).starts_with("text relocations: "));
    assert!(finding(|r| r.tags.push((30, 4))).starts_with("text relocations: "));
    assert!(finding(|r| r.relocations.push((BASE + 8, 1))).starts_with("text relocations: 1 "));
    assert_eq!(
        finding(|r| r.relocations.push((DATA_AT, 37))),
        "relocation: kind 37 is not one that illumos applies to a program"
    );
    assert!(finding(|r| r.relocations.push((DATA_AT, 5))).starts_with("relocation: kind 5"));
}

#[test]
fn an_executable_for_linux_is_told_by_its_versions_and_notes() {
    assert!(finding(|r| r.version = Some(("libc.so.6", "GLIBC_2.34"))).contains("GLIBC_2.34"));
    assert!(finding(|r| r.note = Some(b"\x04\0\0\0\x10\0\0\0\x01\0\0\0GNU\0")).starts_with("origin: there is a note"));
}

#[test]
fn versions_of_illumos_are_reported() {
    let (report, found) =
        inspect(&Recipe { version: Some(("libc.so.1", "ILLUMOS_0.4")), ..Recipe::default() }.build(), &list());
    assert_eq!((report.versions, found), (vec!["libc.so.1 ILLUMOS_0.4".to_owned()], vec![]));
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let mut bytes = Recipe::default().build();
    bytes.resize(1_500_001, 0);
    let found = inspect(&bytes, &list()).1;
    assert_eq!(found[0].rule, "size");
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let whole = Recipe { version: Some(("libc.so.1", "ILLUMOS_0.4")), ..Recipe::default() }.build();
    for length in 0..whole.len() {
        assert!(!inspect(&whole[..length], &list()).1.is_empty(), "{length} of {} bytes", whole.len());
    }
}

#[test]
fn the_executable_that_runs_this_test_is_not_one_for_illumos() {
    let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let rules: Vec<_> = inspect(&bytes, &list()).1.iter().map(|f| f.rule).collect();
    assert!(rules.contains(&"interpreter") || cfg!(target_os = "illumos"), "{rules:?}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24)) {
        let mut bytes = Recipe { version: Some(("libc.so.1", "ILLUMOS_0.4")), ..Recipe::default() }.build();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        inspect(&bytes, &list());
    }

    /// The same, aimed: whole fields of the headers and tables set to telling values.
    #[test]
    fn no_wild_field_makes_it_panic(place in 0usize..2000, value in prop::sample::select(vec![0, 1, u64::MAX, 1 << 63, BASE])) {
        let mut bytes = Recipe { version: Some(("libc.so.1", "ILLUMOS_0.4")), ..Recipe::default() }.build();
        let at = place.min(bytes.len() - 8);
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        inspect(&bytes, &list());
    }

    #[test]
    fn no_noise_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        inspect(&bytes, &list());
    }
}
