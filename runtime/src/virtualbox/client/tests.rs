use super::*;
use crate::exec::Ended;
use crate::virtualbox::testing::{FakeRunner, ends, fails, sample, says};

const WEB: &str = "b5fb516d-16e5-4c70-863f-540c98e423cd";
const DB: &str = "8c7b0465-bdfd-438b-91b4-ec598c436753";
const INFO: &str = "showvminfo b5fb516d-16e5-4c70-863f-540c98e423cd --machinereadable";

fn uuid(text: &str) -> Uuid {
    text.parse().unwrap()
}

fn listed(entries: &[(&str, &str)]) -> String {
    entries.iter().map(|(name, uuid)| format!("\"{name}\" {{{uuid}}}\n")).collect()
}

fn in_state(state: &str) -> String {
    format!("name=\"web\"\nUUID=\"{WEB}\"\nVMState=\"{state}\"\n")
}

fn found(list: &str, asked: &str) -> Result<Machine, AskError> {
    let runner = FakeRunner::new().on("list vms", says(list));
    runner.client().find(asked)
}

#[test]
fn a_listed_machine_is_asked_itself_even_while_a_start_is_under_way() {
    let runner =
        FakeRunner::new().on("list runningvms", says(&listed(&[("web", WEB)]))).on(INFO, says(&in_state("paused")));
    assert_eq!(runner.client().probe(&uuid(WEB), true).unwrap(), Sighting::State(State::Paused));
    runner.finish();
}

#[test]
fn while_a_start_is_under_way_a_machine_not_listed_is_not_asked() {
    let runner = FakeRunner::new().on("list runningvms", says(&listed(&[("db", DB)])));
    assert_eq!(runner.client().probe(&uuid(WEB), true).unwrap(), Sighting::NotListed);
    assert_eq!(runner.calls().len(), 1);
}

#[test]
fn a_machine_not_listed_may_be_in_any_state_and_is_asked() {
    let runner = FakeRunner::new().on("list runningvms", says("")).on(INFO, says(&in_state("saving")));
    assert_eq!(runner.client().probe(&uuid(WEB), false).unwrap(), Sighting::State(State::Saving));
    runner.finish();
}

#[test]
fn a_question_that_holds_the_machines_lock_is_never_cut_off() {
    let asked = |list: &str| {
        let runner = FakeRunner::new().on("list runningvms", says(list)).on(INFO, says(&in_state("poweroff")));
        runner.client().probe(&uuid(WEB), false).unwrap();
        runner.calls().iter().map(|call| call.to_its_end).collect::<Vec<_>>()
    };
    assert_eq!(asked(""), [false, true]);
    // A process of its own holds it; should that hang, the question would not end either.
    assert_eq!(asked(&listed(&[("web", WEB)])), [false, false]);
}

#[test]
fn without_the_list_nothing_else_is_asked() {
    let runner = FakeRunner::new().on("list runningvms", fails(1, "VBoxManage: error: x\n"));
    assert!(matches!(runner.client().probe(&uuid(WEB), false), Err(AskError::Other { .. })));
    runner.finish();
}

#[test]
fn a_stalled_list_is_asked_once_more_at_once_and_no_more() {
    let stalled = || ends(Ended::TimedOut);
    let runner = FakeRunner::new().on("list vms", stalled()).on("list vms", says(&listed(&[("web", WEB)])));
    assert_eq!(runner.client().machines().unwrap().len(), 1);
    let runner = FakeRunner::new().on("list vms", stalled()).on("list vms", stalled());
    assert!(matches!(runner.client().machines(), Err(AskError::TimedOut { .. })));
    runner.finish();
}

#[test]
fn nothing_but_a_stalled_list_is_asked_twice() {
    let runner = FakeRunner::new().on("list vms", ends(Ended::Signaled(11)));
    assert!(runner.client().machines().unwrap_err().is_transient());
    let runner = FakeRunner::new().on(INFO, ends(Ended::TimedOut));
    assert!(matches!(runner.client().info(&uuid(WEB)), Err(AskError::TimedOut { after: DETAIL_DEADLINE, .. })));
    let runner = FakeRunner::new().on("list vms", Err(std::io::ErrorKind::NotFound));
    assert!(matches!(runner.client().machines(), Err(AskError::CannotRun(_))));
}

#[test]
fn every_call_has_its_deadline_and_only_the_given_environment() {
    let poweroff = format!("controlvm {WEB} poweroff");
    let runner = FakeRunner::new()
        .on("list vms", says(""))
        .on("list runningvms", says(""))
        .on("list -l vms", says(""))
        .on("list hdds", says(""))
        .on(INFO, says(&in_state("running")))
        .on(&poweroff, Ok(sample("iem-s3-poweroff")));
    let client = runner.client();
    client.machines().unwrap();
    client.running().unwrap();
    client.overview(1000).unwrap();
    client.hard_disks().unwrap();
    client.info(&uuid(WEB)).unwrap();
    client.control(&uuid(WEB), Verb::PowerOff, Duration::from_secs(77)).unwrap();
    let deadlines: Vec<_> = runner.calls().iter().map(|c| c.deadline.as_millis()).collect();
    assert_eq!(deadlines, [1500, 1500, 110_000, 10_000, 10_000, 77_000]);
    for call in runner.calls() {
        assert_eq!(call.env, [(OsString::from("LC_ALL"), OsString::from("C.UTF-8"))]);
        assert_eq!((call.program.to_str(), call.stdin), (Some("/opt/VirtualBox/VBoxManage"), None));
    }
}

#[test]
fn an_answer_about_another_machine_is_not_believed() {
    let runner = FakeRunner::new().on(&INFO.replace(WEB, DB), says(&in_state("running")));
    assert!(matches!(runner.client().info(&uuid(DB)), Err(AskError::Unusable { .. })));
}

#[test]
fn an_answer_with_a_state_but_a_failure_is_not_believed() {
    let mut cut = sample("iem-trans-saving");
    cut.ended = Ended::Exited(1);
    cut.stderr = sample("iem-trans-not-ready").stderr;
    let runner = FakeRunner::new().on(INFO, Ok(cut));
    let error = runner.client().info(&uuid(WEB)).unwrap_err();
    assert!(matches!(&error, AskError::Unusable { why, .. } if why == "The object is not ready"), "{error}");
}

#[test]
fn a_cut_off_answer_says_which_call_gave_it() {
    let runner = FakeRunner::new().on("list vms", Ok(sample("iem-n-unicode-under-C-locale-list-vms")));
    let error = runner.client().machines().unwrap_err();
    assert!(error.is_transient());
    assert!(error.to_string().starts_with("VBoxManage list vms: the answer is cut off"), "{error}");
}

#[test]
fn a_machine_is_found_by_its_exact_name_or_its_uuid() {
    let list = listed(&[("web2", DB), ("web", WEB)]);
    assert_eq!(found(&list, "web").unwrap().uuid, uuid(WEB));
    assert_eq!(found(&list, WEB).unwrap().name, "web");
    assert_eq!(found(&list, &WEB.to_uppercase()).unwrap().name, "web");
    for name in ["we", "WEB", "web ", "11111111-2222-3333-4444-555555555555"] {
        assert!(matches!(found(&list, name), Err(AskError::NotRegistered { .. })), "{name}");
    }
}

#[test]
fn a_name_that_is_another_machines_uuid_does_not_hide_that_machine() {
    let list = listed(&[(WEB, DB), ("web", WEB)]);
    assert_eq!(found(&list, WEB).unwrap().name, "web");
    assert_eq!(found(&listed(&[(WEB, DB)]), WEB).unwrap().uuid, uuid(DB));
}

#[test]
fn several_machines_of_one_name_are_an_error_that_lists_their_uuids() {
    let list = String::from_utf8(sample("iem-n-dup-list-vms").stdout).unwrap();
    let error = found(&list, "basic2").unwrap_err();
    assert!(matches!(error, AskError::Ambiguous { .. }));
    assert!(
        error.to_string().contains("3d1d718f-f6f7-401a-8a1c-437f12f97042, 5beebbc4-41d8-417f-8b6a-a889af51e689"),
        "{error}"
    );
    assert_eq!(found(&list, "5beebbc4-41d8-417f-8b6a-a889af51e689").unwrap().name, "basic2");
}

#[test]
fn a_uuid_listed_twice_is_never_chosen_from() {
    // The name of a machine may hold a whole entry.
    let list = listed(&[("x", WEB), ("web", WEB)]);
    assert!(matches!(found(&list, "web"), Err(AskError::Ambiguous { .. })));
    assert!(matches!(found(&list, WEB), Err(AskError::Ambiguous { .. })));
}

#[test]
fn names_with_control_characters_are_refused_before_and_after_asking() {
    for name in ["", "a\nb", "tab\there", "\u{1b}[2J", "\0"] {
        let runner = FakeRunner::new();
        assert!(matches!(runner.client().find(name), Err(AskError::BadName { .. })), "{name:?}");
        assert!(runner.calls().is_empty());
    }
    let list = String::from_utf8(sample("iem-n-list-vms").stdout).unwrap();
    assert!(matches!(found(&list, "ba3017ed-aa3b-4aa1-a777-5b12a94ffed0"), Err(AskError::BadName { .. })));
}

#[test]
fn an_inaccessible_machine_is_told_from_one_that_is_called_so() {
    let gone = "d7ef8874-3b7f-4bb2-a86d-dfb225d3ce0f";
    let runner = FakeRunner::new()
        .on("list vms", Ok(sample("iem-in-list-vms")))
        .on("list -l vms", Ok(sample("iem-in-list-l-vms")));
    let error = runner.client().find(gone).unwrap_err();
    assert!(matches!(error, AskError::Inaccessible { uuid } if uuid.to_string() == gone));

    let long = format!("Name:   <inaccessible>\nUUID:   {WEB}\nState:  powered off (since x)\n");
    let runner =
        FakeRunner::new().on("list vms", says(&listed(&[("<inaccessible>", WEB)]))).on("list -l vms", says(&long));
    assert_eq!(runner.client().find("<inaccessible>").unwrap().uuid, uuid(WEB));
}

#[test]
fn the_overview_has_the_states_of_all_machines_from_one_call() {
    let runner = FakeRunner::new().on("list -l vms", Ok(sample("iem-in-list-l-vms")));
    let overview = runner.client().overview(1).unwrap();
    let state = |name: &str| overview.iter().find(|o| o.machine.name == name).unwrap().state.clone();
    assert_eq!((state("fill"), state("disks")), (Some(State::Aborted), Some(State::PowerOff)));
    runner.finish();
}

#[test]
fn refusals_of_a_command_are_told_apart() {
    let told = |fixture: &str| {
        let call = format!("controlvm {WEB} acpipowerbutton");
        let runner = FakeRunner::new().on(&call, Ok(sample(fixture)));
        runner.client().control(&uuid(WEB), Verb::AcpiPowerButton, Duration::from_secs(1)).unwrap_err()
    };
    assert!(matches!(told("iem-s1-acpi-paused"), AskError::InvalidState { .. }));
    assert!(matches!(told("controlvm-poweredoff-poweroff"), AskError::NotRunning { .. }));
    assert!(matches!(told("iem-s6b-termpaused-after-controlvm"), AskError::Wedged { .. }));
}

#[test]
fn every_verb_is_the_word_of_virtualbox() {
    let words: Vec<_> = [
        Verb::AcpiPowerButton,
        Verb::AcpiSleepButton,
        Verb::PowerOff,
        Verb::SaveState,
        Verb::Reset,
        Verb::Pause,
        Verb::Resume,
    ]
    .map(Verb::word)
    .into();
    assert_eq!(words, ["acpipowerbutton", "acpisleepbutton", "poweroff", "savestate", "reset", "pause", "resume"]);
}

#[test]
fn front_ends_are_started_by_uuid() {
    let runner = FakeRunner::new();
    let client = runner.client();
    let (program, args) = client.headless(&uuid(WEB));
    assert_eq!((program.to_str(), args), (Some("/opt/VirtualBox/VBoxHeadless"), vec!["--startvm".into(), WEB.into()]));
    let (program, args) = client.gui(&uuid(WEB), &["--fullscreen".into()]).unwrap();
    assert_eq!(program.to_str(), Some("/opt/VirtualBox/VirtualBoxVM"));
    assert_eq!(args, ["--startvm", WEB, "--fullscreen"].map(OsString::from));
}
