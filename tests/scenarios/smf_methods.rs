//! svc.startd: what methods get, and what becomes of an instance when they end.

mod support;

use std::fs;

use support::{
    DEFAULT, Manifest, calls, eventually, host_with, is_alive, plain_host, set_exit, svcadm, svcprop, svcs, wait,
};

/// A start method that leaves a process behind and notes its pid.
const LEAVES_ONE: &str = "if [ $1 = start ]; then sleep 600 & echo $! >$R/pid; fi";
const CONTRACT: &str = "";

#[test]
fn a_transient_service_starts_stops_and_keeps_what_it_left_running() {
    let host = host_with(&Manifest::default(), LEAVES_ONE);
    svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "online");
    let pid = fs::read_to_string(host.root().join("pid")).unwrap();
    assert!(is_alive(&pid));
    assert_eq!(svcprop(&host, &format!("-p restarter/contract {DEFAULT}")).stdout, "\n", "no contract is kept");
    svcadm(&host, &format!("disable -s {DEFAULT}")).expect_success();
    assert_eq!((calls(&host, "start"), calls(&host, "stop")), (1, 1));
    assert!(is_alive(&pid), "the contract was abandoned at the start");
    let log = host.log(DEFAULT);
    for line in [
        "Enabled.",
        "Executing start method (\"/lib/svc/method/test start\").",
        "Method \"start\" exited with status 0.",
        "Stopping because service disabled.",
    ] {
        assert!(log.contains(line), "{line} is missing in\n{log}");
    }
}

#[test]
fn dropping_the_host_kills_what_methods_and_people_left_running() {
    let host = host_with(&Manifest::default(), "if [ $1 = start ]; then (cd / && setsid sleep 600) & sleep 0.1; fi");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    let pids = host.processes();
    assert!(pids.len() >= 2, "svc.startd and the method's child at least");
    drop(host);
    eventually("every process is gone", || !pids.iter().any(|pid| is_alive(&pid.to_string())));
}

#[test]
fn every_exit_status_of_a_start_method_has_its_result() {
    for (code, state, starts, reason) in [
        (0, "online", 1, "dependencies_satisfied"),
        (94, "online", 1, "dependencies_satisfied"),
        (97, "degraded", 1, "dependencies_satisfied"),
        (95, "maintenance", 1, "method_failed"),
        (96, "maintenance", 1, "method_failed"),
        (99, "maintenance", 1, "method_failed"),
        (100, "maintenance", 1, "method_failed"),
        (98, "maintenance", 3, "fault_threshold_reached"),
        (1, "maintenance", 3, "fault_threshold_reached"),
    ] {
        let host = plain_host();
        set_exit(&host, "start", code);
        svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
        wait(&host, DEFAULT, state);
        assert_eq!(calls(&host, "start"), starts, "exit {code}");
        assert_eq!(host.property(DEFAULT, "restarter", "auxiliary_state").as_deref(), Some(reason), "exit {code}");
        let status = host.property(DEFAULT, "restarter", "start_method_waitstatus").unwrap();
        assert_eq!(status, (code << 8).to_string());
    }
}

#[test]
fn a_stop_method_that_fails_three_times_or_fatally_means_maintenance() {
    for (code, stops) in [(1, 3), (95, 1)] {
        let host = plain_host();
        svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
        set_exit(&host, "stop", code);
        svcadm(&host, &format!("disable {DEFAULT}")).expect_success();
        wait(&host, DEFAULT, "maintenance");
        assert_eq!(calls(&host, "stop"), stops);
    }
}

#[test]
fn refresh_runs_only_when_running_and_three_failures_mean_maintenance() {
    let host = plain_host();
    svcadm(&host, &format!("refresh {DEFAULT}")).expect_success();
    eventually("the log says so", || host.log(DEFAULT).matches("Rereading configuration.").count() >= 2);
    assert_eq!(calls(&host, "refresh"), 0);
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    svcadm(&host, &format!("refresh {DEFAULT}")).expect_success();
    eventually("the method ran", || calls(&host, "refresh") == 1);
    wait(&host, DEFAULT, "online");
    set_exit(&host, "refresh", 1);
    svcadm(&host, &format!("refresh {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    assert_eq!(calls(&host, "refresh"), 4);
}

#[test]
fn a_missing_refresh_method_counts_as_true() {
    let host = host_with(&Manifest { refresh: false, ..Manifest::default() }, "");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    svcadm(&host, &format!("refresh {DEFAULT}")).expect_success();
    eventually("the log says so", || host.log(DEFAULT).contains("No 'refresh' method defined.  Treating as :true."));
    wait(&host, DEFAULT, "online");
}

#[test]
fn after_clear_one_failure_is_enough_for_maintenance_again() {
    let host = plain_host();
    set_exit(&host, "start", 1);
    svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    svcadm(&host, &format!("clear {DEFAULT}")).expect_success();
    eventually("it was tried again", || calls(&host, "start") == 4);
    wait(&host, DEFAULT, "maintenance");
    set_exit(&host, "start", 0);
    svcadm(&host, &format!("clear {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "online");
    assert_eq!(calls(&host, "start"), 5);
    assert!(host.log(DEFAULT).contains("Leaving maintenance because clear requested."));
}

#[test]
fn a_start_that_times_out_is_killed_with_its_children_and_tried_again() {
    let manifest = Manifest { start_timeout: 1, ..Manifest::default() };
    let host = host_with(&manifest, "if [ $1 = start ]; then setsid sleep 600 & echo $! >>$R/pids; sleep 600; fi");
    svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    let log = host.log(DEFAULT);
    assert!(log.contains("Method or service exit timed out.  Killing contract "), "{log}");
    assert!(log.contains("Method \"start\" failed due to signal KILL."), "{log}");
    let pids = fs::read_to_string(host.root().join("pids")).unwrap();
    assert_eq!(pids.lines().count(), 3);
    assert!(!pids.lines().any(is_alive));
}

#[test]
fn timeout_retry_false_makes_the_first_timeout_final() {
    let startd = "<propval name='duration' type='astring' value='transient'/><propval name='timeout_retry' type='boolean' value='false'/>";
    let host = host_with(&Manifest { startd, start_timeout: 1, ..Manifest::default() }, "[ $1 = start ] && sleep 600");
    svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    assert_eq!(calls(&host, "start"), 1);
}

#[test]
fn the_fifth_start_within_the_period_is_not_run() {
    let host = host_with(&Manifest { startd: CONTRACT, stop: ":kill", ..Manifest::default() }, "");
    svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    assert_eq!(calls(&host, "start"), 4, "a service without processes is restarted until it is too quick");
    assert_eq!(host.property(DEFAULT, "restarter", "auxiliary_state").as_deref(), Some("restarting_too_quickly"));
    let log = host.log(DEFAULT);
    assert!(log.contains("Restarting too quickly, changing state to maintenance."), "{log}");
    assert!(log.contains("Stopping because all processes in service exited."), "{log}");
}

#[test]
fn a_restart_by_hand_resets_the_count_of_starts() {
    let host = plain_host();
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    for starts in 2..8 {
        svcadm(&host, &format!("restart {DEFAULT}")).expect_success();
        eventually("it was started again", || calls(&host, "start") == starts);
        wait(&host, DEFAULT, "online");
    }
}

#[test]
fn a_contract_service_is_its_processes() {
    let host = host_with(&Manifest { startd: CONTRACT, stop: ":kill", ..Manifest::default() }, LEAVES_ONE);
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    let pid = fs::read_to_string(host.root().join("pid")).unwrap();
    let contract = svcs(&host, &format!("-Ho ctid {DEFAULT}")).stdout;
    assert!(contract.trim().parse::<u32>().is_ok(), "{contract}");
    assert!(svcs(&host, &format!("-p {DEFAULT}")).stdout.contains("sleep"));
    svcadm(&host, &format!("disable -s {DEFAULT}")).expect_success();
    assert!(!is_alive(&pid));
}

#[test]
fn when_the_contract_empties_the_stop_method_runs_and_the_service_restarts() {
    let host = host_with(&Manifest { startd: CONTRACT, ..Manifest::default() }, LEAVES_ONE);
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    let pid = fs::read_to_string(host.root().join("pid")).unwrap();
    std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
    eventually("it was started again", || calls(&host, "start") == 2);
    wait(&host, DEFAULT, "online");
    assert_eq!(calls(&host, "stop"), 1);
}

#[test]
fn exit_94_abandons_the_contract_and_the_stop_method_never_runs() {
    let host = host_with(&Manifest { startd: CONTRACT, ..Manifest::default() }, LEAVES_ONE);
    set_exit(&host, "start", 94);
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    assert_eq!(svcs(&host, &format!("-Ho ctid {DEFAULT}")).stdout.trim(), "-");
    svcadm(&host, &format!("disable -s {DEFAULT}")).expect_success();
    assert_eq!(calls(&host, "stop"), 0);
    assert!(is_alive(&fs::read_to_string(host.root().join("pid")).unwrap()));
}

#[test]
fn a_failed_start_leaves_its_processes_alive() {
    let host = host_with(&Manifest { startd: CONTRACT, ..Manifest::default() }, LEAVES_ONE);
    set_exit(&host, "start", 95);
    svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    assert!(is_alive(&fs::read_to_string(host.root().join("pid")).unwrap()));
}

#[test]
fn a_process_that_survives_the_stop_method_is_killed_at_the_timeout_and_means_maintenance() {
    let host = host_with(&Manifest { startd: CONTRACT, stop_timeout: 1, ..Manifest::default() }, LEAVES_ONE);
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    svcadm(&host, &format!("disable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    assert_eq!(calls(&host, "stop"), 1, "no retry");
    assert!(!is_alive(&fs::read_to_string(host.root().join("pid")).unwrap()));
}

#[test]
fn a_wait_style_service_is_online_at_once_and_restarted_without_its_stop_method() {
    let manifest =
        Manifest { startd: "<propval name='duration' type='astring' value='child'/>", ..Manifest::default() };
    let host = host_with(&manifest, "[ $1 = start ] && [ ! -f $R/go ] && sleep 600");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    let pid = host.property(DEFAULT, "restarter", "start_pid").unwrap();
    std::process::Command::new("kill").arg(pid).status().unwrap();
    eventually("it was started again", || calls(&host, "start") == 2);
    assert_eq!(calls(&host, "stop"), 0);
}

#[test]
fn kill_is_no_stop_method_for_a_transient_service() {
    let host = host_with(&Manifest { stop: ":kill", ..Manifest::default() }, "");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    svcadm(&host, &format!("disable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    assert!(host.log(DEFAULT).contains("Invalid use of \":kill\" as stop method for transient service."));
}

#[test]
fn methods_get_smfs_environment_and_nothing_else() {
    let context = "<method_context><method_environment><envvar name='LANG' value='C.UTF-8'/></method_environment></method_context>";
    let host = host_with(&Manifest { context, ..Manifest::default() }, "[ $1 = start ] && env >$R/env && pwd >$R/cwd");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    let text = fs::read_to_string(host.root().join("env")).unwrap();
    // The shell that runs the script adds these by itself.
    let mut names: Vec<&str> = text
        .lines()
        .filter_map(|l| l.split_once('='))
        .map(|(n, _)| n)
        .filter(|n| !["PWD", "SHLVL", "_", "OLDPWD"].contains(n))
        .collect();
    names.sort_unstable();
    let expected = [
        "LANG",
        "PATH",
        "SMF_FMRI",
        "SMF_METHOD",
        "SMF_RESTARTER",
        "SMF_ZONENAME",
        "TZ",
        "VBOXSVC_RUN_DIR",
        "VBOXSVC_TOOL_PATH",
    ];
    assert_eq!(names, expected);
    assert!(text.contains(&format!("SMF_FMRI={DEFAULT}\n")) && text.contains("SMF_METHOD=start\n"));
    assert!(text.contains("PATH=/usr/sbin:/usr/bin\n"));
    assert_eq!(fs::read_to_string(host.root().join("cwd")).unwrap(), "/\n");
}

#[test]
fn an_unknown_user_or_a_missing_directory_means_maintenance() {
    for context in [
        "<method_context><method_credential user='no-such-user'/></method_context>",
        "<method_context working_directory='/no/such/directory'/>",
    ] {
        let host = host_with(&Manifest { context, ..Manifest::default() }, "");
        svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
        wait(&host, DEFAULT, "maintenance");
        assert_eq!(calls(&host, "start"), 0);
    }
}

#[test]
fn a_user_set_without_use_profile_is_ignored_and_with_it_honoured() {
    if !nix::unistd::geteuid().is_root() {
        return; // only root can become somebody else
    }
    let host = host_with(&Manifest::default(), "[ $1 = start ] && id -un >>$R/calls");
    let who = || fs::read_to_string(host.root().join("calls")).unwrap().lines().last().unwrap_or_default().to_string();
    let set = |commands: &str| host.svccfg(&format!("select {DEFAULT}\n{commands}\nrefresh\n")).expect_success();
    set("addpg start method\nsetprop start/user = astring: nobody\nsetprop start/working_directory = astring: /");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    assert_eq!(who(), "root");
    set("setprop start/use_profile = boolean: false");
    svcadm(&host, &format!("disable -s {DEFAULT}")).expect_success();
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    assert_eq!(who(), "nobody");
}

#[test]
fn tokens_are_expanded_and_a_missing_property_means_maintenance() {
    let host = plain_host();
    let set = |exec: &str| {
        host.svccfg(&format!("select {DEFAULT}\nsetprop start/exec = astring: \"{exec}\"\nrefresh\n")).expect_success();
    };
    host.svccfg(&format!("select {DEFAULT}\naddpg start method\n")).expect_success();
    set("/bin/echo %i %m %{vm/stop_method}");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    assert!(host.log(DEFAULT).contains("\ndefault start savestate\n"), "{}", host.log(DEFAULT));
    set("/bin/echo %{vm/no_such}");
    svcadm(&host, &format!("restart {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    assert!(host.log(DEFAULT).contains("property \"vm/no_such\" not found"));
}

#[test]
fn mark_maintenance_stops_first_and_immediate_does_not() {
    let host = plain_host();
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    svcadm(&host, &format!("mark maintenance {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    assert_eq!(calls(&host, "stop"), 1);
    svcadm(&host, &format!("clear {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "online");
    svcadm(&host, &format!("mark -I maintenance {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    assert_eq!(calls(&host, "stop"), 1);
    // Nobody sat at a terminal.
    assert_eq!(host.property(DEFAULT, "restarter", "auxiliary_state").as_deref(), Some("service_request"));
}

#[test]
fn mark_degraded_and_its_clear_which_restarts() {
    let host = plain_host();
    let refused = svcadm(&host, &format!("mark degraded {DEFAULT}"));
    assert_eq!((refused.code, refused.stderr), (1, format!("svcadm: Instance \"{DEFAULT}\" is not online.\n")));
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    svcadm(&host, &format!("mark degraded {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "degraded");
    svcadm(&host, &format!("clear {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "online");
    assert_eq!((calls(&host, "stop"), calls(&host, "start")), (1, 2));
}

#[test]
fn disable_takes_an_instance_out_of_maintenance() {
    let host = plain_host();
    set_exit(&host, "start", 95);
    svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    svcadm(&host, &format!("disable -s {DEFAULT}")).expect_success();
    assert!(host.log(DEFAULT).contains("Leaving maintenance because disable requested."));
}

#[test]
fn dependencies_hold_a_start_back_and_take_it_down() {
    let dependencies = "<dependency name='net' grouping='require_all' restart_on='error' type='service'><service_fmri value='svc:/milestone/network'/></dependency>\
        <dependency name='cron' grouping='require_all' restart_on='restart' type='service'><service_fmri value='svc:/system/cron:default'/></dependency>\
        <dependency name='none' grouping='optional_all' restart_on='none' type='service'><service_fmri value='svc:/no/such'/></dependency>";
    let host = host_with(&Manifest { dependencies, ..Manifest::default() }, "");
    svcadm(&host, "disable -s svc:/system/cron:default").expect_success();
    let refused = svcadm(&host, &format!("enable -s {DEFAULT}"));
    assert_eq!(
        (refused.code, refused.stderr),
        (4, format!("svcadm: Instance \"{DEFAULT}\" has unsatisfied dependencies.\n"))
    );
    wait(&host, DEFAULT, "offline");
    svcadm(&host, "enable svc:/system/cron:default").expect_success();
    wait(&host, DEFAULT, "online");
    svcadm(&host, "disable -t svc:/system/cron:default").expect_success();
    wait(&host, DEFAULT, "offline");
    assert_eq!(calls(&host, "stop"), 1);
    assert!(host.log(DEFAULT).contains("Stopping because dependency activity requires stop."));
}

#[test]
fn a_reboot_stops_forgets_and_starts_again() {
    let mut host = host_with(&Manifest::default(), LEAVES_ONE);
    let other = host.add_instance("other");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    svcadm(&host, &format!("enable -st {other}")).expect_success();
    let pid = fs::read_to_string(host.root().join("pid")).unwrap();
    fs::write(host.root().join("run/x"), "").unwrap();
    host.reboot();
    wait(&host, DEFAULT, "online");
    wait(&host, &other, "disabled");
    assert_eq!((calls(&host, "stop"), calls(&host, "start")), (2, 3));
    assert!(!is_alive(&pid) && !host.root().join("run/x").exists());
    host.power_cycle();
    wait(&host, DEFAULT, "online");
    assert_eq!((calls(&host, "stop"), calls(&host, "start")), (2, 4), "no stop when the power fails");
}

#[test]
fn a_temporary_disable_is_forgotten_by_a_reboot() {
    let mut host = plain_host();
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    svcadm(&host, &format!("disable -st {DEFAULT}")).expect_success();
    assert_eq!(
        svcprop(&host, &format!("-c -p general_ovr/enabled -p general/enabled {DEFAULT}")).stdout,
        "general_ovr/enabled boolean false\ngeneral/enabled boolean true\n"
    );
    host.reboot();
    wait(&host, DEFAULT, "online");
}

#[test]
fn deleting_an_instance_by_force_does_not_stop_its_processes() {
    let host = host_with(&Manifest { startd: CONTRACT, ..Manifest::default() }, LEAVES_ONE);
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    let refused = host.run("svccfg", ["delete", DEFAULT]);
    assert_eq!(
        (refused.code, refused.stderr),
        (1, format!("svccfg: Instance {DEFAULT} may be running.  Use delete -f if it is not.\n"))
    );
    host.run("svccfg", ["delete", "-f", DEFAULT]).expect_success();
    assert_eq!(svcs(&host, DEFAULT).code, 1);
    assert!(is_alive(&fs::read_to_string(host.root().join("pid")).unwrap()));
    assert_eq!(calls(&host, "stop"), 0);
}
