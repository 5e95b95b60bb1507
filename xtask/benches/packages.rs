//! What writing and verifying packages costs, payload given, each number printed as a line of JSON as soon as there
//! is one. `cargo xtask bench` runs this and tells what the goals are.

// A benchmark has nothing better to do than to panic.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512_256};
use xtask::content::Content;
use xtask::finding::Level;
use xtask::ips::{self, Action};
use xtask::package_view;
use xtask::svr4::datastream;
use xtask::svr4::pkginfo::PkgInfo;
use xtask::svr4::pkgmap::{Attributes, Entry};
use xtask::trial;

const EPOCH: u64 = 1_767_225_600;
const GIB: u64 = 1 << 30;
/// gzip is the slow part: its cost is taken of an eighth.
const SHARE: u64 = 8;

struct Measured {
    row: &'static str,
    value: f64,
    how: String,
}

fn main() {
    // Cargo asks a benchmark for its tests, too.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    tell(&small(folder.path()));
    tell(&ours(folder.path()));
    eprintln!("a gibibyte takes some minutes");
    tell(&large(folder.path()));
}

fn tell(rows: &[Measured]) {
    for Measured { row, value, how } in rows {
        println!("{}", serde_json::json!({"row": row, "value": value, "how": how}));
    }
}

/// Milliseconds that something takes, the median of several times.
fn median(times: usize, mut run: impl FnMut()) -> f64 {
    let mut took: Vec<f64> = (0..times).map(|_| timed(&mut run)).collect();
    took.sort_by(f64::total_cmp);
    took[took.len() / 2]
}

fn timed(run: impl FnOnce()) -> f64 {
    let began = Instant::now();
    run();
    began.elapsed().as_secs_f64() * 1e3
}

/// Text that is no more and no less regular than a program's: words of a small vocabulary in a random order.
fn text(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut text = Vec::with_capacity(bytes + 16);
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend_from_slice(format!("{:x} ", state % 50_000).as_bytes());
    }
    text.truncate(bytes);
    text
}

/// The files of a package: paths below `opt/trial` and what is in them.
type Files = Vec<(String, Content)>;

fn svr4_package(files: &Files) -> datastream::Package {
    let own = |mode| Attributes::new(mode, "root", "bin");
    let info = [("PKG", "BENCH"), ("NAME", "A benchmark"), ("ARCH", "i386"), ("VERSION", "1.0")];
    let rest = [("CATEGORY", "application"), ("BASEDIR", "/"), ("CLASSES", "none")];
    let mut entries = vec![Entry::directory("opt/trial", "none", own(0o755))];
    entries.extend(files.iter().map(|(path, content)| Entry::file(path, "none", own(0o644), content.clone())));
    let info = PkgInfo::from_pairs(info.into_iter().chain(rest)).unwrap();
    datastream::Package { info, install: Vec::new(), entries, mtime: EPOCH }
}

fn ips_package(files: &Files) -> ips::Package {
    let mut actions = vec![Action::set("pkg.summary", "A benchmark"), Action::dir("opt/trial", "root", "bin", "0755")];
    actions.extend(files.iter().map(|(path, content)| Action::file(path, "root", "bin", "0644", content.clone())));
    ips::Package { fmri: "pkg://trial/bench@1.0,5.11:20260101T000000Z".parse().unwrap(), actions }
}

fn write_svr4(files: &Files, path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    datastream::write(&[svr4_package(files)], &mut out).unwrap();
    out.flush().unwrap();
}

fn write_ips(files: &Files, path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    ips::write("trial", &[ips_package(files)], EPOCH, &mut out).unwrap();
    out.flush().unwrap();
}

fn verify(path: &Path) {
    let read = package_view::read(path).unwrap();
    assert_eq!(read.count(Level::Error), 0, "{:?}", read.findings);
}

/// As many files and bytes as the package had that this one replaces.
fn small(folder: &Path) -> Vec<Measured> {
    let whole = text(215_000);
    let sizes = [112_643, 40_000, 25_000, 12_000, 11_000, 8_000, 4_000, 2_357];
    let mut rest = whole.as_slice();
    let mut files = Files::new();
    for (n, size) in sizes.into_iter().enumerate() {
        let (file, others) = rest.split_at(size);
        files.push((format!("opt/trial/file{n}"), Content::Bytes(file.to_vec())));
        rest = others;
    }
    let (svr4, p5p) = (folder.join("small.pkg"), folder.join("small.p5p"));
    let how = || "median of 31, 8 files of 215 kB, to a file".to_owned();
    vec![
        Measured { row: "write-svr4", value: median(31, || write_svr4(&files, &svr4)), how: how() },
        Measured { row: "write-p5p", value: median(31, || write_ips(&files, &p5p)), how: how() },
    ]
}

/// Our own packages, around the program built for this machine.
fn ours(folder: &Path) -> Vec<Measured> {
    let program = std::env::var_os("VBOXSVC_EXE").map_or_else(|| std::env::current_exe().unwrap(), PathBuf::from);
    let made = trial::ours(&xtask::flags::workspace(), &program, env!("CARGO_PKG_VERSION"), EPOCH, folder).unwrap();
    let how = |path: &Path| {
        let bytes = fs::metadata(path).unwrap().len();
        format!("median of 31, our own package, {:.1} MB", bytes as f64 / 1e6)
    };
    vec![
        Measured { row: "verify-svr4", value: median(31, || verify(&made.svr4)), how: how(&made.svr4) },
        Measured { row: "verify-p5p", value: median(31, || verify(&made.ips)), how: how(&made.ips) },
    ]
}

/// One file of a gibibyte, against what cannot be avoided: to compress and to hash it.
fn large(folder: &Path) -> Vec<Measured> {
    let payload = folder.join("payload");
    {
        let mut out = BufWriter::new(File::create(&payload).unwrap());
        let piece = text(4 << 20);
        (0..GIB / piece.len() as u64).for_each(|_| out.write_all(&piece).unwrap());
        out.flush().unwrap();
    }
    let files: Files = vec![("opt/trial/payload".to_owned(), Content::File(payload.clone()))];
    let (svr4, p5p) = (folder.join("large.pkg"), folder.join("large.p5p"));
    let compressing = timed(|| {
        let hashed = Hashing::new(io::sink());
        let mut gzip = GzEncoder::new(hashed, Compression::best());
        let part = File::open(&payload).unwrap().take(GIB / SHARE);
        io::copy(&mut Hashing::new(part), &mut gzip).unwrap();
        gzip.finish().unwrap().finish();
    }) * SHARE as f64;
    let writing = timed(|| write_ips(&files, &p5p));
    let expanding = timed(|| {
        // The payload is nearly all of the archive.
        let mut archive = File::open(&p5p).unwrap();
        let mut expanded =
            Hashing::new(MultiGzDecoder::new(io::BufReader::new(Hashing::new(payload_of(&mut archive)))));
        io::copy(&mut expanded, &mut io::sink()).unwrap();
        expanded.finish();
    });
    let verifying = timed(|| verify(&p5p));
    write_svr4(&files, &svr4);
    let hashing = timed(|| {
        let mut sha256 = Sha256::new();
        io::copy(&mut File::open(&payload).unwrap(), &mut sha256).unwrap();
        sha256.finalize();
    });
    let verifying_svr4 = timed(|| verify(&svr4));
    let ratio = |row, took: f64, floor: f64, what: &str| Measured {
        row,
        value: took / floor,
        how: format!("{:.1} s for 1 GiB; {what} alone {:.1} s", took / 1e3, floor / 1e3),
    };
    vec![
        ratio("gib-write-p5p", writing, compressing, "gzip -9, SHA-1 and SHA-512/256"),
        ratio("gib-verify-p5p", verifying, expanding, "gunzip, SHA-1 and SHA-512/256"),
        ratio("gib-verify-svr4", verifying_svr4, hashing, "SHA-256"),
        Measured {
            row: "gib-memory",
            value: peak_mib(),
            how: "the most this whole benchmark had in memory".to_owned(),
        },
    ]
}

/// The archive from its largest member on, which is gzip data.
fn payload_of(archive: &mut File) -> impl Read + '_ {
    let (at, size) = {
        let mut tar = tar::Archive::new(&mut *archive);
        let entries = tar.entries_with_seek().unwrap().map(|entry| entry.unwrap());
        let largest = entries.max_by_key(|entry| entry.size()).unwrap();
        (largest.raw_file_position(), largest.size())
    };
    io::Seek::seek(archive, io::SeekFrom::Start(at)).unwrap();
    archive.take(size)
}

/// Hashes what passes, as an IPS manifest states it.
struct Hashing<T> {
    inner: T,
    sha1: Sha1,
    sha512t: Sha512_256,
}

impl<T> Hashing<T> {
    fn new(inner: T) -> Self {
        Hashing { inner, sha1: Sha1::new(), sha512t: Sha512_256::new() }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.sha512t.update(bytes);
    }

    fn finish(self) {
        std::hint::black_box((self.sha1.finalize(), self.sha512t.finalize()));
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.update(&buffer[..length]);
        Ok(length)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
