//! Reading an ELF executable as a runtime linker sees it: program headers and the dynamic section, never sections.
//!
//! The bytes may be anything: whatever is not there, or points outside, is an absence or an error, never a panic. This
//! module says what is in the file and judges none of it.

use object::elf::{
    DT_HASH, DT_JMPREL, DT_NEEDED, DT_NULL, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_STRSZ, DT_STRTAB, DT_SYMTAB,
    DT_VERNEED, Dyn64, FileHeader64, HashHeader, PF_W, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_NOTE, ProgramHeader64,
    Rela64, SHN_UNDEF, STB_LOCAL, STB_WEAK, Sym64, Vernaux, Verneed,
};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{LittleEndian as LE, ReadRef};

/// The most links of a chain (needed versions) that are followed.
const CHAIN_LIMIT: usize = 4096;

/// A file that begins as a little-endian ELF64 file does.
pub struct Image<'d> {
    data: &'d [u8],
    pub header: &'d FileHeader64<LE>,
    pub segments: &'d [ProgramHeader64<LE>],
    dynamic: Vec<(u64, u64)>,
}

/// A symbol of the dynamic table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    pub name: String,
    pub undefined: bool,
    pub weak: bool,
    pub local: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    pub address: u64,
    pub kind: u32,
}

impl<'d> Image<'d> {
    pub fn parse(data: &'d [u8]) -> Result<Self, String> {
        let header = FileHeader64::<LE>::parse(data).map_err(|e| e.to_string())?;
        if !header.is_little_endian() {
            return Err("not little-endian".to_owned());
        }
        let segments = header.program_headers(LE, data).map_err(|e| e.to_string())?;
        let mut image = Image { data, header, segments, dynamic: Vec::new() };
        image.dynamic = image.read_dynamic();
        Ok(image)
    }

    fn segment(&self, kind: u32) -> Option<&'d ProgramHeader64<LE>> {
        self.segments.iter().find(|s| s.p_type(LE) == kind)
    }

    fn contents(&self, segment: &ProgramHeader64<LE>) -> Option<&'d [u8]> {
        self.data.read_bytes_at(segment.p_offset(LE), segment.p_filesz(LE)).ok()
    }

    pub fn loads(&self) -> impl Iterator<Item = &'d ProgramHeader64<LE>> {
        self.segments.iter().filter(|s| s.p_type(LE) == PT_LOAD)
    }

    /// The loaded segment that an address is in.
    pub fn load_at(&self, address: u64) -> Option<&'d ProgramHeader64<LE>> {
        self.loads().find(|s| address.checked_sub(s.p_vaddr(LE)).is_some_and(|inside| inside < s.p_memsz(LE)))
    }

    /// Where in the file the byte at an address is.
    fn offset(&self, address: u64) -> Option<u64> {
        let segment = self.load_at(address)?;
        let inside = address.checked_sub(segment.p_vaddr(LE))?;
        (inside < segment.p_filesz(LE)).then(|| segment.p_offset(LE).checked_add(inside))?
    }

    pub fn interpreter(&self) -> Option<String> {
        let bytes = self.contents(self.segment(PT_INTERP)?)?;
        let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn read_dynamic(&self) -> Vec<(u64, u64)> {
        let bytes = self.segment(PT_DYNAMIC).and_then(|s| self.contents(s)).unwrap_or_default();
        let count = bytes.len() / size_of::<Dyn64<LE>>();
        let entries = bytes.read_slice_at::<Dyn64<LE>>(0, count).unwrap_or_default();
        let pairs = entries.iter().map(|d| (d.d_tag.get(LE), d.d_val.get(LE)));
        pairs.take_while(|(tag, _)| *tag != u64::from(DT_NULL)).collect()
    }

    /// The value of the first dynamic entry of this kind.
    pub fn tag(&self, tag: u32) -> Option<u64> {
        self.dynamic.iter().find(|(t, _)| *t == u64::from(tag)).map(|(_, value)| *value)
    }

    fn string(&self, index: u64) -> Option<String> {
        let size = self.tag(DT_STRSZ)?;
        let table = self.data.read_bytes_at(self.offset(self.tag(DT_STRTAB)?)?, size).ok()?;
        let text = table.get(usize::try_from(index).ok()?..)?.split(|b| *b == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// The shared libraries asked for; one whose name is unreadable is `None`.
    pub fn needed(&self) -> Vec<Option<String>> {
        let wanted = self.dynamic.iter().filter(|(tag, _)| *tag == u64::from(DT_NEEDED));
        wanted.map(|(_, index)| self.string(*index)).collect()
    }

    /// The dynamic symbols. Their number is the System V hash table's to say.
    pub fn symbols(&self) -> Result<Vec<Symbol>, &'static str> {
        let hash = self.tag(DT_HASH).and_then(|a| self.offset(a)).ok_or("there is no System V hash table")?;
        let hash = self.data.read_at::<HashHeader<LE>>(hash).map_err(|()| "the hash table is outside the file")?;
        let table = self.tag(DT_SYMTAB).and_then(|a| self.offset(a)).ok_or("there is no dynamic symbol table")?;
        let count = usize::try_from(hash.chain_count.get(LE)).map_err(|_| "the hash table is too large")?;
        let raw = self.data.read_slice_at::<Sym64<LE>>(table, count);
        let raw = raw.map_err(|()| "the hash table counts more symbols than there are")?;
        raw.iter().skip(1).map(|s| self.symbol(s).ok_or("a symbol's name is outside the string table")).collect()
    }

    fn symbol(&self, raw: &Sym64<LE>) -> Option<Symbol> {
        let binding = raw.st_bind();
        Some(Symbol {
            name: self.string(raw.st_name.get(LE).into())?,
            undefined: raw.st_shndx.get(LE) == SHN_UNDEF,
            weak: binding == STB_WEAK,
            local: binding == STB_LOCAL,
        })
    }

    /// What the runtime linker will patch.
    pub fn relocations(&self) -> Result<Vec<Relocation>, &'static str> {
        let mut all = Vec::new();
        for (start, size) in [(DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)] {
            let (Some(address), Some(size)) = (self.tag(start), self.tag(size)) else { continue };
            let count = usize::try_from(size).unwrap_or(usize::MAX) / size_of::<Rela64<LE>>();
            let offset = self.offset(address).ok_or("a relocation table is outside what is loaded")?;
            let raw = self.data.read_slice_at::<Rela64<LE>>(offset, count);
            let raw = raw.map_err(|()| "a relocation table is outside the file")?;
            all.extend(raw.iter().map(|r| Relocation { address: r.r_offset.get(LE), kind: r.r_type(LE, false) }));
        }
        Ok(all)
    }

    /// The versions asked of libraries, as pairs of library and version.
    pub fn versions(&self) -> Result<Vec<(String, String)>, &'static str> {
        const BAD: &str = "the table of needed versions is not readable";
        let mut pairs = Vec::new();
        let Some(address) = self.tag(DT_VERNEED) else { return Ok(pairs) };
        let mut at = self.offset(address).ok_or(BAD)?;
        for _ in 0..CHAIN_LIMIT {
            let library = self.data.read_at::<Verneed<LE>>(at).map_err(|()| BAD)?;
            let file = self.string(library.vn_file.get(LE).into()).ok_or(BAD)?;
            let mut version_at = at.checked_add(library.vn_aux.get(LE).into()).ok_or(BAD)?;
            for _ in 0..library.vn_cnt.get(LE) {
                let version = self.data.read_at::<Vernaux<LE>>(version_at).map_err(|()| BAD)?;
                pairs.push((file.clone(), self.string(version.vna_name.get(LE).into()).ok_or(BAD)?));
                version_at = version_at.checked_add(version.vna_next.get(LE).into()).ok_or(BAD)?;
            }
            match library.vn_next.get(LE) {
                0 => return Ok(pairs),
                step => at = at.checked_add(step.into()).ok_or(BAD)?,
            }
        }
        Err(BAD)
    }

    /// True when a note of owner `GNU` is there, by which Linux's tools mark their own executables.
    pub fn has_gnu_note(&self) -> bool {
        let notes = self.segments.iter().filter(|s| s.p_type(LE) == PT_NOTE).filter_map(|s| self.contents(s));
        // A note begins with three words: the owner's length, the text's length, the kind.
        notes.into_iter().any(|note| note.get(12..16) == Some(b"GNU\0"))
    }
}

/// A segment's permissions as three letters.
pub fn permissions(segment: &ProgramHeader64<LE>) -> String {
    let flags = segment.p_flags(LE);
    let letter = |bit: u32, letter: char| if flags & bit != 0 { letter } else { '-' };
    [letter(object::elf::PF_R, 'r'), letter(PF_W, 'w'), letter(PF_X, 'x')].iter().collect()
}
