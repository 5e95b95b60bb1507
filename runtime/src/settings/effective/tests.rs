use super::*;

const NONE: [(&str, &str); 0] = [];

/// Properties by full name and value; `""` is the explicitly empty value.
fn properties(list: &[(&str, &str)]) -> Properties {
    list.iter()
        .map(|(key, value)| (*key, Property { kind: kind_of(key).into(), values: vec![value.to_string()] }))
        .collect()
}

fn kind_of(key: &str) -> &'static str {
    if key.ends_with("use_profile") { "boolean" } else { "astring" }
}

/// What is in force where the service says `service` and the instance says `instance`.
fn with(service: &[(&str, &str)], instance: &[(&str, &str)]) -> Effective {
    let own = properties(instance);
    let mut composed = properties(service);
    for (key, property) in own.iter() {
        composed.insert(key, property.clone());
    }
    effective("vm1", &composed, &own)
}

/// As [`with`], where nothing was wrong.
fn settings(service: &[(&str, &str)], instance: &[(&str, &str)]) -> Settings {
    let effective = with(service, instance);
    assert_eq!(effective.warnings, []);
    effective.settings
}

fn shown(effective: &Effective, name: &str) -> (String, Origin) {
    let entry = effective.origins.iter().find(|entry| entry.row.name == name).unwrap();
    (entry.value.as_ref().map(Value::to_string).unwrap_or_default(), entry.origin)
}

fn manifest() -> Vec<(String, &'static str)> {
    table::rows().filter_map(|row| Some((row.property(), row.manifest?))).collect()
}

fn with_manifest(instance: &[(&str, &str)]) -> Effective {
    let service = manifest();
    let service: Vec<_> = service.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    with(&service, instance)
}

const ALL_STATES: PerState = PerState { aborted: true, paused: true, halted: true, saved: true, stuck: true };
const NO_STATE: PerState = PerState { aborted: false, paused: false, halted: false, saved: false, stuck: false };

#[test]
fn built_in_values_hold_where_nobody_says_anything() {
    let built_in = settings(&NONE, &NONE);
    let expected = Settings {
        vm: "vm1".into(),
        user: None,
        environment: Vec::new(),
        kind: Kind::Headless,
        stop_method: StopMethod::SaveState,
        stop_timeout: None,
        smf_start_timeout: None,
        smf_stop_timeout: None,
        start: PerState { halted: true, saved: true, ..NO_STATE },
        restart: NO_STATE,
        restart_override: RestartOverride::AsSet,
        ignore_paused: true,
        offline_is_maint: false,
        maintenance_stops_vm: false,
        unknown_limit: UnknownLimit::After(0),
        start_wait: StartWait::Off,
        nice: 0,
        timezone: None,
        poll: Duration::from_secs(50),
        debug: false,
        aborts: RateLimit { maxcount: None, timeframe: None },
        hook: HookSettings {
            enabled: false,
            method: None,
            params: vec![],
            startdelay: Duration::from_secs(300),
            timeout: Duration::from_secs(60),
            failures: RateLimit { maxcount: None, timeframe: None },
            codes: HookCodes { okay: vec![0], failonce: vec![1], doreboot: vec![2], maintenance: vec![3] },
        },
        pidfile: None,
        nokick_file: None,
        blockfile: None,
        blockfile_enabled: true,
        blockfile_maxage: Duration::from_secs(60),
        restart_once: RestartOnce::Automatic,
        zfs: ZfsSettings {
            snapshot: false,
            datasets: None,
            append: vec![],
            prefix: "vboxsvc-auto-snap".into(),
            keep: 0,
        },
        fg_signals: ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGABRT"].map(String::from).to_vec(),
    };
    assert_eq!(built_in, expected);
}

#[test]
fn the_shipped_manifest_differs_from_the_built_in_values_only_where_it_says_so() {
    let effective = with_manifest(&NONE);
    assert_eq!(effective.warnings, []);
    let minutes = |n: u64| Some(Duration::from_secs(60 * n));
    let limit = RateLimit { maxcount: Some(3), timeframe: minutes(20) };
    let built_in = settings(&NONE, &NONE);
    let expected = Settings {
        stop_timeout: minutes(10),
        start: PerState { stuck: false, ..ALL_STATES },
        restart: PerState { aborted: true, ..NO_STATE },
        unknown_limit: UnknownLimit::After(3),
        aborts: limit,
        hook: HookSettings { failures: limit, ..built_in.hook.clone() },
        ..built_in
    };
    assert_eq!(effective.settings, expected);
}

#[test]
fn an_interactive_vm_under_the_shipped_manifest_is_left_to_its_user() {
    for (flag, kind, stop_method) in [
        ("vm/is_interactive", Kind::Interactive, StopMethod::SaveState),
        ("vm/is_dualboot", Kind::DualBoot, StopMethod::PowerOffGraceful),
    ] {
        let settings = with_manifest(&[(flag, "true")]).settings;
        assert_eq!((settings.kind, settings.stop_method), (kind, stop_method));
        assert_eq!((settings.start, settings.restart), (NO_STATE, NO_STATE), "{flag}: nothing is inherited");
        assert!(settings.ignore_paused);
        assert_eq!(settings.stop_timeout, Some(Duration::from_secs(600)), "other levels are inherited as ever");
    }
}

/// A value other than the built-in for every row, as text.
fn another(row: &Row) -> &'static str {
    match row.name {
        "name" => "other vm",
        "stop_method" => "reset",
        "start_wait_policy" => "delay",
        "kicker_restart" => "ALL",
        "timezone" => "UTC",
        "nice" => "7",
        "startgui_fg_trap_signals" => "SIGUSR1",
        "kicker_vmsvccheck_method" => "/opt/check",
        "kicker_vmsvccheck_method_params" => "-x",
        "kicker_restart_saved_vm_once_file_name" => "/opt/once",
        "kicker_pidfile_name" | "kicker_nokick_file_name" | "kicker_blockfile_name" => "/opt/file",
        "zfssnap_dslist" | "zfssnap_dslist_append" => "rpool/vm",
        "zfssnap_prefix" => "snap",
        name if name.contains("exitcode") => "9",
        // Two flags that are on by themselves for a headless VM, and two for every VM.
        "start_halted_vm" | "start_saved_vm" | "ignore_paused_vm" | "kicker_blockfile_enabled" => "false",
        _ if row.smf_type() == table::Type::Boolean => "true",
        _ => "17",
    }
}

#[test]
fn every_row_is_read_from_the_levels_the_table_gives_it() {
    for row in table::rows() {
        let key = row.property();
        let set = [(key.as_str(), another(row))];
        let of_service = with(&set, &NONE);
        let of_instance = with(&NONE, &set);
        assert_eq!((of_service.warnings, of_instance.warnings.len()), (vec![], 0), "{}", row.name);
        let shown_canonical = another(row).to_lowercase();
        let expected_service = if row.level == Level::Instance { Origin::BuiltIn } else { Origin::Service };
        let service_entry = of_service.origins.iter().find(|entry| entry.row.name == row.name).unwrap();
        assert_eq!(service_entry.origin, expected_service, "{}", row.name);
        let instance_entry = of_instance.origins.iter().find(|entry| entry.row.name == row.name).unwrap();
        assert_eq!(instance_entry.origin, Origin::Instance, "{}", row.name);
        let shown = instance_entry.value.as_ref().unwrap().to_string().to_lowercase();
        assert_eq!(shown.trim_matches('\''), shown_canonical, "{}", row.name);
        // And it reaches the typed settings: none of them is read under a wrong name. A limit takes two numbers.
        if !row.name.ends_with("_timeframe") {
            assert_ne!(of_instance.settings, settings(&NONE, &NONE), "{}", row.name);
        }
    }
}

#[test]
fn every_own_row_is_inherited_by_a_headless_vm_alone() {
    for row in table::rows().filter(|row| row.level == Level::Own) {
        let key = row.property();
        let value = if row.name == "ignore_paused_vm" { "false" } else { another(row) };
        let service = [(key.as_str(), value)];
        for kind in ["vm/is_interactive", "vm/is_dualboot"] {
            assert_eq!(shown(&with(&service, &[(kind, "true")]), row.name).1, Origin::BuiltIn, "{}", row.name);
            let own = with(&NONE, &[(kind, "true"), (&key, value)]);
            assert_eq!(shown(&own, row.name), (value.to_string(), Origin::Instance));
        }
        assert_eq!(shown(&with(&service, &NONE), row.name), (value.to_string(), Origin::Service));
    }
}

#[test]
fn the_instance_beats_the_service_in_every_row() {
    for row in table::rows().filter(|row| row.smf_type() == table::Type::Boolean) {
        let key = row.property();
        let effective = with(&[(&key, "true")], &[(&key, "false")]);
        assert_eq!(shown(&effective, row.name), ("false".to_string(), Origin::Instance));
    }
}

#[test]
fn a_kind_inherited_from_the_service_does_not_count() {
    for flag in ["vm/is_interactive", "vm/is_dualboot"] {
        assert_eq!(settings(&[(flag, "true")], &NONE).kind, Kind::Headless);
    }
    let both = [("vm/is_interactive", "false"), ("vm/is_dualboot", "true")];
    assert_eq!(settings(&NONE, &both).kind, Kind::DualBoot, "dual-boot implies interactive");
}

#[test]
fn an_explicitly_empty_value_stops_inheritance_and_means_the_automatic_one() {
    for row in table::rows().filter(|row| row.level == Level::Normal || row.level == Level::Own) {
        let key = row.property();
        let effective = with(&[(&key, another(row))], &[(&key, "")]);
        assert_eq!(effective.warnings, [], "{}", row.name);
        assert_eq!(effective.settings, settings(&NONE, &NONE), "{}", row.name);
        assert_eq!(shown(&effective, row.name).1, Origin::Instance, "{}", row.name);
    }
    let dual_boot = [("vm/is_dualboot", "true"), ("vm/stop_method", "")];
    assert_eq!(settings(&NONE, &dual_boot).stop_method, StopMethod::PowerOffGraceful);
}

#[test]
fn a_wrong_value_is_told_once_and_the_built_in_is_used() {
    let wrong_for = |row: &Row| match row.domain {
        Domain::Text => "a\u{7}b",
        Domain::SnapshotPrefix => "a@b",
        Domain::ShellWords => "'open",
        Domain::Datasets(_) => "-r",
        _ => "@",
    };
    for row in table::rows() {
        let key = row.property();
        let effective = with(&[(&key, another(row))], &[(&key, wrong_for(row))]);
        let told: Vec<_> = effective.warnings.iter().map(|warning| warning.property.as_str()).collect();
        assert_eq!(told, [key.as_str()]);
        assert_eq!(effective.settings, settings(&NONE, &NONE), "{}", row.name);
        assert_eq!(shown(&effective, row.name).1, Origin::BuiltIn);
    }
}

#[test]
fn warnings_say_what_is_wrong_and_what_is_used() {
    let warning = |key, value| with(&NONE, &[(key, value)]).warnings.remove(0);
    assert_eq!(warning("vm/kicker_freq", "0").message, "0 is not a number from 1 to 86400; using \"50\" instead");
    assert_eq!(
        warning("vm/kicker_vmsvccheck_method", "check").message,
        "\"check\" is not the absolute path of a file; it counts as unset"
    );
}

#[test]
fn nothing_but_true_means_true() {
    for value in ["yes", "TRUE", "2", "on", "true true"] {
        let effective = with(&NONE, &[("vm/start_stuck_vm", value)]);
        assert!(!effective.settings.start.stuck, "{value}");
        assert_eq!(effective.warnings.len(), 1);
    }
}

#[test]
fn an_unknown_stop_method_is_savestate_for_every_kind() {
    for instance in [&[][..], &[("vm/is_interactive", "true")], &[("vm/is_dualboot", "true")]] {
        let instance = [instance, &[("vm/stop_method", "savstate")]].concat();
        let effective = with(&[("vm/stop_method", "poweroff")], &instance);
        assert_eq!(effective.settings.stop_method, StopMethod::SaveState);
        assert_eq!(effective.warnings[0].property, "vm/stop_method");
    }
}

#[test]
fn every_stop_method_has_its_word() {
    for (word, method) in [
        ("savestate", StopMethod::SaveState),
        ("acpipowerbutton", StopMethod::AcpiPowerButton),
        ("acpisleepbutton", StopMethod::AcpiSleepButton),
        ("poweroff", StopMethod::PowerOff),
        ("reset", StopMethod::Reset),
        ("poweroff-graceful", StopMethod::PowerOffGraceful),
    ] {
        assert_eq!(settings(&[("vm/stop_method", word)], &NONE).stop_method, method);
    }
}

#[test]
fn every_word_of_start_wait_policy_belongs_to_its_family() {
    let families = [
        (StartWait::Off, &["off", "nodelay", "default", "none", "false", "nowait", "", "-"][..]),
        (StartWait::Delay, &["timeout", "delay", "wait"]),
        (StartWait::Hook, &["hook", "hook_lax", "vmsvccheck", "on", "true"]),
        (StartWait::HookStrict, &["hook_strict", "vmsvccheck_strict"]),
    ];
    for (policy, words) in families {
        for word in words {
            assert_eq!(settings(&[("vm/start_wait_policy", word)], &NONE).start_wait, policy, "{word}");
        }
    }
}

#[test]
fn kicker_restart_takes_its_words_in_any_case() {
    let families = [
        (RestartOverride::None, &["none", "no", "off", "false", "None", "FALSE"][..]),
        (RestartOverride::All, &["all", "on", "true", "ALL", "On"]),
        (RestartOverride::AsSet, &[""]),
    ];
    for (restart, words) in families {
        for word in words {
            assert_eq!(settings(&[("vm/kicker_restart", word)], &NONE).restart_override, restart, "{word}");
        }
    }
}

#[test]
fn restart_falls_back_to_what_start_says() {
    for state in ["aborted", "paused"] {
        let start = format!("vm/start_{state}_vm");
        let restart = format!("vm/restart_{state}_vm");
        let get =
            |settings: Settings| if state == "aborted" { settings.restart.aborted } else { settings.restart.paused };
        assert!(get(settings(&[(&start, "true")], &NONE)));
        assert!(!get(settings(&[(&start, "true"), (&restart, "false")], &NONE)));
        assert!(get(settings(&[(&start, "false"), (&restart, "true")], &NONE)));
        assert!(get(settings(&[(&start, "true"), (&restart, "")], &NONE)), "empty means the automatic one");
        let inherited = [(start.as_str(), "true")];
        assert!(!get(settings(&inherited, &[("vm/is_interactive", "true")])), "only its own start_* counts");
    }
    let start_all = ["halted", "saved", "stuck"].map(|state| format!("vm/start_{state}_vm"));
    let service: Vec<_> = start_all.iter().map(|key| (key.as_str(), "true")).collect();
    assert_eq!(settings(&service, &NONE).restart, NO_STATE, "the others do not");
}

#[test]
fn a_limit_takes_a_count_and_counts_for_ever_without_a_time_frame() {
    for (prefix, get) in [
        ("vm/restart_aborted_vm_failures", (|settings| settings.aborts) as fn(Settings) -> RateLimit),
        ("vm/kicker_vmsvccheck_failures", |settings| settings.hook.failures),
    ] {
        let (count, frame) = (format!("{prefix}_maxcount"), format!("{prefix}_timeframe"));
        let limit = |count_value: &str, frame_value: &str| {
            get(settings(&NONE, &[(count.as_str(), count_value), (frame.as_str(), frame_value)]))
        };
        assert_eq!(limit("5", "60"), RateLimit { maxcount: Some(5), timeframe: Some(Duration::from_secs(60)) });
        assert_eq!(limit("5", ""), RateLimit { maxcount: Some(5), timeframe: None });
        assert_eq!(limit("", "60").maxcount, None);
        assert_eq!(limit("0", "60").maxcount, None, "0 has always switched the limit off");
        assert_eq!(limit("5", "0").maxcount, None, "and so has a time frame of 0");
    }
}

#[test]
fn zero_stop_timeout_waits_for_ever() {
    assert_eq!(settings(&[("vm/stop_timeout", "0")], &NONE).stop_timeout, None);
    assert_eq!(settings(&[("vm/stop_timeout", "1")], &NONE).stop_timeout, Some(Duration::from_secs(1)));
}

#[test]
fn a_negative_unknown_state_count_never_goes_offline() {
    let limit = |count| settings(&[("vm/offline_unknown_state_maxcount", count)], &NONE).unknown_limit;
    assert_eq!(limit("-1"), UnknownLimit::Never);
    assert_eq!(limit("0"), UnknownLimit::After(0));
    assert_eq!(limit("3"), UnknownLimit::After(3));
}

#[test]
fn the_restart_once_file_is_off_automatic_or_a_path() {
    let once = |value| settings(&NONE, &[("vm/kicker_restart_saved_vm_once_file_name", value)]).restart_once;
    assert_eq!(once("false"), RestartOnce::Disabled);
    assert_eq!(once("true"), RestartOnce::Automatic);
    assert_eq!(once(""), RestartOnce::Automatic);
    assert_eq!(once("/var/run/once"), RestartOnce::At("/var/run/once".into()));
}

#[test]
fn snapshot_datasets_are_found_named_or_none() {
    let zfs = |name, value| settings(&[(name, value)], &NONE).zfs;
    assert_eq!(zfs("vm/zfssnap_dslist", "auto").datasets, None);
    assert_eq!(zfs("vm/zfssnap_dslist", "").datasets, None);
    assert_eq!(zfs("vm/zfssnap_dslist", "-").datasets, Some(vec![]));
    assert_eq!(zfs("vm/zfssnap_dslist", "a/b  /c").datasets, Some(vec!["a/b".into(), "/c".into()]));
    assert_eq!(zfs("vm/zfssnap_dslist_append", "a/b c").append, ["a/b", "c"]);
    assert_eq!(zfs("vm/zfssnap_dslist_append", "-").append, [""; 0]);
}

#[test]
fn either_debug_flag_means_more_log() {
    assert!(settings(&[("vm/kicker_debug", "true")], &NONE).debug);
    assert!(settings(&[("vm/debug_smf", "true")], &NONE).debug);
}

#[test]
fn smf_timeouts_of_zero_minus_one_or_none_are_no_limit() {
    let timeouts = |value: &str| {
        let settings = settings(&[("start/timeout_seconds", value), ("stop/timeout_seconds", value)], &NONE);
        assert_eq!(settings.smf_start_timeout, settings.smf_stop_timeout);
        settings.smf_start_timeout
    };
    assert_eq!(timeouts("300"), Some(Duration::from_secs(300)));
    assert_eq!(timeouts("0"), None);
    assert_eq!(timeouts("-1"), None);
    assert_eq!(timeouts("18446744073709551615"), None, "-1 as SMF prints its counts");
    let effective = with(&[("stop/timeout_seconds", "soon")], &NONE);
    assert_eq!(effective.settings.smf_stop_timeout, None);
    assert_eq!(effective.warnings[0].property, "stop/timeout_seconds");
}

#[test]
fn the_user_counts_only_beside_use_profile() {
    let context = [("method_context/user", "alice"), ("method_context/use_profile", "false")];
    assert_eq!(settings(&NONE, &context).user, Some("alice".into()));
    let start = [("start/user", "bob"), ("start/use_profile", "false")];
    assert_eq!(settings(&context, &start).user, Some("bob".into()), "the method's own context overrides");
    assert_eq!(settings(&context, &[("start/use_profile", "true")]).user, None, "a profile names its user elsewhere");

    let effective = with(&NONE, &[("method_context/user", "alice")]);
    assert_eq!(effective.settings.user, None);
    assert_eq!(effective.warnings[0].property, "method_context/user");
    assert!(effective.warnings[0].message.contains("root"));
    let with_start = with(&context, &[("start/user", "bob")]);
    assert_eq!((with_start.settings.user, with_start.warnings.len()), (Some("alice".into()), 1));
}

#[test]
fn a_plain_vm_needs_no_second_reading() {
    let service = manifest();
    let service: Vec<_> = service.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    assert!(!needs_own(&properties(&service)));
    for (key, value) in [
        ("vm/is_interactive", "true"),
        ("vm/is_dualboot", "t"),
        ("vm/is_dualboot", "perhaps"),
        ("vm/name", "Windows 10"),
        ("vm/kicker_pidfile_name", "/x"),
        ("vm/kicker_restart_saved_vm_once_file_name", "false"),
    ] {
        assert!(needs_own(&properties(&[&service[..], &[(key, value)]].concat())), "{key}");
    }
}

#[test]
fn of_the_methods_environment_only_what_is_for_virtualbox_is_taken_and_the_start_methods_own_goes_first() {
    let home = |value: &str| vec![("VBOX_USER_HOME".to_string(), value.to_string())];
    let instance = [("method_context/environment", "VBOX_USER_HOME=/a")];
    assert_eq!(settings(&NONE, &instance).environment, home("/a"));
    let both = [("method_context/environment", "VBOX_USER_HOME=/a"), ("start/environment", "VBOX_USER_HOME=/b=c")];
    assert_eq!(settings(&NONE, &both).environment, home("/b=c"));
    assert_eq!(settings(&NONE, &[("method_context/environment", "LD_PRELOAD=/x")]).environment, []);
}
