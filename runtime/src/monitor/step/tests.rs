//! The monitor's heart, event by event: what it asks for, and when it wants to be woken.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::decide::Sight;
use crate::decide::watch::{NoKick, SmfState};
use crate::exec::Ended;
use crate::settings::effective::effective;
use crate::settings::{PerState, RateLimit};
use crate::smf::svcprop::Properties;
use crate::virtualbox::State;

mod astray;

fn settings() -> Settings {
    let settings = effective("web", &Properties::default(), &Properties::default()).settings;
    let restart = PerState { aborted: true, paused: false, halted: false, saved: false, stuck: false };
    Settings { restart, start: PerState { halted: false, saved: false, ..restart }, ..settings }
}

fn secs(secs: u64) -> Moment {
    Duration::from_secs(secs)
}

fn look(settings: &Settings, word: &str, process: bool) -> Look {
    Look {
        settings: Box::new(settings.clone()),
        smf: SmfState::Up,
        nokick: NoKick::None,
        sight: Some(Sight::State(State::parse(word))),
        process,
        restart_once: false,
    }
}

fn unasked(settings: &Settings, process: bool) -> Event {
    Event::Looked(Look { sight: None, ..look(settings, "", process) })
}

fn killed() -> Event {
    ended(Ended::Signaled(9), false)
}

/// What there is to see of a server that still lives, or whose end the process told.
fn traces(lost: bool) -> Traces {
    Traces { lost, server: Some(!lost), unseen: Duration::ZERO }
}

fn ended(ended: Ended, lost: bool) -> Event {
    vm_ended(Some(ended), traces(lost))
}

fn vm_ended(ended: Option<Ended>, traces: Traces) -> Event {
    let launch = LaunchFailure { reason: "it ended at once".into(), again: Again::Never };
    Event::VmEnded { ended, traces, launch }
}

fn again(again: Again) -> Event {
    let launch = LaunchFailure { reason: "not yet".into(), again };
    Event::VmEnded { ended: Some(Ended::Exited(1)), traces: traces(false), launch }
}

/// The actions without the log lines.
fn acts(actions: Vec<Action>) -> Vec<Action> {
    actions.into_iter().filter(|a| !matches!(a, Action::Log(..))).collect()
}

/// A monitor whose VM is live since moment zero.
fn live(settings: &Settings) -> Monitor {
    let mut monitor = Monitor::new(Mode::Launch, settings.clone());
    let zero = Moment::ZERO;
    assert_eq!(acts(monitor.step(zero, Event::Begin)), [Action::Launch]);
    assert_eq!(acts(monitor.step(zero, Event::Launched(Ok(())))), []);
    assert_eq!(acts(monitor.step(zero, Event::Peeked(Some(true)))), [Action::Ready(Ok(()))]);
    monitor
}

const LOOK: Action = Action::Look { scope: Scope::All, reread: false };
const LOOK_AT_SMF: Action = Action::Look { scope: Scope::Service, reread: false };
const MAINTENANCE: Action = Action::Ask(Request::Maintenance { stop_vm: false });

#[test]
fn a_start_is_ready_when_virtualbox_lists_the_vm_not_when_a_process_was_launched() {
    let mut monitor = Monitor::new(Mode::Launch, settings());
    monitor.step(Moment::ZERO, Event::Begin);
    monitor.step(Moment::ZERO, Event::Launched(Ok(())));
    assert_eq!(acts(monitor.step(monitor.next_wake(), Event::Wake)), [Action::Peek]);
    for unknown in [Some(false), None] {
        assert_eq!(acts(monitor.step(secs(1), Event::Peeked(unknown))), []);
    }
    assert_eq!(acts(monitor.step(secs(2), Event::Peeked(Some(true)))), [Action::Ready(Ok(()))]);
}

#[test]
fn looks_at_a_launch_under_way_come_with_growing_gaps() {
    let mut monitor = Monitor::new(Mode::Launch, settings());
    monitor.step(Moment::ZERO, Event::Begin);
    monitor.step(Moment::ZERO, Event::Launched(Ok(())));
    let mut now = Moment::ZERO;
    let mut gaps = Vec::new();
    for _ in 0..8 {
        gaps.push((monitor.next_wake() - now).as_millis());
        now = monitor.next_wake();
        monitor.step(now, Event::Wake);
        monitor.step(now, Event::Peeked(Some(false)));
    }
    assert_eq!(gaps, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
}

#[test]
fn a_launch_that_never_becomes_live_fails_at_the_deadline() {
    let settings = Settings { smf_start_timeout: Some(secs(100)), ..settings() };
    let mut monitor = Monitor::new(Mode::Launch, settings);
    monitor.step(Moment::ZERO, Event::Begin);
    monitor.step(Moment::ZERO, Event::Launched(Ok(())));
    assert_eq!(acts(monitor.step(secs(94), Event::Peeked(Some(false)))), []);
    let actions = acts(monitor.step(secs(95), Event::Peeked(Some(false))));
    assert!(matches!(actions.as_slice(), [Action::Ready(Err(_)), Action::Exit]), "{actions:?}");
}

#[test]
fn a_first_launch_that_fails_is_told_to_the_start_method() {
    let mut monitor = Monitor::new(Mode::Launch, settings());
    monitor.step(Moment::ZERO, Event::Begin);
    monitor.step(Moment::ZERO, Event::Launched(Ok(())));
    let actions = acts(monitor.step(secs(1), ended(Ended::Exited(0), false)));
    assert_eq!(actions, [Action::Ready(Err("it ended at once".into())), Action::Exit]);
}

#[test]
fn a_locked_session_is_tried_again_and_a_wedged_one_is_left_in_peace_first() {
    for (kind, least, most) in [(Again::Soon, 0, 2), (Again::AfterQuiet, 6, 10)] {
        let mut monitor = Monitor::new(Mode::Launch, settings());
        monitor.step(Moment::ZERO, Event::Begin);
        monitor.step(Moment::ZERO, Event::Launched(Ok(())));
        assert_eq!(acts(monitor.step(secs(1), again(kind))), []);
        let gap = (monitor.next_wake() - secs(1)).as_secs();
        assert!((least..=most).contains(&gap), "{kind:?}: {gap} s");
        assert_eq!(acts(monitor.step(monitor.next_wake(), Event::Wake)), [Action::Launch]);
    }
}

#[test]
fn a_vm_whose_session_is_wedged_is_left_in_peace_however_often_it_is_polled() {
    let settings = Settings { poll: secs(2), ..settings() };
    let mut monitor = live(&settings);
    let wedged = Look { sight: Some(Sight::Wedged("a signal".into())), ..look(&settings, "", false) };
    for now in [10, 30, 50].map(secs) {
        assert_eq!(acts(monitor.step(now, Event::Looked(wedged.clone()))), []);
        assert!(monitor.next_wake() - now > secs(6), "asked again after {:?}", monitor.next_wake() - now);
    }
}

#[test]
fn a_lock_that_stays_ends_the_launch_at_its_deadline() {
    let mut monitor = Monitor::new(Mode::Launch, Settings { smf_start_timeout: Some(secs(20)), ..settings() });
    monitor.step(Moment::ZERO, Event::Begin);
    monitor.step(Moment::ZERO, Event::Launched(Ok(())));
    let mut now = Moment::ZERO;
    for _ in 0..1000 {
        let actions = acts(monitor.step(now, again(Again::Soon)));
        if let [Action::Ready(Err(_)), Action::Exit] = actions.as_slice() {
            assert!(now >= secs(10), "given up too early: {now:?}");
            return;
        }
        now = monitor.next_wake();
        monitor.step(now, Event::Wake);
        monitor.step(now, Event::Launched(Ok(())));
    }
    panic!("the launch was tried for ever");
}

#[test]
fn the_crash_of_the_vm_leads_to_a_launch_at_once_without_asking_virtualbox() {
    let settings = settings();
    let mut monitor = live(&settings);
    assert_eq!(acts(monitor.step(secs(100), killed())), [LOOK_AT_SMF]);
    assert_eq!(acts(monitor.step(secs(100), unasked(&settings, false))), [Action::Launch]);
    monitor.step(secs(100), Event::Launched(Ok(())));
    assert_eq!(acts(monitor.step(secs(101), Event::Peeked(Some(true)))), []);
    assert_eq!(monitor.notes().restarts, 1);
}

#[test]
fn an_end_at_a_time_when_virtualbox_had_lost_the_vm_is_a_crash_though_it_exited_0() {
    let settings = settings();
    let mut monitor = live(&settings);
    assert_eq!(acts(monitor.step(secs(100), ended(Ended::Exited(0), true))), [LOOK_AT_SMF]);
}

#[test]
fn a_guest_that_powers_itself_off_is_left_alone_and_looked_at_once() {
    let settings = settings();
    let mut monitor = live(&settings);
    assert_eq!(acts(monitor.step(secs(100), ended(Ended::Exited(0), false))), [LOOK]);
    assert_eq!(acts(monitor.step(secs(100), Event::Looked(look(&settings, "poweroff", false)))), []);
    assert_eq!(monitor.next_wake(), secs(100) + settings.poll, "nothing is left to wait for but the next poll");
}

#[test]
fn a_state_that_is_not_known_is_asked_again_with_growing_gaps_up_to_the_poll() {
    let settings = settings();
    let mut monitor = live(&settings);
    let mut now = secs(50);
    let mut gaps = Vec::new();
    for _ in 0..14 {
        let unknown = Look { sight: Some(Sight::NotKnown("late".into())), ..look(&settings, "", true) };
        assert_eq!(acts(monitor.step(now, Event::Looked(unknown))), []);
        gaps.push(monitor.next_wake() - now);
        now = monitor.next_wake();
        monitor.step(now, Event::Wake);
    }
    assert!(gaps.windows(2).all(|w| w[0] <= w[1]), "{gaps:?}");
    assert!(gaps[0] < secs(1) && gaps[13] == settings.poll, "{gaps:?}");
}

#[test]
fn repeated_crashes_soon_after_a_start_wait_longer_each_time() {
    let settings = settings();
    let mut monitor = live(&settings);
    let mut now = secs(1);
    let mut waits = Vec::new();
    for _ in 0..9 {
        monitor.step(now, killed());
        let mut actions = acts(monitor.step(now, unasked(&settings, false)));
        let began = now;
        while actions.is_empty() {
            assert!(monitor.next_wake() > now, "woken without end");
            now = monitor.next_wake();
            assert_eq!(acts(monitor.step(now, Event::Wake)), [LOOK]);
            actions = acts(monitor.step(now, Event::Looked(look(&settings, "aborted", false))));
        }
        assert_eq!(actions, [Action::Launch]);
        waits.push((now - began).as_secs());
        monitor.step(now, Event::Launched(Ok(())));
        monitor.step(now, Event::Peeked(Some(true)));
        now += secs(1);
    }
    assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn a_vm_that_lived_long_is_brought_back_at_once_however_often_it_died_before() {
    let settings = settings();
    let mut monitor = live(&settings);
    let mut now = secs(1);
    for life in [1, 1, 3600] {
        monitor.step(now, killed());
        while acts(monitor.step(now, unasked(&settings, false))) != [Action::Launch] {
            now = monitor.next_wake();
        }
        monitor.step(now, Event::Launched(Ok(())));
        monitor.step(now, Event::Peeked(Some(true)));
        now += secs(life);
    }
    monitor.step(now, killed());
    assert_eq!(acts(monitor.step(now, unasked(&settings, false))), [Action::Launch]);
}

#[test]
fn more_aborts_than_the_limit_in_the_time_frame_end_in_maintenance() {
    let aborts = RateLimit { maxcount: Some(2), timeframe: Some(secs(1000)) };
    let settings = Settings { aborts, ..settings() };
    let crash = |monitor: &mut Monitor, now: Moment| {
        monitor.step(now, killed());
        acts(monitor.step(now, unasked(&settings, false)))
    };
    let come_back = |monitor: &mut Monitor, now: Moment| {
        monitor.step(now, Event::Launched(Ok(())));
        monitor.step(now, Event::Peeked(Some(true)));
    };
    let mut monitor = live(&settings);
    for at in [100, 300] {
        assert_eq!(crash(&mut monitor, secs(at)), [Action::Launch]);
        come_back(&mut monitor, secs(at));
    }
    assert_eq!(crash(&mut monitor.clone(), secs(1100)), [MAINTENANCE], "the third within the time frame");
    assert_eq!(crash(&mut monitor, secs(1101)), [Action::Launch], "the first is forgotten by now");
}

#[test]
fn one_abort_is_counted_once_however_often_it_is_looked_at() {
    let aborts = RateLimit { maxcount: Some(1), timeframe: None };
    let settings = Settings { aborts, ..settings() };
    let mut monitor = live(&settings);
    monitor.step(secs(100), killed());
    for at in 100..110 {
        let held = Look { nokick: NoKick::Administrator, ..look(&settings, "aborted", false) };
        assert_eq!(acts(monitor.step(secs(at), Event::Looked(held))), []);
    }
    assert_eq!(acts(monitor.step(secs(120), Event::Looked(look(&settings, "aborted", false)))), [Action::Launch]);
}

#[test]
fn a_restart_that_fails_asks_for_maintenance() {
    let settings = settings();
    let mut monitor = live(&settings);
    monitor.step(secs(100), killed());
    monitor.step(secs(100), unasked(&settings, false));
    monitor.step(secs(100), Event::Launched(Ok(())));
    assert_eq!(acts(monitor.step(secs(101), ended(Ended::Exited(1), false))), [MAINTENANCE]);
}

#[test]
fn a_process_that_virtualbox_mistook_for_the_one_before_is_neither_a_restart_nor_an_abort() {
    let settings = settings();
    let mut monitor = live(&settings);
    assert_eq!(acts(monitor.step(secs(100), killed())), [LOOK_AT_SMF]);
    assert_eq!(acts(monitor.step(secs(100), unasked(&settings, false))), [Action::Launch]);
    monitor.step(secs(100), Event::Launched(Ok(())));
    // VirtualBox has not noticed the death yet, and lists the VM; the new process finds its session locked.
    monitor.step(secs(101), Event::Peeked(Some(true)));
    assert_eq!(acts(monitor.step(secs(101), again(Again::Soon))), []);
    assert_eq!((monitor.notes().restarts, monitor.live_since()), (0, None));
    assert_eq!(acts(monitor.step(monitor.next_wake(), Event::Wake)), [Action::Launch]);
    monitor.step(secs(102), Event::Launched(Ok(())));
    monitor.step(secs(103), Event::Peeked(Some(true)));
    assert_eq!((monitor.notes().restarts, monitor.live_since()), (1, Some(secs(103))));
    // One abort so far: the next one, soon after, waits for no longer than a second one does.
    monitor.step(secs(104), killed());
    monitor.step(secs(104), unasked(&settings, false));
    assert_eq!(monitor.next_wake(), secs(105));
}

#[test]
fn a_vm_killed_while_it_was_coming_back_is_one_more_abort_with_its_wait() {
    let aborts = RateLimit { maxcount: Some(2), timeframe: None };
    let settings = Settings { aborts, ..settings() };
    let mut monitor = live(&settings);
    monitor.step(secs(100), killed());
    assert_eq!(acts(monitor.step(secs(100), unasked(&settings, false))), [Action::Launch]);
    monitor.step(secs(100), Event::Launched(Ok(())));
    assert_eq!(acts(monitor.step(secs(101), killed())), [LOOK_AT_SMF]);
    assert_eq!(acts(monitor.step(secs(101), unasked(&settings, false))), [], "it waits a second first");
    assert_eq!(acts(monitor.step(secs(103), unasked(&settings, false))), [Action::Launch]);
    monitor.step(secs(103), Event::Launched(Ok(())));
    monitor.step(secs(104), killed());
    assert_eq!(acts(monitor.step(secs(104), unasked(&settings, false))), [MAINTENANCE], "the third is one too many");
}

#[test]
fn a_refused_request_is_told_once_and_the_watch_goes_on() {
    let settings = Settings { restart: PerState { aborted: false, ..settings().restart }, ..settings() };
    let mut monitor = live(&settings);
    monitor.step(secs(100), killed());
    let mut told = 0;
    for at in [100, 150, 200] {
        assert_eq!(acts(monitor.step(secs(at), Event::Looked(look(&settings, "aborted", false)))), [MAINTENANCE]);
        let actions = monitor.step(secs(at), Event::Asked(Err("Permission denied".into())));
        told += actions.iter().filter(|a| matches!(a, Action::Log(Level::Error, _))).count();
        assert!(monitor.next_wake() > secs(at));
    }
    assert_eq!(told, 1);
    assert_eq!(monitor.notes().complaint.as_deref(), Some("Permission denied"));
}

#[test]
fn the_service_going_down_ends_the_monitor_and_a_transition_does_not() {
    let settings = settings();
    let mut monitor = live(&settings);
    for (smf, wanted) in [
        (SmfState::InTransition, vec![]),
        (SmfState::NotKnown("slow".into()), vec![]),
        (SmfState::Down("maintenance".into()), vec![Action::Exit]),
    ] {
        let seen = Look { smf, ..look(&settings, "running", true) };
        assert_eq!(acts(monitor.step(secs(50), Event::Looked(seen))), wanted);
        assert!(!wanted.is_empty() || monitor.next_wake() < secs(51), "what passes is looked at again soon");
    }
}

#[test]
fn a_refresh_reads_everything_again_at_once() {
    let mut monitor = live(&settings());
    assert_eq!(acts(monitor.step(secs(3), Event::Refresh)), [Action::Look { scope: Scope::All, reread: true }]);
    let quicker = Settings { poll: secs(7), ..settings() };
    monitor.step(secs(3), Event::Looked(look(&quicker, "running", true)));
    assert_eq!(monitor.next_wake(), secs(10));
}

#[test]
fn standing_down_ends_the_monitor_and_a_start_under_way_fails() {
    assert_eq!(acts(live(&settings()).step(secs(9), Event::StandDown)), [Action::Exit]);
    let mut starting = Monitor::new(Mode::Launch, settings());
    starting.step(Moment::ZERO, Event::Begin);
    let actions = acts(starting.step(secs(1), Event::StandDown));
    assert!(matches!(actions.as_slice(), [Action::Ready(Err(_)), Action::Exit]), "{actions:?}");
}

#[test]
fn a_paused_vm_that_a_former_monitor_started_is_resumed_before_the_start_is_done() {
    for (taken, done) in [(Ok(()), true), (Err(LaunchFailure { reason: "no".into(), again: Again::Never }), false)] {
        let mut monitor = Monitor::new(Mode::Attach { resume: true }, settings());
        assert_eq!(acts(monitor.step(Moment::ZERO, Event::Begin)), [Action::Order(Verb::Resume)]);
        let actions = acts(monitor.step(secs(1), Event::Ordered(Verb::Resume, taken)));
        assert!(matches!(actions.first(), Some(Action::Ready(outcome)) if outcome.is_ok() == done), "{actions:?}");
        assert_eq!(actions.contains(&Action::Exit), !done);
    }
}

#[test]
fn a_stuck_vm_is_powered_off_and_launched_again() {
    let settings = Settings { restart: PerState { stuck: true, ..settings().restart }, ..settings() };
    let mut monitor = live(&settings);
    assert_eq!(acts(monitor.step(secs(50), Event::Looked(look(&settings, "gurumeditation", true)))), [LOOK]);
    let orders = acts(monitor.step(secs(50), Event::Looked(look(&settings, "gurumeditation", true))));
    assert_eq!(orders, [Action::Order(Verb::PowerOff)]);
    monitor.step(secs(51), Event::Ordered(Verb::PowerOff, Ok(())));
    assert_eq!(acts(monitor.step(secs(52), ended(Ended::Exited(0), false))), [Action::Launch]);
}

fn hooked() -> Settings {
    let mut settings = settings();
    settings.hook.enabled = true;
    settings.hook.method = Some("/opt/check".into());
    settings.hook.startdelay = secs(30);
    settings.hook.failures = RateLimit { maxcount: Some(1), timeframe: Some(secs(600)) };
    settings
}

/// Runs the hook at this moment and gives back what its result leads to.
fn check(monitor: &mut Monitor, settings: &Settings, at: u64, code: Option<i32>) -> Vec<Action> {
    let actions = acts(monitor.step(secs(at), Event::Looked(look(settings, "running", true))));
    assert_eq!(actions, [Action::RunHook], "at {at} s");
    acts(monitor.step(secs(at) + secs(1), Event::HookEnded(code)))
}

#[test]
fn the_hook_waits_for_its_start_delay_and_wakes_the_monitor_when_it_is_due() {
    let settings = hooked();
    let mut monitor = live(&settings);
    assert_eq!(acts(monitor.step(secs(1), Event::Looked(look(&settings, "running", true)))), []);
    assert_eq!(monitor.next_wake(), secs(30));
    assert_eq!(acts(monitor.step(secs(30), Event::Looked(look(&settings, "running", true)))), [Action::RunHook]);
    let again = acts(monitor.step(secs(31), Event::Looked(look(&settings, "running", true))));
    assert_eq!(again, [], "one hook at a time");
}

#[test]
fn hook_failures_reboot_over_the_limit_and_okay_clears_them() {
    let settings = hooked();
    let mut monitor = live(&settings);
    assert_eq!(check(&mut monitor, &settings, 50, Some(1)), []);
    assert_eq!(check(&mut monitor, &settings, 100, Some(0)), []);
    assert_eq!(check(&mut monitor, &settings, 150, None), []);
    assert_eq!(check(&mut monitor, &settings, 200, Some(99)), [LOOK], "a reboot begins with a look");
    let orders = acts(monitor.step(secs(202), Event::Looked(look(&settings, "running", true))));
    assert_eq!(orders, [Action::Order(Verb::AcpiPowerButton)]);
}

#[test]
fn the_hook_may_ask_for_a_reboot_or_for_maintenance_at_once() {
    let settings = hooked();
    assert_eq!(check(&mut live(&settings), &settings, 50, Some(2)), [LOOK]);
    assert_eq!(check(&mut live(&settings), &settings, 50, Some(3)), [MAINTENANCE]);
    let stopping = Settings { maintenance_stops_vm: true, ..hooked() };
    let asked = check(&mut live(&stopping), &stopping, 50, Some(3));
    assert_eq!(asked, [Action::Ask(Request::Maintenance { stop_vm: true })]);
}

#[test]
fn a_hook_whose_vm_died_meanwhile_says_nothing() {
    let settings = hooked();
    let mut monitor = live(&settings);
    monitor.step(secs(50), Event::Looked(look(&settings, "running", true)));
    assert_eq!(acts(monitor.step(secs(51), killed())), [Action::KillHook, LOOK_AT_SMF]);
    assert_eq!(acts(monitor.step(secs(51), Event::HookEnded(Some(3)))), []);
}

#[test]
fn a_reboot_that_fails_asks_for_maintenance() {
    let settings = Settings { stop_timeout: Some(secs(60)), ..hooked() };
    let mut monitor = live(&settings);
    check(&mut monitor, &settings, 50, Some(2));
    let actions = acts(monitor.step(secs(200), Event::Looked(look(&settings, "running", true))));
    assert_eq!(actions, [MAINTENANCE]);
}

fn any_event() -> impl Strategy<Value = Event> {
    let words = prop::sample::select(vec![
        "running",
        "paused",
        "saving",
        "saved",
        "poweroff",
        "aborted",
        "gurumeditation",
        "stopping",
        "starting",
        "",
        "hm",
    ]);
    let smf = prop_oneof![
        6 => Just(SmfState::Up),
        1 => Just(SmfState::InTransition),
        1 => Just(SmfState::NotKnown("?".to_string())),
    ];
    let nokick = prop_oneof![5 => Just(NoKick::None), 1 => Just(NoKick::Administrator)];
    let looked = (words, smf, nokick, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(word, smf, nokick, asked, process, restart_once)| {
            let sight = asked.then(|| Sight::State(State::parse(word)));
            Event::Looked(Look { smf, nokick, sight, restart_once, ..look(&hooked(), word, process) })
        },
    );
    let failure = prop::sample::select(vec![Again::Soon, Again::AfterQuiet, Again::Never])
        .prop_map(|again| LaunchFailure { reason: "no".into(), again });
    prop_oneof![
        4 => looked,
        3 => Just(Event::Wake),
        1 => Just(Event::Launched(Ok(()))),
        1 => failure.clone().prop_map(|f| Event::Launched(Err(f))),
        1 => prop::option::of(any::<bool>()).prop_map(Event::Peeked),
        1 => (prop::option::of(0..3), any::<bool>(), failure.clone()).prop_map(|(code, lost, launch)| {
            Event::VmEnded { ended: code.map(Ended::Exited), traces: traces(lost), launch }
        }),
        1 => failure.prop_map(|f| Event::Ordered(Verb::PowerOff, Err(f))),
        1 => Just(Event::Ordered(Verb::PowerOff, Ok(()))),
        1 => prop::option::of(0..5).prop_map(Event::HookEnded),
        1 => any::<bool>().prop_map(|ok| Event::Asked(if ok { Ok(()) } else { Err("no".into()) })),
        1 => Just(Event::Refresh),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no panic, no busy loop, and no launch while a process of the VM lives.
    #[test]
    fn any_events_in_any_order_keep_the_invariants(events in prop::collection::vec((any_event(), 0u64..5000), 1..120)) {
        let mut monitor = live(&hooked());
        let mut now = Moment::ZERO;
        for (event, passed) in events {
            now += Duration::from_millis(passed);
            let process_lives = match &event {
                Event::Looked(look) => Some(look.process),
                Event::VmEnded { .. } => Some(false),
                _ => None,
            };
            let looked = matches!(event, Event::Looked(_));
            let relaunch_under_way = monitor.notes().launching;
            let actions = monitor.step(now, event);
            if looked && !relaunch_under_way {
                let under_way = actions.iter().any(|a| !matches!(a, Action::Log(..)));
                prop_assert!(under_way || monitor.next_wake() > now, "woken at once, without end");
            }
            let launches = actions.contains(&Action::Launch);
            prop_assert!(!(launches && process_lives == Some(true)), "launched beside a living process");
            prop_assert!(!(launches && actions.iter().any(|a| matches!(a, Action::Ask(_)))));
            prop_assert!(actions.iter().filter(|a| matches!(a, Action::Launch)).count() <= 1);
        }
    }
}
