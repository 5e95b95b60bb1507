use std::cell::Cell;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const UUID: &str = "b5fb516d-16e5-4c70-863f-540c98e423cd";
const OTHER: &str = "8c7b0465-bdfd-438b-91b4-ec598c436753";

fn machine(name: &str) -> Machine {
    Machine { name: name.into(), uuid: UUID.parse().unwrap() }
}

fn list(words: &[&str], cut: bool) -> Arguments {
    Arguments::List { words: words.iter().map(|w| w.as_bytes().to_vec()).collect(), cut }
}

fn joined(text: &str, cut: bool) -> Arguments {
    Arguments::Joined { text: text.into(), cut }
}

#[test]
fn a_front_end_is_known_by_the_exact_uuid_or_name() {
    let by_uuid = Verdict::Yes(NamedBy::Uuid);
    let by_name = Verdict::Yes(NamedBy::Name);
    let braced = format!("{{{}}}", UUID.to_uppercase());
    for (words, expected) in [
        (&["/opt/VirtualBox/amd64/VBoxHeadless", "--startvm", UUID][..], by_uuid),
        (&["VBoxHeadless", "-startvm", "web"], by_name),
        (&["VBoxHeadless", "-s", "web", "--vrde", "config"], by_name),
        (
            &["/usr/lib/virtualbox/VirtualBoxVM", "--comment", "web", "--startvm", UUID, "--no-startvm-errormsgbox"],
            by_uuid,
        ),
        (&["VBoxHeadless", &format!("--startvm={UUID}")], by_uuid),
        (&["VBoxHeadless", "--startvm", &braced], by_uuid),
        // The wrapper script, before it becomes the front end.
        (&["/bin/sh", "/usr/bin/VBoxHeadless", "--startvm", "web"], by_name),
    ] {
        assert_eq!(list(words, false).run(&machine("web")), expected, "{words:?}");
    }
}

#[test]
fn what_only_resembles_the_machine_or_the_program_is_left_alone() {
    for (name, words) in [
        ("web", &["VBoxHeadless", "--startvm", "web2"][..]),
        ("web2", &["VBoxHeadless", "--startvm", "web"]),
        ("a.b", &["VBoxHeadless", "--startvm", "a-b"]),
        ("web", &["VBoxHeadless", "--startvm", OTHER]),
        ("web", &["VBoxHeadless", "--comment", "web", "--startvm", OTHER]),
        ("web", &["VBoxHeadless", "--comment", "--startvm", "web"]),
        ("web", &["VBoxHeadless", "web"]),
        ("web", &["VBoxHeadless"]),
        ("web", &["vi", "VBoxHeadless", "--startvm", "web"]),
        ("web", &["VBoxHeadless.log", "--startvm", "web"]),
        ("web", &["MyVBoxHeadless", "--startvm", "web"]),
        ("web", &["VBoxManage", "startvm", "web", "--startvm", "web"]),
        ("web", &["sh", "-c", "VBoxHeadless --startvm web"]),
        ("web", &["sh", "vi", "VBoxHeadless", "--startvm", "web"]),
        ("web", &[]),
        // VirtualBox itself would take this for a UUID.
        (OTHER, &["VBoxHeadless", "--startvm", OTHER]),
    ] {
        assert_eq!(list(words, false).run(&machine(name)), Verdict::No, "{name}: {words:?}");
    }
}

#[test]
fn a_cut_argument_never_matches_by_its_beginning_and_never_rules_out() {
    let web = machine("web2");
    for end in ["", "w", "web", "web2", "b5fb516d-16", UUID] {
        assert_eq!(list(&["VBoxHeadless", "--startvm", end], true).run(&web), Verdict::Unclear, "{end}");
    }
    assert_eq!(list(&["VBoxHeadless"], true).run(&web), Verdict::Unclear);
    assert_eq!(list(&["VBoxHeadless", "--startvm"], true).run(&web), Verdict::Unclear);
    assert_eq!(list(&["VBoxHeadless", "--startvm", "8c7b"], true).run(&web), Verdict::No);
    assert_eq!(list(&["VBoxHeadless", "--startvm", UUID, "--vr"], true).run(&web), Verdict::Yes(NamedBy::Uuid));
    assert_eq!(list(&["vi", "we"], true).run(&web), Verdict::No);
}

#[test]
fn arguments_joined_by_blanks_match_only_where_there_is_no_doubt() {
    let web = machine("web");
    for (text, cut, expected) in [
        (format!("/opt/VirtualBox/VBoxHeadless --startvm {UUID}"), false, Verdict::Yes(NamedBy::Uuid)),
        (format!("VBoxHeadless --startvm {UUID} --vrde con"), true, Verdict::Yes(NamedBy::Uuid)),
        (format!("VBoxHeadless --startvm {UUID}"), true, Verdict::Unclear),
        ("VBoxHeadless --startvm web".into(), false, Verdict::Yes(NamedBy::Name)),
        ("VBoxHeadless --startvm web --vrde off".into(), false, Verdict::Yes(NamedBy::Name)),
        ("VBoxHeadless --startvm web".into(), true, Verdict::Unclear),
        ("VBoxHeadless --startvm b5fb".into(), true, Verdict::Unclear),
        ("VBoxHeadless --comment some very long rem".into(), true, Verdict::Unclear),
        // This may be the machine `web 2`.
        ("VBoxHeadless --startvm web 2".into(), false, Verdict::No),
        ("VBoxHeadless --startvm web2".into(), false, Verdict::No),
        (format!("VBoxHeadless --startvm {OTHER}"), false, Verdict::No),
        ("VBoxHeadless --startvm 8c7b0465-bdfd".into(), true, Verdict::No),
        (format!("vi VBoxHeadless --startvm {UUID}"), false, Verdict::No),
        // The remark holds the option, the true one is cut off or comes after.
        (format!("VBoxHeadless --comment x --startvm {UUID} --startvm {OTHER}"), false, Verdict::Unclear),
        (format!("VBoxHeadless --comment x --startvm {UUID} --star"), true, Verdict::Unclear),
    ] {
        assert_eq!(joined(&text, cut).run(&web), expected, "{text} {cut}");
    }
}

#[test]
fn a_name_with_blanks_is_found_in_joined_arguments() {
    let text = "VBoxHeadless --comment my vm --startvm my vm --vrde config";
    assert_eq!(joined(text, false).run(&machine("my vm")), Verdict::Yes(NamedBy::Name));
}

#[test]
fn a_list_without_its_last_nul_is_cut() {
    assert_eq!(Arguments::nul_ended(b"a\0b c\0"), list(&["a", "b c"], false));
    assert_eq!(Arguments::nul_ended(b"a\0b"), list(&["a", "b"], true));
    assert_eq!(Arguments::nul_ended(b"a\0\0"), list(&["a", ""], false));
    assert_eq!(Arguments::nul_ended(b""), list(&[], false));
}

/// A process that waits, under the name and arguments of a front end.
struct Dummy(Child);

impl Dummy {
    fn start(arg0: &str, args: &[&str]) -> Dummy {
        let mut command = Command::new("/bin/sh");
        // The shell takes what follows its script for the script's own arguments.
        command.arg0(arg0).args(["-c", "read line"]).args(args).stdin(Stdio::piped());
        Dummy(command.spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Dummy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_live_front_ends_of_a_machine_are_found_among_all_processes() {
    // The pid makes the names this test's own.
    let name = format!("vm {}", std::process::id());
    let machine = Machine { name: name.clone(), uuid: "00000000-1111-4222-8333-444444444444".parse().unwrap() };
    let longer = format!("{name}2");
    let by_name = Dummy::start("/opt/VirtualBox/VBoxHeadless", &["--startvm", &name]);
    let by_uuid = Dummy::start("VirtualBoxVM", &["--comment", "x", "--startvm", &machine.uuid.to_string()]);
    let _similar = Dummy::start("VBoxHeadless", &["--startvm", &longer]);
    let _editor = Dummy::start("vi", &["--startvm", &name]);
    let uid = nix::unistd::getuid().as_raw();

    let found = of_machine(&machine, uid).unwrap();
    let mut expected = [(by_name.pid(), NamedBy::Name), (by_uuid.pid(), NamedBy::Uuid)];
    expected.sort_by_key(|e| e.0);
    assert_eq!(found.iter().map(|f| (f.process.pid, f.named_by)).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|f| alive(f.process.pid, f.process.started)));
    assert_eq!(of_machine(&machine, uid + 1).unwrap(), [], "another user's");
}

#[test]
fn a_zombie_is_not_alive_and_runs_nothing() {
    let machine = Machine { name: format!("zombie {}", std::process::id()), uuid: UUID.parse().unwrap() };
    let mut dummy = Dummy::start("VBoxHeadless", &["--startvm", &machine.name]);
    let process = look(dummy.pid()).unwrap().unwrap();
    assert!(alive(process.pid, process.started));
    dummy.0.kill().unwrap();
    // Dead, but still to be waited for.
    let until = Instant::now() + Duration::from_secs(60);
    while alive(process.pid, process.started) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!alive(process.pid, process.started));
    assert!(std::fs::exists(format!("/proc/{}", process.pid)).unwrap());
    assert_eq!(look(process.pid).unwrap(), None);
    assert_eq!(of_machine(&machine, process.uid).unwrap(), []);
    dummy.0.wait().unwrap();
    assert!(!alive(process.pid, process.started));
}

#[test]
fn a_pid_with_another_start_time_is_another_process() {
    let me = look(i32::try_from(std::process::id()).unwrap()).unwrap().unwrap();
    assert!(alive(me.pid, me.started));
    assert!(!alive(me.pid, StartTime(me.started.0 + 1)));
}

#[test]
fn a_start_time_is_written_and_read_back() {
    let started = StartTime(1_795_354_666_259_000_001);
    assert_eq!(started.to_string().parse(), Ok(started));
    assert!("".parse::<StartTime>().is_err() && "-1".parse::<StartTime>().is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_whose_name_imitates_the_kernels_format_is_read_right() {
    let dir = tempfile::tempdir().unwrap();
    let process = dir.path().join("77");
    std::fs::create_dir(&process).unwrap();
    let tail = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18";
    std::fs::write(process.join("stat"), format!("77 (a) Z 1 (b)) S {tail} 4242 99\n")).unwrap();
    std::fs::write(process.join("status"), "Name:\ta) Z\nUid:\t1001\t0\t0\t0\n").unwrap();
    let seen = linux::seen(dir.path(), 77).unwrap();
    assert_eq!(seen, Some(Process { pid: 77, started: StartTime(4242), uid: 1001 }));
}

#[test]
fn an_unclear_front_end_is_an_error_and_not_a_guess() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("77")).unwrap();
    let seen = |_: &Path, pid| Ok(Some(Process { pid, started: StartTime(1), uid: 5 }));
    let arguments = |_: &Path, _| Ok(Some(joined("VBoxHeadless --startvm b5fb516d", true)));
    let host = Host { may_be_virtualbox: |_, _| true, seen, arguments };
    let error = of_machine_in(dir.path(), &machine("web"), 5, &host).unwrap_err().to_string();
    assert!(error.contains("process 77") && error.contains(UUID), "{error}");
    assert_eq!(of_machine_in(dir.path(), &machine("web"), 6, &host).unwrap(), []);
}

#[test]
fn a_process_that_may_not_be_seen_does_not_hide_the_others() {
    let dir = tempfile::tempdir().unwrap();
    for pid in ["76", "77"] {
        std::fs::create_dir(dir.path().join(pid)).unwrap();
    }
    let seen = |_: &Path, pid| match pid {
        76 => Err(io::ErrorKind::PermissionDenied.into()),
        _ => Ok(Some(Process { pid, started: StartTime(1), uid: 5 })),
    };
    let arguments = |_: &Path, _| Ok(Some(list(&["VBoxHeadless", "--startvm", UUID], false)));
    let host = Host { may_be_virtualbox: |_, _| true, seen, arguments };
    let found = of_machine_in(dir.path(), &machine("web"), 5, &host).unwrap();
    assert_eq!(found.iter().map(|f| f.process.pid).collect::<Vec<_>>(), [77]);
}

#[test]
fn a_pid_given_to_another_process_between_two_looks_is_no_front_end() {
    thread_local!(static LOOKS: Cell<u64> = const { Cell::new(0) });
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("77")).unwrap();
    let seen = |_: &Path, pid| {
        LOOKS.set(LOOKS.get() + 1);
        Ok(Some(Process { pid, started: StartTime(LOOKS.get()), uid: 5 }))
    };
    let arguments = |_: &Path, _| Ok(Some(list(&["VBoxHeadless", "--startvm", UUID], false)));
    let host = Host { may_be_virtualbox: |_, _| true, seen, arguments };
    assert_eq!(of_machine_in(dir.path(), &machine("web"), 5, &host).unwrap(), []);
    assert_eq!(LOOKS.get(), 2);
}

proptest! {
    #[test]
    fn no_command_line_panics(bytes: Vec<u8>, name in "[ -~]{1,8}", cut: bool) {
        let machine = machine(&name);
        let _ = Arguments::nul_ended(&bytes).run(&machine);
        let words = [b"VBoxHeadless --startvm ".to_vec(), bytes].concat();
        let _ = Arguments::nul_ended(&words).run(&machine);
        let _ = Arguments::Joined { text: words, cut }.run(&machine);
    }

    #[test]
    fn only_the_machine_itself_is_matched(mine in "[a-z0-9 .-]{1,12}", theirs in "[a-z0-9 .-]{1,12}") {
        let verdict = list(&["VBoxHeadless", "--startvm", &theirs], false).run(&machine(&mine));
        prop_assert_eq!(verdict == Verdict::Yes(NamedBy::Name), mine == theirs);
    }
    #[test]
    fn the_quick_look_rules_out_no_front_end_and_no_server(
        shell in prop::option::of(prop::sample::select(vec!["sh", "/bin/ksh93"])),
        folder in "(/[a-zA-Z ]{0,8}/)?",
        program in prop::sample::select(vec!["VBoxHeadless", "VirtualBoxVM", "VirtualBox", "VBoxSDL", "VBoxSVC"]),
        rest in prop::collection::vec("[ -~]{0,6}", 0..3),
    ) {
        let program = format!("{folder}{program}");
        let mut words: Vec<&str> = shell.into_iter().chain([program.as_str(), "--startvm", UUID]).collect();
        words.extend(rest.iter().map(String::as_str));
        let arguments = list(&words, false);
        prop_assume!(arguments.server().is_some() || arguments.run(&machine("web")) != Verdict::No);
        prop_assert!(cmdline::names_virtualbox(words.join("\0").as_bytes()));
    }
}
