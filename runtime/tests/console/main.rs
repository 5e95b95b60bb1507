//! `sercon` and its kin as a person runs them: the built program at a pseudo-terminal, with a socket in place of the
//! guest's UART.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot go on fails")]

mod rig;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;

use nix::sys::signal::Signal;
use rig::{AtTerminal, Host, accept, exit_code, read_exactly};

fn pattern(n: usize) -> Vec<u8> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Whether the process is stopped, by the letter /proc shows for its state.
fn is_stopped(terminal: &AtTerminal) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", terminal.child.id())).unwrap();
    stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
}

#[test]
fn the_console_is_found_shown_and_left_and_the_terminal_is_as_before() {
    let host = Host::with_console();
    let listener = host.listen();
    let mut terminal = AtTerminal::run(host.command(&["sercon"]));
    let mut guest = accept(&listener);
    terminal.wait_for("[web: connected to");
    assert!(terminal.is_raw());
    guest.write_all(b"login: ").unwrap();
    terminal.wait_for("login: ");
    terminal.type_keys("root\r\x03\x1a");
    assert_eq!(read_exactly(&mut guest, 7), b"root\r\x03\x1a", "the guest's keys, interrupt and stop among them");
    terminal.type_keys("\r~.");
    assert_eq!(exit_code(&mut terminal.child), Some(0));
    assert!(terminal.is_as_before());
    assert!(terminal.wait_for("left the console").contains("\r\n[web: left"), "a remark begins its own line");
}

#[test]
fn every_signal_that_ends_it_gives_the_terminal_back() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        let host = Host::with_console();
        let listener = host.listen();
        let mut terminal = AtTerminal::run(host.command(&["sercon"]));
        let _guest = accept(&listener);
        terminal.wait_for("connected to");
        assert!(terminal.is_raw());
        terminal.send(signal);
        assert_eq!(exit_code(&mut terminal.child), Some(128 + signal as i32), "{signal}");
        assert!(terminal.is_as_before(), "{signal}");
    }
}

#[test]
fn a_stopped_sercon_gives_the_terminal_back_and_takes_it_again_when_continued() {
    let host = Host::with_console();
    let listener = host.listen();
    let mut terminal = AtTerminal::run(host.command(&["sercon"]));
    let mut guest = accept(&listener);
    terminal.wait_for("connected to");
    terminal.send(Signal::SIGTSTP);
    terminal.wait_until("stopped", is_stopped);
    assert!(terminal.is_as_before());
    terminal.send(Signal::SIGCONT);
    terminal.wait_until("raw again", AtTerminal::is_raw);
    terminal.type_keys("w\r~.");
    assert_eq!(read_exactly(&mut guest, 2), b"w\r");
    assert_eq!(exit_code(&mut terminal.child), Some(0));
    assert!(terminal.is_as_before());
}

/// Covers: sercon-once
#[test]
fn sercon_once_ends_when_the_console_closes_and_the_terminal_is_as_before() {
    let host = Host::with_console();
    let listener = host.listen();
    let mut terminal = AtTerminal::run(host.command(&["sercon-once"]));
    let mut guest = accept(&listener);
    guest.write_all(b"the system is down\r\n").unwrap();
    terminal.wait_for("down\r\n");
    assert!(terminal.is_raw());
    drop(guest);
    assert_eq!(exit_code(&mut terminal.child), Some(0));
    assert!(terminal.is_as_before());
}

/// Covers: sercon
#[test]
fn a_vm_that_reboots_is_found_again() {
    let host = Host::with_console();
    let listener = host.listen();
    let mut terminal = AtTerminal::run(host.command(&["sercon", "1"]));
    drop((accept(&listener), listener));
    std::fs::remove_file(host.socket()).unwrap();
    terminal.wait_for("trying again");
    let mut guest = accept(&host.listen());
    guest.write_all(b"booting").unwrap();
    terminal.wait_for("booting");
    drop(guest);
    terminal.wait_for("waiting for it to come back");
    assert!(terminal.is_raw(), "it stays at the terminal between two connections");
    terminal.type_keys("~.");
    assert_eq!(exit_code(&mut terminal.child), Some(0));
    assert!(terminal.is_as_before());
}

#[test]
fn a_console_that_a_foreign_client_has_is_said_to_be_taken() {
    let host = Host::with_console();
    let listener = host.listen();
    let server = thread::spawn(move || (0..2).for_each(|_| drop(accept(&listener))));
    let mut terminal = AtTerminal::run(host.command(&["sercon", "1"]));
    terminal.wait_for("another client has the console");
    server.join().unwrap();
    terminal.type_keys("~.");
    assert_eq!(exit_code(&mut terminal.child), Some(0));

    let listener = host.listen();
    let server = thread::spawn(move || drop(accept(&listener)));
    let (code, said) = host.run(&["sercon-once"]);
    server.join().unwrap();
    assert_eq!(code, Some(95));
    assert!(said.contains("another client has the console"), "{said}");
}

#[test]
fn a_flood_reaches_the_terminal_whole() {
    let host = Host::with_console();
    let listener = host.listen();
    let mut terminal = AtTerminal::run(host.command(&["sercon"]));
    let mut guest = accept(&listener);
    let shown = terminal.wait_for("tells more]\r\n");
    assert!(shown.ends_with("]\r\n"), "{shown:?}");
    let sent = pattern(1 << 20);
    let bytes = sent.clone();
    let writer = thread::spawn(move || {
        guest.write_all(&bytes).unwrap();
        guest
    });
    assert!(terminal.read_bytes(sent.len()) == sent, "bytes were lost or changed");
    let _guest = writer.join().unwrap();
    terminal.type_keys("~.");
    assert_eq!(exit_code(&mut terminal.child), Some(0));
}

#[test]
fn pipes_in_place_of_the_terminal_carry_every_byte_both_ways() {
    let host = Host::with_console();
    let listener = host.listen();
    let mut command = host.command(&["sercon"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let sent = pattern(1 << 20);
    let typed = sent.clone();
    let typist = thread::spawn(move || input.write_all(&typed).unwrap());
    let guest = thread::spawn(move || {
        let mut guest = accept(&listener);
        let heard = read_exactly(&mut guest, 1 << 20);
        guest.write_all(&heard).unwrap();
        guest
    });
    let got = read_exactly(&mut output, sent.len());
    typist.join().unwrap();
    let _guest = guest.join().unwrap();
    assert!(got == sent, "bytes were lost or changed");
    assert_eq!(exit_code(&mut child), Some(0));
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"", "standard output is the guest's alone");
}

#[test]
fn fault_17_a_vm_without_a_console_is_an_error_that_names_the_cure() {
    let (code, said) = Host::with_uarts(&[]).run(&["sercon"]);
    assert_eq!(code, Some(95));
    assert!(said.contains("no serial port") && said.contains("--uart1 0x3F8 4 --uart-mode1 server"), "{said}");

    let (code, said) = Host::with_uarts(&["file,/tmp/a\u{1b}[2Jb", "disconnected"]).run(&["sercon-once"]);
    assert_eq!(code, Some(95));
    assert!(said.contains("1: file /tmp/a") && said.contains("2: disconnected"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn of_several_consoles_the_one_asked_for_is_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = Host::with_uarts(&["server,/nowhere/a", &format!("tcpserver,{port}")]);
    let (code, said) = host.run(&["sercon"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("1: server /nowhere/a") && said.contains("-u N"), "{said}");

    // The historic spelling, before the command.
    let mut terminal = AtTerminal::run(host.command(&["-u", "2", "sercon"]));
    let (mut guest, _) = listener.accept().unwrap();
    guest.write_all(b"hello").unwrap();
    terminal.wait_for("hello");
    terminal.type_keys("~.");
    assert_eq!(exit_code(&mut terminal.child), Some(0));
}

#[test]
fn a_path_of_ones_own_needs_no_virtualbox() {
    let host = Host::with_uarts(&[]);
    std::fs::remove_file(host.path("bin/VBoxManage")).unwrap();
    let listener = host.listen();
    let socket = host.socket();
    let mut terminal = AtTerminal::run(host.command(&["sercon", "-f", socket.to_str().unwrap()]));
    accept(&listener).write_all(b"hello").unwrap();
    terminal.wait_for("hello");
    terminal.type_keys("~.");
    assert_eq!(exit_code(&mut terminal.child), Some(0));
}

/// Covers: sercon-break
#[test]
fn sercon_break_ends_the_sercon_of_its_own_instance_alone() {
    let host = Host::with_console();
    let other = Host::with_console();
    let (listener, of_other) = (host.listen(), other.listen());
    // The name of the one is in the name of the other, and they share the run folder.
    let mut command = other.command_for("web2", &["sercon"]);
    let mut bystander = AtTerminal::run({
        command.env("VBOXSVC_RUN_DIR", host.path("run"));
        command
    });
    let mut terminal = AtTerminal::run(host.command(&["sercon"]));
    let _guests = (accept(&listener), accept(&of_other));
    terminal.wait_for("connected to");
    bystander.wait_for("connected to");

    let (code, said) = host.run(&["sercon"]);
    assert_eq!(code, Some(95), "a second one");
    assert!(said.contains(&format!("process {}", terminal.child.id())) && said.contains("sercon-break"), "{said}");

    let (broken, reaped) = thread::scope(|scope| {
        // A dead child stays in the list of processes until it is waited for.
        let reaper = scope.spawn(|| exit_code(&mut terminal.child));
        (host.run(&["sercon-stop"]), reaper.join().unwrap())
    });
    assert_eq!(broken.0, Some(0), "{}", broken.1);
    assert_eq!(reaped, Some(128 + Signal::SIGTERM as i32));
    assert!(terminal.is_as_before());
    assert_eq!(bystander.child.try_wait().unwrap(), None, "another instance's sercon was ended");

    let (code, said) = host.run(&["sercon-break"]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(bystander.child.try_wait().unwrap(), None);
    bystander.type_keys("~.");
    assert_eq!(exit_code(&mut bystander.child), Some(0));
}

#[test]
fn sercon_break_ends_a_stopped_one_too() {
    let host = Host::with_console();
    let listener = host.listen();
    let mut terminal = AtTerminal::run(host.command(&["sercon"]));
    let _guest = accept(&listener);
    terminal.wait_for("connected to");
    terminal.send(Signal::SIGTSTP);
    terminal.wait_until("stopped", is_stopped);
    let reaped = thread::scope(|scope| {
        let reaper = scope.spawn(|| exit_code(&mut terminal.child));
        assert_eq!(host.run(&["sercon-abort"]).0, Some(0));
        reaper.join().unwrap()
    });
    assert_eq!(reaped, Some(128 + Signal::SIGTERM as i32));
    assert!(terminal.is_as_before());
}

#[test]
fn a_stale_record_ends_nobody() {
    let host = Host::with_console();
    let mut innocent = std::process::Command::new("/bin/sleep").arg("600").spawn().unwrap();
    // As a sercon that was killed leaves it, its pid given to another process since.
    std::fs::write(host.own_run_file("web.sercon"), format!("{} 1 0\n", innocent.id())).unwrap();
    assert_eq!(host.run(&["sercon-break"]).0, Some(1));
    assert_eq!(innocent.try_wait().unwrap(), None, "an innocent process was ended");
    innocent.kill().unwrap();
    innocent.wait().unwrap();
}

#[test]
fn usage_errors_are_told_apart() {
    let host = Host::with_console();
    for args in [&["sercon", "0"][..], &["sercon", "x"], &["sercon", "-u", "5"], &["sercon", "-u", "1", "-f", "/p"]] {
        assert_eq!(host.run(args).0, Some(2), "{args:?}");
    }
}
