//! A /proc of illumos made of plain files: `psinfo` in its exact layout, and a process's memory as a sparse file.

use std::fs;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::cmdline::NamedBy;
use super::super::{Host, of_machine_in};
use super::*;
use crate::virtualbox::Machine;

const UUID: &str = "b5fb516d-16e5-4c70-863f-540c98e423cd";
/// Where the argument pointers are in the made-up memory.
const VECTOR: u64 = 0x10_000;

/// The fields that matter, to be written at the offsets of the C structure.
struct Fields {
    threads: i32,
    uid: u32,
    start: (i64, i64),
    psargs: String,
    argument_count: i32,
    model: u8,
    zone: i32,
}

impl Default for Fields {
    fn default() -> Self {
        Fields {
            threads: 12,
            uid: 101,
            start: (1_795_354_666, 7),
            psargs: "VBoxHeadless".into(),
            argument_count: 0,
            model: 2,
            zone: 3,
        }
    }
}

impl Fields {
    fn bytes(&self) -> Vec<u8> {
        // Nothing is zero by accident: a wrong offset shows.
        let mut bytes = vec![0xa5; 416];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(4, &self.threads.to_ne_bytes());
        put(24, &self.uid.to_ne_bytes());
        put(28, &0u32.to_ne_bytes()); // pr_euid: the program is set-uid root
        put(88, &self.start.0.to_ne_bytes());
        put(96, &self.start.1.to_ne_bytes());
        let mut psargs = self.psargs.clone().into_bytes();
        psargs.truncate(79);
        psargs.resize(80, 0);
        put(152, &psargs);
        put(236, &self.argument_count.to_ne_bytes());
        put(240, &VECTOR.to_ne_bytes());
        put(256, &[self.model]);
        put(276, &self.zone.to_ne_bytes());
        bytes
    }
}

const SUNOS: Host = Host { may_be_virtualbox, seen, arguments };

struct Proc(TempDir);

impl Proc {
    fn new() -> Proc {
        let proc = Proc(tempfile::tempdir().unwrap());
        proc.add(i32::try_from(std::process::id()).unwrap(), &Fields::default());
        proc
    }

    fn add(&self, pid: i32, fields: &Fields) {
        fs::create_dir(self.0.path().join(pid.to_string())).unwrap();
        self.write(pid, "psinfo", &fields.bytes());
    }

    fn write(&self, pid: i32, file: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(pid.to_string()).join(file), bytes).unwrap();
    }

    /// The process's memory: the pointers, and far behind them the strings.
    fn memory(&self, pid: i32, args: &[&str], pointer: usize) {
        let memory = File::create(self.0.path().join(pid.to_string()).join("as")).unwrap();
        let mut at = 0x40_0000u64;
        for (n, arg) in args.iter().enumerate() {
            let slot = VECTOR + u64::try_from(n * pointer).unwrap();
            memory.write_all_at(&at.to_ne_bytes()[..pointer], slot).unwrap();
            memory.write_all_at(&[arg.as_bytes(), b"\0"].concat(), at).unwrap();
            at += 0x1003;
        }
    }

    fn front_ends(&self, name: &str) -> Vec<(i32, NamedBy)> {
        let machine = Machine { name: name.into(), uuid: UUID.parse().unwrap() };
        let found = of_machine_in(self.0.path(), &machine, 101, &SUNOS).unwrap();
        found.into_iter().map(|f| (f.process.pid, f.named_by)).collect()
    }
}

#[test]
fn the_fields_are_where_the_kernel_puts_them() {
    let proc = Proc::new();
    proc.add(77, &Fields::default());
    let seen = seen(proc.0.path(), 77).unwrap().unwrap();
    assert_eq!((seen.pid, seen.uid), (77, 101));
    assert_eq!(seen.started, StartTime(1_795_354_666_000_000_007));
}

#[test]
fn a_zombie_a_stranger_of_another_zone_and_nothing_are_not_there() {
    let proc = Proc::new();
    proc.add(77, &Fields { threads: 0, ..Fields::default() });
    proc.add(78, &Fields { zone: 4, ..Fields::default() });
    for pid in [77, 78, 79] {
        assert_eq!(seen(proc.0.path(), pid).unwrap(), None, "{pid}");
    }
}

#[test]
fn a_short_psinfo_is_an_error_and_not_a_process() {
    let proc = Proc::new();
    proc.add(77, &Fields::default());
    proc.write(77, "psinfo", &Fields::default().bytes()[..300]);
    assert!(seen(proc.0.path(), 77).unwrap_err().to_string().contains("unknown form"));
}

#[test]
fn the_quick_look_rules_out_only_what_is_surely_something_else() {
    let proc = Proc::new();
    let long = "/".repeat(90);
    for (pid, psargs, expected) in
        [(70, "vi web", false), (71, "", false), (72, "VBoxSVC --auto", true), (73, &long, true)]
    {
        proc.add(pid, &Fields { psargs: psargs.into(), ..Fields::default() });
        assert_eq!(may_be_virtualbox(proc.0.path(), pid), expected, "{psargs}");
    }
    proc.write(70, "psinfo", b"short");
    assert!(may_be_virtualbox(proc.0.path(), 70), "what cannot be read rules out nothing");
    assert!(!may_be_virtualbox(proc.0.path(), 79), "there is no such process");
}

#[test]
fn the_argv_file_is_believed_first() {
    let proc = Proc::new();
    proc.add(77, &Fields { psargs: "VBoxHeadless --startvm web2".into(), ..Fields::default() });
    proc.write(77, "argv", b"/opt/VirtualBox/amd64/VBoxHeadless\0--startvm\0my web\0");
    assert_eq!(proc.front_ends("my web"), [(77, NamedBy::Name)]);
    assert_eq!(proc.front_ends("web2"), []);
}

#[test]
fn an_argv_file_filled_to_its_end_counts_as_cut() {
    let proc = Proc::new();
    proc.add(77, &Fields::default());
    let mut argv = b"VBoxHeadless\0".to_vec();
    argv.resize(ARGV_FILE - 1, b'x');
    argv.push(0);
    proc.write(77, "argv", &argv);
    assert!(matches!(arguments(proc.0.path(), 77).unwrap(), Some(Arguments::List { cut: true, .. })));
}

#[test]
fn arguments_are_read_out_of_the_memory_of_64_and_32_bit_programs() {
    let long = "n".repeat(200);
    for (model, pointer) in [(2, 8), (1, 4)] {
        let proc = Proc::new();
        let args = ["/opt/VirtualBox/amd64/VBoxHeadless", "--comment", &long, "--startvm", UUID];
        proc.add(77, &Fields { argument_count: 5, model, ..Fields::default() });
        proc.memory(77, &args, pointer);
        assert_eq!(proc.front_ends("web"), [(77, NamedBy::Uuid)], "{pointer}");
    }
}

#[test]
fn hostile_counts_and_pointers_fall_back_to_what_psinfo_has() {
    let fallback = |fields: Fields, memory: &[u8]| {
        let proc = Proc::new();
        proc.add(77, &Fields { psargs: "VBoxHeadless --startvm web".into(), ..fields });
        proc.write(77, "as", memory);
        arguments(proc.0.path(), 77).unwrap()
    };
    let expected = Some(Arguments::Joined { text: b"VBoxHeadless --startvm web".to_vec(), cut: false });
    for argument_count in [-1, i32::MAX, 65, 0, 3] {
        assert_eq!(fallback(Fields { argument_count, ..Fields::default() }, b"x"), expected, "{argument_count}");
    }
    // Pointers to nowhere.
    let wild = vec![0xff; usize::try_from(VECTOR).unwrap() + 64];
    assert_eq!(fallback(Fields { argument_count: 3, ..Fields::default() }, &wild), expected);
    // A string without an end.
    let endless = vec![1; usize::try_from(VECTOR).unwrap() + 64];
    assert_eq!(fallback(Fields { argument_count: 3, model: 1, ..Fields::default() }, &endless), expected);
}

#[test]
fn psargs_cut_at_79_bytes_are_no_proof() {
    let proc = Proc::new();
    let long = format!("/opt/VirtualBox/amd64/VBoxHeadless --startvm {UUID}");
    assert!(long.len() > 79, "the usual command line is too long for psinfo");
    proc.add(77, &Fields { psargs: long, ..Fields::default() });
    let machine = Machine { name: "web".into(), uuid: UUID.parse().unwrap() };
    let error = of_machine_in(proc.0.path(), &machine, 101, &SUNOS).unwrap_err();
    assert!(error.to_string().contains("only the first arguments"), "{error}");
    // But it is clear that this is not another machine's.
    let other = Machine { name: "db".into(), uuid: "8c7b0465-bdfd-438b-91b4-ec598c436753".parse().unwrap() };
    assert_eq!(of_machine_in(proc.0.path(), &other, 101, &SUNOS).unwrap(), []);
}

#[test]
fn short_psargs_are_enough_where_there_is_nothing_better() {
    let proc = Proc::new();
    proc.add(77, &Fields { psargs: format!("VBoxHeadless --startvm {UUID}"), ..Fields::default() });
    assert_eq!(proc.front_ends("web"), [(77, NamedBy::Uuid)]);
}

proptest! {
    #[test]
    fn no_psinfo_panics(mut bytes: Vec<u8>, long: bool) {
        if long {
            bytes.resize(416, 0xff);
        }
        if let Some(info) = PsInfo::parse(&bytes) {
            let _ = info.joined();
            let _ = info.list(|buffer, _| Ok(buffer.len()));
            let _ = info.list(|_, _| Ok(0));
        }
    }
}
