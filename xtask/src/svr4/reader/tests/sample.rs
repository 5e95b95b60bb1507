//! A small package as a stream, put together by hand so that the reader's tests do not lean on the writer.

/// How an archive's headers look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Newc,
    Crc,
    Odc,
}

/// A member of an archive: name, mode with type, bytes.
pub type Member = (String, u32, Vec<u8>);

/// A stream in parts that a test can change one by one.
#[derive(Clone)]
pub struct Sample {
    pub header: Vec<u8>,
    /// `@` stands for size and cksum of pkginfo.
    pub pkgmap: String,
    pub pkginfo: String,
    /// The map of archive 0 where it shall not be the package's own.
    pub table_pkgmap: Option<String>,
    pub files: Vec<Member>,
    pub format: Format,
    pub tail: Vec<u8>,
}

impl Sample {
    pub fn new() -> Self {
        let file = |name: &str, bytes: &str| (name.to_owned(), 0o100_644, bytes.as_bytes().to_vec());
        let directory = |name: &str| (name.to_owned(), 0o40_755, Vec::new());
        Self {
            header: padded(b"# PaCkAgE DaTaStReAm\nABCexample 1 20\n# end of header\n"),
            pkgmap: ": 1 20\n\
                     1 f none /opt/abs 0644 root sys 4 320 7\n\
                     1 i depend 19 1495 7\n\
                     1 d none lib 0755 root bin\n\
                     1 s none lib/link=method\n\
                     1 f none lib/method 0755 root bin 6 641 7\n\
                     1 i pkginfo @ 7\n"
                .into(),
            pkginfo: "PKG=ABCexample\nNAME=An example\nARCH=i386\nVERSION=1.0\nCATEGORY=application\n\
                      BASEDIR=/\nCLASSES=none\n"
                .into(),
            table_pkgmap: None,
            files: vec![
                directory("install"),
                file("install/depend", "P ABCbase The base\n"),
                directory("reloc"),
                directory("reloc/lib"),
                file("reloc/lib/method", "method"),
                directory("root"),
                file("root/opt/abs", "abs\n"),
            ],
            format: Format::Newc,
            tail: Vec::new(),
        }
    }

    /// Replaces text in the map, which must be there.
    pub fn map(mut self, from: &str, to: &str) -> Self {
        assert!(self.pkgmap.contains(from), "{from:?}");
        self.pkgmap = self.pkgmap.replace(from, to);
        self
    }

    /// Replaces text in pkginfo, which must be there; the map's line for it follows.
    pub fn info(mut self, from: &str, to: &str) -> Self {
        assert!(self.pkginfo.contains(from), "{from:?}");
        self.pkginfo = self.pkginfo.replace(from, to);
        self
    }

    pub fn header(mut self, text: &str) -> Self {
        self.header = padded(text.as_bytes());
        self
    }

    pub fn file(&mut self, name: &str) -> &mut Member {
        self.files.iter_mut().find(|(member, ..)| member == name).unwrap()
    }

    pub fn add(mut self, name: &str, mode: u32, bytes: &[u8]) -> Self {
        self.files.push((name.into(), mode, bytes.into()));
        self
    }

    pub fn remove(mut self, name: &str) -> Self {
        self.files.retain(|(member, ..)| member != name);
        self
    }

    pub fn pkgmap_text(&self) -> String {
        let sum: u32 = self.pkginfo.bytes().map(u32::from).sum();
        self.pkgmap.replace('@', &format!("{} {sum}", self.pkginfo.len()))
    }

    /// The members of the package's archive.
    pub fn members(&self) -> Vec<Member> {
        let text = |name: &str, text: &str| (name.to_owned(), 0o100_644, text.as_bytes().to_vec());
        let mut members = vec![text("pkginfo", &self.pkginfo), text("pkgmap", &self.pkgmap_text())];
        members.extend(self.files.clone());
        members
    }

    pub fn table(&self) -> Vec<Member> {
        let pkgmap = self.table_pkgmap.clone().unwrap_or_else(|| self.pkgmap_text());
        let text = |name: &str, text: &str| (format!("ABCexample/{name}"), 0o100_644, text.as_bytes().to_vec());
        vec![text("pkginfo", &self.pkginfo), text("pkgmap", &pkgmap)]
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.clone();
        bytes.extend(archive(&self.table(), self.format));
        bytes.extend(archive(&self.members(), self.format));
        bytes.extend(&self.tail);
        bytes
    }
}

/// Fills the last block of 512.
pub fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub fn archive(members: &[Member], format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, mode, data) in members {
        bytes.extend(member(name, *mode, data, format));
    }
    bytes.extend(member("TRAILER!!!", 0, b"", format));
    padded(&bytes)
}

fn member(name: &str, mode: u32, data: &[u8], format: Format) -> Vec<u8> {
    let (size, named) = (data.len(), name.len() + 1);
    let mut bytes = match format {
        Format::Odc => format!("070707{:06o}{:06o}{mode:06o}{:06o}{:06o}{:06o}{:06o}{:011o}{named:06o}{size:011o}", 1, 2, 0, 0, 1, 0, 7),
        Format::Newc | Format::Crc => {
            let (magic, sum) = match format {
                Format::Crc => ("070702", data.iter().map(|byte| u32::from(*byte)).sum()),
                _ => ("070701", 0),
            };
            let zero = "0".repeat(8);
            format!("{magic}00000001{mode:08x}{zero}{zero}0000000100000007{size:08x}{zero}{zero}{zero}{zero}{named:08x}{sum:08x}")
        }
    }
    .into_bytes();
    let fill = |bytes: &mut Vec<u8>| {
        if format != Format::Odc {
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
    };
    bytes.extend(name.as_bytes());
    bytes.push(0);
    fill(&mut bytes);
    bytes.extend(data);
    fill(&mut bytes);
    bytes
}
