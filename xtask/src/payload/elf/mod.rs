//! The verifier: whether a file is an executable that illumos will start, from its bytes alone.
//!
//! It shares nothing with the linker but the committed list of imports. What it finds wrong is a list of findings, each
//! with the rule that was broken; what it saw is a report for the build record.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use object::LittleEndian as LE;
use object::elf::{
    DT_FLAGS, DT_HASH, DT_TEXTREL, ELFOSABI_NONE, ELFOSABI_SOLARIS, EM_X86_64, ET_EXEC, PF_W, PF_X, PT_GNU_EH_FRAME,
    PT_INTERP, PT_LOAD, PT_PHDR,
};
use object::read::elf::ProgramHeader;
use serde::Serialize;

use self::read::{Image, Symbol, permissions};
use super::imports::{Imports, Kind};

const INTERPRETER: &str = "/lib/amd64/ld.so.1";
/// What a supervisor that stays in memory may weigh.
const SIZE_LIMIT: u64 = 1_500_000;
/// What the runtime linker of illumos knows how to apply to a program: 64, GLOB_DAT, JUMP_SLOT, RELATIVE, DTPMOD64,
/// DTPOFF64, TPOFF64. Not among them: COPY, which would take a copy of a library's data, and IRELATIVE.
const RELOCATIONS: [u32; 7] = [1, 6, 7, 8, 16, 17, 18];
/// `DF_TEXTREL` of `DT_FLAGS`.
const TEXT_RELOCATIONS: u64 = 4;
/// A table of packed relocations, which illumos does not read (`DT_RELR`).
const DT_RELR: u32 = 36;
/// What libc looks for in a program before it takes its own.
const SHARED_WITH_LIBC: [&str; 3] = ["_environ", "__xpg4", "__xpg6"];
/// How the versions of illumos's libraries are named; `GCC_` are those of its compiler's.
const VERSIONS: [&str; 6] = ["SUNW_", "SUNWprivate_", "ILLUMOS_", "SYSVABI_", "SISCD_", "GCC_"];
/// By what a linker of illumos itself marks the unwinder's table, where others write `PT_GNU_EH_FRAME`.
const PT_SUNW_UNWIND: u32 = 0x6464_e550;

/// A rule that the file breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub rule: &'static str,
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.detail)
    }
}

/// What an executable is, for the build record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ElfReport {
    pub size: u64,
    pub osabi: u8,
    pub entry: u64,
    pub interpreter: Option<String>,
    pub needed: Vec<String>,
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
    pub segments: Vec<Segment>,
    /// How many relocations there are of each kind, by the psABI's numbers.
    pub relocations: BTreeMap<u32, usize>,
    /// Versions asked of libraries, as in `libc.so.1 ILLUMOS_0.4`; a file that was linked against stubs has none.
    pub versions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    pub name: String,
    /// The library that the committed list has it in.
    pub library: Option<String>,
    pub weak: bool,
}

/// A segment that is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    pub permissions: String,
    pub address: u64,
    pub file_size: u64,
    pub memory_size: u64,
}

/// Looks at a file. It may be started on illumos when there are no findings.
pub fn inspect(data: &[u8], imports: &Imports) -> (ElfReport, Vec<Finding>) {
    let mut check = Check::default();
    check.report.size = data.len() as u64;
    check.size();
    match Image::parse(data) {
        Err(what) => check.found("elf", format!("not a little-endian ELF64 file: {what}")),
        Ok(image) => {
            check.header(&image);
            check.segments(&image);
            check.dynamic(&image, imports);
            check.symbols(&image, imports);
            check.relocations(&image);
            check.origin(&image);
        }
    }
    (check.report, check.findings)
}

#[derive(Default)]
struct Check {
    report: ElfReport,
    findings: Vec<Finding>,
}

impl Check {
    fn found(&mut self, rule: &'static str, detail: impl Into<String>) {
        self.findings.push(Finding { rule, detail: detail.into() });
    }

    fn size(&mut self) {
        let size = self.report.size;
        if size > SIZE_LIMIT {
            self.found("size", format!("{size} bytes, more than {SIZE_LIMIT}"));
        }
    }

    fn header(&mut self, image: &Image) {
        let header = image.header;
        let (machine, kind, osabi) = (header.e_machine.get(LE), header.e_type.get(LE), header.e_ident.os_abi);
        self.report.osabi = osabi;
        self.report.entry = header.e_entry.get(LE);
        if machine != EM_X86_64 {
            self.found("machine", format!("machine {machine}, not x86-64 ({EM_X86_64})"));
        }
        if kind != ET_EXEC {
            self.found("type", format!("type {kind}, not a program at fixed addresses ({ET_EXEC})"));
        }
        if osabi != ELFOSABI_SOLARIS && osabi != ELFOSABI_NONE {
            self.found("osabi", format!("OS/ABI {osabi}, neither Solaris ({ELFOSABI_SOLARIS}) nor none"));
        }
    }

    fn segments(&mut self, image: &Image) {
        let kinds: Vec<u32> = image.segments.iter().map(|s| s.p_type(LE)).collect();
        let place = |kind: u32| kinds.iter().position(|k| *k == kind);
        let first_load = place(PT_LOAD).unwrap_or(kinds.len());
        for (kind, name) in [(PT_PHDR, "PT_PHDR"), (PT_INTERP, "PT_INTERP")] {
            if place(kind).is_none_or(|at| at > first_load) {
                self.found("order", format!("{name} does not come before the first PT_LOAD"));
            }
        }
        self.report.interpreter = image.interpreter();
        if self.report.interpreter.as_deref() != Some(INTERPRETER) {
            self.found("interpreter", format!("{:?}, not {INTERPRETER:?}", self.report.interpreter));
        }
        if place(PT_GNU_EH_FRAME).or_else(|| place(PT_SUNW_UNWIND)).is_none() {
            self.found("unwinding", "there is no segment for the unwinder (PT_GNU_EH_FRAME)");
        }
        let mut end = 0;
        for segment in image.loads() {
            let (address, memory, file) = (segment.p_vaddr(LE), segment.p_memsz(LE), segment.p_filesz(LE));
            let permissions = permissions(segment);
            if segment.p_flags(LE) & (PF_W | PF_X) == PF_W | PF_X {
                self.found("permissions", format!("the segment at {address:#x} is writable and executable"));
            }
            let inside = segment.p_offset(LE).checked_add(file).is_some_and(|last| last <= self.report.size);
            let after = address.checked_add(memory);
            if !inside || file > memory || address < end || after.is_none() {
                self.found("layout", format!("the segment at {address:#x} overlaps another or exceeds the file"));
            }
            end = after.unwrap_or(u64::MAX);
            self.report.segments.push(Segment { permissions, address, file_size: file, memory_size: memory });
        }
        let entry = self.report.entry;
        if image.load_at(entry).is_none_or(|s| s.p_flags(LE) & PF_X == 0) {
            self.found("entry", format!("the entry point {entry:#x} is not in an executable segment"));
        }
    }

    fn dynamic(&mut self, image: &Image, imports: &Imports) {
        for library in image.needed() {
            match library {
                Some(name) => {
                    if !imports.libraries.iter().any(|l| l.name == name) {
                        self.found("library", format!("{name} is not one that every illumos system has"));
                    }
                    self.report.needed.push(name);
                }
                None => self.found("library", "a needed library has no readable name"),
            }
        }
        if !self.report.needed.iter().any(|n| n == "libc.so.1") {
            self.found("library", "libc.so.1 is not asked for");
        }
        if image.tag(DT_HASH).is_none() {
            self.found("hash", "there is no System V hash table (DT_HASH), the only one illumos reads");
        }
        if image.tag(DT_TEXTREL).is_some() || image.tag(DT_FLAGS).is_some_and(|f| f & TEXT_RELOCATIONS != 0) {
            self.found("text relocations", "the program says that its code must be patched (DT_TEXTREL)");
        }
        if image.tag(DT_RELR).is_some() {
            self.found("relocation", "there are packed relocations (DT_RELR), which illumos does not read");
        }
    }

    fn symbols(&mut self, image: &Image, imports: &Imports) {
        let symbols = match image.symbols() {
            Ok(symbols) => symbols,
            Err(what) => return self.found("symbols", what),
        };
        for symbol in symbols.into_iter().filter(|s| !s.local) {
            match symbol.undefined {
                true => self.import(symbol, imports),
                false => self.report.exports.push(symbol.name),
            }
        }
        self.report.imports.sort_by(|a, b| a.name.cmp(&b.name));
        self.report.exports.sort();
        for name in SHARED_WITH_LIBC {
            if !self.report.exports.iter().any(|e| e == name) {
                self.found("start", format!("{name} is not exported, so libc does not see the program's"));
            }
        }
    }

    fn import(&mut self, symbol: Symbol, imports: &Imports) {
        let Symbol { name, weak, .. } = symbol;
        let listed = imports.find(&name);
        match listed {
            None => self.found("import", format!("{name} is not on the list of what illumos exports")),
            Some((library, _)) if !self.report.needed.iter().any(|n| n == library) => {
                self.found("import", format!("{name} is of {library}, which is not asked for"));
            }
            Some((_, Kind::WeakFunction)) if !weak => {
                self.found("import", format!("{name} must be a weak reference: older releases lack it"));
            }
            Some(_) => {}
        }
        self.report.imports.push(Import { name, library: listed.map(|(l, _)| l.to_owned()), weak });
    }

    fn relocations(&mut self, image: &Image) {
        let relocations = match image.relocations() {
            Ok(relocations) => relocations,
            Err(what) => return self.found("relocation", what),
        };
        let mut in_code = 0usize;
        for relocation in relocations {
            *self.report.relocations.entry(relocation.kind).or_default() += 1;
            if image.load_at(relocation.address).is_none_or(|s| s.p_flags(LE) & PF_W == 0) {
                in_code += 1;
            }
        }
        if in_code > 0 {
            self.found("text relocations", format!("{in_code} relocations are not in writable memory"));
        }
        let kinds: Vec<u32> = self.report.relocations.keys().copied().collect();
        for kind in kinds.into_iter().filter(|k| !RELOCATIONS.contains(k)) {
            self.found("relocation", format!("kind {kind} is not one that illumos applies to a program"));
        }
    }

    /// Whether the file was made for another system that uses ELF.
    fn origin(&mut self, image: &Image) {
        if image.has_gnu_note() {
            self.found("origin", "there is a note of owner GNU: this is an executable for Linux");
        }
        match image.versions() {
            Err(what) => self.found("origin", what),
            Ok(versions) => {
                for (library, version) in versions {
                    if !VERSIONS.iter().any(|v| version.starts_with(v)) {
                        self.found("origin", format!("{library} is asked for version {version}, not one of illumos"));
                    }
                    self.report.versions.push(format!("{library} {version}"));
                }
            }
        }
    }
}
