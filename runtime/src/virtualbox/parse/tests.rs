use proptest::prelude::*;

use super::*;
use crate::virtualbox::State;
use crate::virtualbox::testing::sample;

fn names(output: &[u8]) -> Vec<String> {
    short_list(output).unwrap().into_iter().map(|e| e.name).collect()
}

#[test]
fn names_with_quotes_braces_and_blanks_are_listed_as_they_are() {
    let names = names(&sample("iem-n-list-vms").stdout);
    for name in [
        "my vm with spaces",
        "quote\"d \"vm\"",
        "back\\slash\\\\x",
        "ünïcode-日本語-😀",
        "tab\there",
        "{b5fb516d-16e5-4c70-863f-540c98e423cd}",
        " leading and trailing ",
    ] {
        assert!(names.iter().any(|n| n == name), "{name} not in {names:?}");
    }
}

#[test]
fn a_name_with_line_breaks_is_one_entry_and_hides_no_other() {
    let entries = short_list(&sample("iem-n-list-vms").stdout).unwrap();
    let at = entries.iter().position(|e| e.name == "new\nline=\"x\"\nVMState=\"running").unwrap();
    assert_eq!(entries[at].uuid.to_string(), "ba3017ed-aa3b-4aa1-a777-5b12a94ffed0");
    assert_eq!(entries[at + 1].name, "tab\there");
}

#[test]
fn a_wrappers_warning_before_the_list_is_skipped() {
    let warned = [sample("version-q").stdout, sample("list-vms-1").stdout].concat();
    assert!(warned.starts_with(b"WARNING: "));
    assert_eq!(names(&warned), ["basic"]);
}

#[test]
fn a_list_cut_off_by_the_locale_is_refused() {
    let cut = sample("iem-n-unicode-under-C-locale-list-vms").stdout;
    assert_eq!(short_list(&cut), Err(ParseError::CutOff));
    // Cut at the very end of an entry, it would look whole but for the missing line end.
    assert_eq!(short_list(b"\"a\" {b5fb516d-16e5-4c70-863f-540c98e423cd}"), Err(ParseError::CutOff));
}

#[test]
fn an_entry_that_never_ends_is_refused() {
    assert_eq!(short_list(b"\"web\n"), Err(ParseError::CutOff));
}

#[test]
fn a_name_that_is_not_utf8_is_refused_rather_than_altered() {
    assert_eq!(short_list(b"\"caf\xe9\" {b5fb516d-16e5-4c70-863f-540c98e423cd}\n"), Err(ParseError::NotUtf8));
}

#[test]
fn an_empty_list_is_a_list() {
    assert_eq!(short_list(b""), Ok(Vec::new()));
}

#[test]
fn a_long_list_tells_inaccessible_machines_apart() {
    let entries = long_list(&sample("iem-in-list-l-vms").stdout).unwrap();
    let inaccessible: Vec<_> = entries.iter().filter(|e| e.inaccessible).map(|e| e.uuid.to_string()).collect();
    assert_eq!(
        inaccessible,
        [
            "d7ef8874-3b7f-4bb2-a86d-dfb225d3ce0f",
            "f76caa18-124d-4afc-8260-ef1511ad19b6",
            "27d3c83d-b28b-4a0b-a847-2aac8454478a"
        ]
    );
    assert!(entries.iter().filter(|e| e.inaccessible).all(|e| e.state.is_none()));
    let fill = entries.iter().find(|e| e.name == "fill").unwrap();
    assert_eq!(fill.state, Some(State::Aborted));
    assert_eq!(entries.len(), 12);
}

#[test]
fn blanks_around_a_name_survive_the_columns_of_a_long_list() {
    let list = b"Name:            two  blanks \nUUID:           b5fb516d-16e5-4c70-863f-540c98e423cd\nState: saved\n";
    let entries = long_list(list).unwrap();
    assert_eq!((entries[0].name.as_str(), &entries[0].state), (" two  blanks ", &Some(State::Saved)));
}

#[test]
fn a_block_imitated_by_a_description_makes_the_state_unknown_and_never_wrong() {
    let uuid = "b5fb516d-16e5-4c70-863f-540c98e423cd";
    let forged = format!(
        "Name: evil\nUUID: 8c7b0465-bdfd-438b-91b4-ec598c436753\nState: running (since x)\nDescription:\n\n\
         Name: web\nUUID: {uuid}\nState: powered off (since x)\n\nName: web\nUUID: {uuid}\nState: running (since x)\n"
    );
    let entries = long_list(forged.as_bytes()).unwrap();
    let web: Vec<_> = entries.iter().filter(|e| e.uuid.to_string() == uuid).collect();
    assert_eq!((web.len(), &web[0].state), (1, &None));
}

#[test]
fn a_state_whose_words_have_brackets_is_read() {
    let list = b"Name: x\nUUID: b5fb516d-16e5-4c70-863f-540c98e423cd\nState: teleporting (incoming) (since 2026)\n";
    assert_eq!(long_list(list).unwrap()[0].state, Some(State::TeleportingIn));
}

#[test]
fn the_media_list_has_locations_and_parents() {
    let disks = hard_disks(&sample("iem-d-list-hdds").stdout).unwrap();
    assert_eq!(disks[3].location.to_str(), Some("/root/disks/d \"quoted\" name.vdi"));
    assert_eq!(disks[0].parent, None);
    let child = b"UUID: b5fb516d-16e5-4c70-863f-540c98e423cd\nParent UUID: 2fc9646a-efcc-4a0d-8047-6a031c63043a\n\
                  Location: /s/x.vdi\n";
    assert_eq!(hard_disks(child).unwrap()[0].parent, Some(disks[0].uuid));
}

#[test]
fn a_machine_is_read_in_all_its_parts() {
    let info = info(&sample("iem-d-showvminfo-mr").stdout).unwrap();
    assert_eq!((info.name.as_str(), &info.state), ("disks", &State::PowerOff));
    assert_eq!(info.state_changed.as_deref(), Some("2026-11-22T13:47:36.739000000"));
    assert_eq!(info.config_file.as_deref(), Some("/root/VirtualBox VMs/disks/disks.vbox".as_ref()));
    assert_eq!(info.snapshot_folder.as_deref(), Some("/root/VirtualBox VMs/disks/Snapshots".as_ref()));
    assert_eq!((info.session, info.state_file), (None, None));
    let modes: Vec<_> = info.uarts.iter().map(|u| (u.slot, u.mode.clone())).collect();
    assert_eq!(
        modes,
        [
            (1, UartMode::Server("/tmp/u1.sock".into())),
            (2, UartMode::Client("/tmp/u2.sock".into())),
            (3, UartMode::File("/tmp/u3 x.log".into())),
            (4, UartMode::TcpServer(5555)),
        ]
    );
    let media: Vec<_> = info.media.iter().map(|m| (m.controller.as_str(), m.port, m.device)).collect();
    assert_eq!(
        media,
        [("SATA", 0, 0), ("SATA", 1, 0), ("SATA", 2, 0), ("IDE Controller", 0, 1), ("SCSI", 3, 0)],
        "empty drives and flags of drives are no media"
    );
    assert_eq!(info.media[4].path.to_str(), Some("/root/disks/d \"quoted\" name.vdi"));
    assert_eq!(info.media[3].uuid.unwrap().to_string(), "ad160dd4-7605-4e52-aa59-265693e66bae");
}

#[test]
fn a_running_machine_has_a_session_and_a_saved_one_a_state_file() {
    assert_eq!(info(&sample("svm-s1-running-mr").stdout).unwrap().session.as_deref(), Some("headless"));
    let saved = info(&sample("iem-trans-saved").stdout).unwrap();
    assert!(saved.state_file.is_some_and(|f| f.extension().is_some_and(|e| e == "sav")));
}

#[test]
fn names_come_back_without_their_escapes() {
    for (fixture, name) in [
        ("iem-n2-showvminfo-mr", "quote\"d \"vm\""),
        ("iem-n4-showvminfo-mr", "back\\slash\\\\x"),
        ("iem-n6-showvminfo-mr", "ünïcode-日本語-😀"),
        ("iem-n7-showvminfo-mr", "new\nline=\"x\"\nVMState=\"running"),
        ("iem-n14-showvminfo-mr", " leading and trailing "),
    ] {
        assert_eq!(info(&sample(fixture).stdout).unwrap().name, name);
    }
}

#[test]
fn names_and_descriptions_that_imitate_a_state_do_not_count() {
    assert_eq!(info(&sample("iem-n7-showvminfo-mr").stdout).unwrap().state, State::PowerOff);
    assert_eq!(info(&sample("iem-d-showvminfo-mr").stdout).unwrap().state, State::PowerOff);
    let later = printed("x", "web", "saved", "VMState=\"running\"\n");
    assert_eq!(info(later.as_bytes()).unwrap().state, State::Saved);
}

#[test]
fn free_text_at_the_end_cannot_add_media_or_ports() {
    let forged = "\"SATA-0-0\"=\"/etc/passwd\"\nuartmode1=\"server,/tmp/evil\"\n";
    for key in ["description", "SnapshotName", "SnapshotName-1-1"] {
        let lines = format!("storagecontrollername0=\"SATA\"\n{key}=\"a\n{forged}\"\n");
        let info = info(printed("x", "y", "running", &lines).as_bytes()).unwrap();
        assert_eq!((info.media, info.uarts), (Vec::new(), Vec::new()), "{key}");
    }
    let honest = format!("storagecontrollername0=\"SATA\"\n{forged}");
    assert_eq!(info(printed("x", "y", "running", &honest).as_bytes()).unwrap().media.len(), 1);
}

#[test]
fn a_flag_of_a_drive_is_not_a_drive_of_a_controller_named_like_the_flag() {
    let lines = "storagecontrollername0=\"SATA\"\nstoragecontrollername1=\"SATA-hot-pluggable\"\n\
                 \"SATA-0-0\"=\"/a.vdi\"\n\"SATA-hot-pluggable-0-0\"=\"off\"\n\
                 \"SATA-hot-pluggable-0-0\"=\"/b.vdi\"\n";
    let info = info(printed("x", "y", "running", lines).as_bytes()).unwrap();
    let media: Vec<_> = info.media.iter().map(|m| (m.controller.as_str(), m.path.to_str().unwrap())).collect();
    assert_eq!(media, [("SATA", "/a.vdi"), ("SATA-hot-pluggable", "/b.vdi")]);
}

#[test]
fn an_answer_without_an_exact_state_line_tells_nothing() {
    for state in ["running\"x", "Running", "run ning", "running\\"] {
        let output = printed("x", "web", state, "");
        assert_eq!(info(output.as_bytes()), Err(ParseError::NoState), "{state}");
    }
    assert_eq!(info(&sample("iem-trans-not-ready").stdout), Err(ParseError::NoState));
}

#[test]
fn an_empty_state_word_is_no_error() {
    assert_eq!(info(printed("x", "web", "", "").as_bytes()).unwrap().state, State::Empty);
}

#[test]
fn an_answer_cut_off_anywhere_in_a_line_is_refused() {
    let whole = sample("iem-trans-running").stdout;
    for end in (1..whole.len()).filter(|&end| whole[end - 1] != b'\n') {
        assert_eq!(info(&whole[..end]), Err(ParseError::CutOff), "{end}");
    }
}

#[test]
fn a_port_of_an_unknown_kind_is_kept_as_it_is() {
    let lines = "uartmode1=\"/dev/term/a\"\nuartmode2=\"tcpclient,host:99\"\nuartmode3=\"tcpserver,x\"\nuartmode4=\"disconnected\"\n";
    let uarts = info(printed("x", "y", "running", lines).as_bytes()).unwrap().uarts;
    let modes: Vec<_> = uarts.into_iter().map(|u| u.mode).collect();
    assert_eq!(
        modes,
        [
            UartMode::Other("/dev/term/a".into()),
            UartMode::TcpClient("host:99".into()),
            UartMode::Other("tcpserver,x".into()),
            UartMode::Disconnected,
        ]
    );
}

const UUID: &str = "b5fb516d-16e5-4c70-863f-540c98e423cd";

/// What VirtualBox prints of a machine, the name already escaped.
fn printed(path: &str, name: &str, state: &str, tail: &str) -> String {
    format!(
        "name=\"{name}\"\ngroups=\"/\"\nUUID=\"{UUID}\"\nCfgFile=\"/{path}.vbox\"\nmemory=1024\n\
         VMState=\"{state}\"\nVideoMode=\"720,400,0\"@0,0 1\nVRDEClients==0\n rec_screen0\n{tail}"
    )
}

fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = (short_list(&bytes), long_list(&bytes), hard_disks(&bytes), info(&bytes));
    }

    #[test]
    fn random_lines_of_likely_words_never_panic(
        lines in prop::collection::vec("(\"|name=\"|VMState=\"|UUID:|Name:|State:|UUID=\"|\\{|\\}|SATA-0-0\"=\"|uartmode1=\"|\\\\|[a-f0-9-]{36}|é| ){0,6}", 0..12)
    ) {
        let text = lines.join("\n") + "\n";
        let _ = (short_list(text.as_bytes()), long_list(text.as_bytes()), info(text.as_bytes()));
    }

    #[test]
    fn a_printed_machine_reads_back_whatever_its_name(name in "[^\0]{0,40}", known in 0..State::known().count()) {
        let state = State::known().nth(known).unwrap().clone();
        let output = printed("x", &escaped(&name), state.word(), "");
        let info = info(output.as_bytes()).unwrap();
        prop_assert_eq!((info.name, info.state, info.uuid.to_string()), (name, state, UUID.to_string()));
    }

    #[test]
    fn a_listed_machine_reads_back_whatever_its_name(name in "[^\0]{0,40}") {
        // A name that holds a whole end of an entry cannot be told from two entries.
        prop_assume!(!name.contains("} \n") && !name.contains("}\n"));
        let list = format!("\"first\" {{{UUID}}}\n\"{name}\" {{{UUID}}}\n\"last\" {{{UUID}}}\n");
        prop_assert_eq!(names(list.as_bytes()), vec!["first".to_string(), name, "last".to_string()]);
    }
}
