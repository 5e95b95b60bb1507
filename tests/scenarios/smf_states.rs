//! svcs and svcadm: rows, messages, exit codes, and who may ask for what.

mod support;

use std::fs;

use support::{
    DEFAULT, Manifest, SERVICE, calls, eventually, host_with, plain_host, set_exit, svcadm, svcprop, svcs, user_name,
    wait,
};

#[test]
fn rows_end_in_blanks_and_show_a_transition() {
    let host = host_with(&Manifest::default(), "[ $1 = stop ] && while [ ! -f $R/go ]; do sleep 0.01; done");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    assert_eq!(svcs(&host, &format!("-Ho state {DEFAULT}")).stdout, format!("{:<15} \n", "online"));
    svcadm(&host, &format!("disable {DEFAULT}")).expect_success();
    eventually("it is on its way", || svcs(&host, &format!("-Ho state {DEFAULT}")).stdout.trim() == "online*");
    let both = svcs(&host, &format!("-Ho state,nstate {DEFAULT}")).stdout;
    assert_eq!(both.split_whitespace().collect::<Vec<_>>(), ["online", "disabled"]);
    assert_eq!(svcs(&host, &format!("-Ho sta {DEFAULT}")).stdout.trim(), "ON*");
    fs::write(host.root().join("go"), "").unwrap();
    wait(&host, DEFAULT, "disabled");
    let both = svcs(&host, &format!("-Ho state,nstate {DEFAULT}")).stdout;
    assert_eq!(both.split_whitespace().collect::<Vec<_>>(), ["disabled", "-"]);
    assert_eq!(svcprop(&host, &format!("-c -p restarter/next_state {DEFAULT}")).stdout, "none\n");
}

#[test]
fn svcs_tells_misses_and_shows_the_rest() {
    let host = plain_host();
    let got = svcs(&host, &format!("-Ho fmri no-such {DEFAULT}"));
    assert_eq!(got.code, 1);
    assert_eq!(got.stderr, "svcs: Pattern 'no-such' doesn't match any instances\n");
    assert_eq!(got.stdout.trim_end(), DEFAULT);
    let got = svcs(&host, "-o nothing");
    assert_eq!((got.code, got.stderr.as_str()), (1, "svcs: Unknown column \"nothing\".\n"));
    assert_eq!(svcs(&host, "-j").code, 2);
    assert_eq!(svcs(&host, &format!("-aHo inst {DEFAULT}")).stderr, "svcs: -a ignored when used with arguments.\n");
}

#[test]
fn lists_leave_out_what_is_disabled_unless_asked() {
    let host = plain_host();
    assert!(!svcs(&host, "-Ho fmri").stdout.contains(DEFAULT));
    assert!(svcs(&host, "-aHo fmri").stdout.contains(DEFAULT));
    let globbed = svcs(&host, "-Ho fmri svc:/site/xvm/vbox:*").stdout;
    assert_eq!(globbed.trim_end(), DEFAULT);
    let head = svcs(&host, "-a").stdout;
    assert_eq!(head.lines().next().unwrap(), format!("{:<15} {:<9} {:<50} ", "STATE", "STIME", "FMRI"));
}

#[test]
fn the_long_forms_name_state_log_and_dependencies() {
    let dependencies = "<dependency name='net' grouping='require_all' restart_on='error' type='service'><service_fmri value='svc:/milestone/network'/></dependency>";
    let host = host_with(&Manifest { dependencies, ..Manifest::default() }, "");
    set_exit(&host, "start", 95);
    svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    let long = svcs(&host, &format!("-l {DEFAULT}")).stdout;
    for line in [
        &format!("fmri         {DEFAULT}"),
        "enabled      true",
        "state        maintenance",
        "next_state   none",
        "dependency   require_all/error svc:/milestone/network (online)",
    ] {
        assert!(long.lines().any(|l| l == line), "{line} is missing in\n{long}");
    }
    let log = svcs(&host, &format!("-L {DEFAULT}")).stdout;
    assert!(fs::read_to_string(log.trim()).unwrap().contains("exited with status 95"));
    assert!(svcs(&host, "-x").stdout.contains(&format!("{DEFAULT} (?)\n State: maintenance since ")));
    assert!(svcs(&host, &format!("-Hd -o fmri {DEFAULT}")).stdout.contains("svc:/milestone/network:default"));
    assert!(svcs(&host, "-HD -o fmri svc:/milestone/network:default").stdout.contains(DEFAULT));
}

#[test]
fn svcadm_says_what_it_did_and_what_it_could_not() {
    let host = plain_host();
    let other = host.add_instance("other");
    let ok = |words: &str, said: &str| {
        let got = svcadm(&host, words);
        assert_eq!((got.code, got.stdout.as_str(), got.stderr.as_str()), (0, said, ""), "{words}");
    };
    ok(&format!("-v enable -t {DEFAULT}"), &format!("{DEFAULT} temporarily enabled.\n"));
    ok(&format!("-v enable {DEFAULT}"), &format!("{DEFAULT} enabled.\n"));
    ok(&format!("-v refresh {DEFAULT}"), &format!("Action refresh set for {DEFAULT}.\n"));
    ok(&format!("-v disable {DEFAULT}"), &format!("{DEFAULT} disabled.\n"));
    wait(&host, DEFAULT, "disabled");
    let bad = |words: &str, code: i32, said: &str| {
        let got = svcadm(&host, words);
        assert_eq!((got.code, got.stderr.as_str()), (code, said), "{words}");
    };
    bad("enable no-such", 1, "svcadm: Pattern 'no-such' doesn't match any instances\n");
    bad(
        &format!("clear {DEFAULT}"),
        1,
        &format!("svcadm: Instance \"{DEFAULT}\" is not in a maintenance or degraded state.\n"),
    );
    bad(&format!("mark -t degraded {DEFAULT}"), 2, "svcadm: -t may not be used with degraded.\n");
    bad(
        "enable vbox",
        1,
        &format!("svcadm: Partial FMRI 'vbox' matches multiple instances:\n\t{DEFAULT}\n\t{other}\n"),
    );
    bad("enable lrc:/etc/rc2_d/S99x", 1, "svcadm: Operation not supported for legacy service 'lrc:/etc/rc2_d/S99x'\n");
    for usage in
        ["", "enable", "frobnicate x", &format!("restart -s {DEFAULT}"), &format!("refresh -s {DEFAULT}"), "mark"]
    {
        assert_eq!(svcadm(&host, usage).code, 2, "{usage}");
    }
}

#[test]
fn a_service_or_a_glob_means_all_its_instances() {
    let host = plain_host();
    let other = host.add_instance("other");
    svcadm(&host, &format!("enable -s {SERVICE}")).expect_success();
    assert_eq!((host.state(DEFAULT).as_deref(), host.state(&other).as_deref()), (Some("online"), Some("online")));
    svcadm(&host, "disable -s site/xvm/*").expect_success();
    assert_eq!((host.state(DEFAULT).as_deref(), host.state(&other).as_deref()), (Some("disabled"), Some("disabled")));
    svcadm(&host, "enable -s other").expect_success();
    assert_eq!(host.state(&other).as_deref(), Some("online"));
}

#[test]
fn synchronous_calls_have_exit_codes_of_their_own() {
    let host = plain_host();
    set_exit(&host, "start", 95);
    let got = svcadm(&host, &format!("enable -s {DEFAULT}"));
    assert_eq!((got.code, got.stderr), (3, format!("svcadm: Instance \"{DEFAULT}\" is in maintenance state.\n")));
}

#[test]
fn a_wait_ends_when_somebody_else_changes_his_mind() {
    let host = host_with(&Manifest::default(), "[ $1 = stop ] && while [ ! -f $R/go ]; do sleep 0.01; done");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| svcadm(&host, &format!("disable -s {DEFAULT}")));
        eventually("it is on its way", || svcs(&host, &format!("-Ho state {DEFAULT}")).stdout.trim() == "online*");
        svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
        let got = waiter.join().unwrap();
        assert_eq!(
            (got.code, got.stderr),
            (3, format!("svcadm: Instance \"{DEFAULT}\" has been enabled by another entity.\n"))
        );
        fs::write(host.root().join("go"), "").unwrap();
    });
    eventually("it came back", || calls(&host, "start") == 2);
    wait(&host, DEFAULT, "online");
}

#[test]
fn mark_with_t_does_nothing() {
    let host = plain_host();
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    for flags in ["-t", "-It"] {
        svcadm(&host, &format!("mark {flags} maintenance {DEFAULT}")).expect_success();
    }
    // A request made later has been answered: these have been read and left where they are.
    svcadm(&host, &format!("refresh {DEFAULT}")).expect_success();
    eventually("the refresh ran", || calls(&host, "refresh") == 1);
    wait(&host, DEFAULT, "online");
    let left = svcprop(&host, &format!("-c -p restarter_actions {DEFAULT}")).stdout;
    assert!(left.contains("maint_on_temporary") && left.contains("maint_on_immtemp"), "{left}");
}

#[test]
fn a_comment_is_kept_with_a_disable_and_goes_with_an_enable() {
    let host = plain_host();
    host.run("svcadm", ["disable", "-c", "gone fishing", DEFAULT]).expect_success();
    assert_eq!(host.property(DEFAULT, "general", "comment").as_deref(), Some("gone fishing"));
    svcadm(&host, &format!("enable {DEFAULT}")).expect_success();
    assert_eq!(host.property(DEFAULT, "general", "comment"), None);
}

/// A host whose caller is nobody special, with both authorisations named in the service.
fn guarded(value_authorization: bool) -> (simhost::Host, String) {
    let groups = match value_authorization {
        true => {
            "<property_group name='general' type='framework'><propval name='action_authorization' type='astring' value='solaris.smf.manage.vbox'/><propval name='value_authorization' type='astring' value='solaris.smf.manage.vbox'/></property_group>"
        }
        false => {
            "<property_group name='general' type='framework'><propval name='action_authorization' type='astring' value='solaris.smf.manage.vbox'/></property_group>"
        }
    };
    let host = host_with(&Manifest { groups, ..Manifest::default() }, "");
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    host.set_superuser(None);
    (host, user_name())
}

#[test]
fn without_rights_nothing_happens_and_only_mark_exits_0() {
    let (host, _) = guarded(true);
    let denied = format!("svcadm: {DEFAULT}: Permission denied.\n");
    for words in ["enable", "disable", "disable -t", "restart", "refresh"] {
        let got = svcadm(&host, &format!("{words} {DEFAULT}"));
        assert_eq!((got.code, &got.stderr), (1, &denied), "{words}");
    }
    let got = svcadm(&host, &format!("mark -I maintenance {DEFAULT}"));
    assert_eq!((got.code, &got.stderr), (0, &denied));
    assert_eq!(host.state(DEFAULT).as_deref(), Some("online"));
    let named = svcadm(&host, &format!("-v restart {DEFAULT}")).stderr;
    assert!(named.contains("restarter_actions/restart"), "{named}");
}

#[test]
fn an_action_authorisation_is_not_enough_for_a_persistent_disable() {
    let (host, user) = guarded(false);
    host.grant(&user, &["solaris.smf.manage.vbox"]);
    svcadm(&host, &format!("restart {DEFAULT}")).expect_success();
    let got = svcadm(&host, &format!("disable {DEFAULT}"));
    assert_eq!((got.code, got.stderr), (1, format!("svcadm: {DEFAULT}: Permission denied.\n")));
    svcadm(&host, &format!("disable -st {DEFAULT}")).expect_success();
    let (host, user) = guarded(true);
    host.grant(&user, &["solaris.smf.manage.*"]);
    svcadm(&host, &format!("disable -s {DEFAULT}")).expect_success();
}

#[test]
fn editing_needs_the_right_for_the_group() {
    let (host, user) = guarded(true);
    let set = |commands: &str| host.svccfg(&format!("select {SERVICE}\n{commands}\n"));
    let denied = |commands: &str| {
        let got = set(commands);
        assert_eq!(
            (got.code, got.stderr.as_str()),
            (1, "svccfg (<stdin>, line 2): Permission denied.\n"),
            "{commands}"
        );
    };
    denied("setprop vm/stop_method = astring: reset");
    denied("addpg x application");
    denied("add new");
    host.grant(&user, &["solaris.smf.modify.application"]);
    set("setprop vm/value_authorization = astring: a.b").expect_success();
    host.grant(&user, &["a.b"]);
    set("setprop vm/stop_method = astring: reset").expect_success();
    denied("setprop vm/new = astring: x");
    denied("delete -f default");
}

#[test]
fn protected_values_are_hidden_from_others() {
    let (host, user) = guarded(true);
    host.grant(&user, &["solaris.smf.modify.application"]);
    host.svccfg(&format!("select {SERVICE}\naddpg secret application\nsetprop secret/key = astring: x\nsetprop secret/read_authorization = astring: a.b\n")).expect_success();
    host.grant(&user, &[]);
    let got = svcprop(&host, &format!("-p secret/key {SERVICE}"));
    assert_eq!((got.code, got.stdout.as_str(), got.stderr.as_str()), (1, "", "svcprop: Permission denied.\n"));
    assert!(svcprop(&host, SERVICE).stdout.contains("secret/key astring \n"));
    host.grant(&user, &["a.b"]);
    assert_eq!(svcprop(&host, &format!("-p secret/key {SERVICE}")).stdout, "x\n");
}

#[test]
fn zonename_says_where_it_is() {
    let host = plain_host();
    assert_eq!(host.run("zonename", [""; 0]).stdout, "global\n");
    fs::write(host.root().join("etc/zonename"), "z1\n").unwrap();
    assert_eq!(host.run("zonename", [""; 0]).stdout, "z1\n");
}

#[test]
fn a_recursive_enable_takes_what_is_required_with_it() {
    let dependencies = "<dependency name='cron' grouping='require_all' restart_on='none' type='service'><service_fmri value='svc:/system/cron'/></dependency>";
    let host = host_with(&Manifest { dependencies, ..Manifest::default() }, "");
    svcadm(&host, "disable -s svc:/system/cron:default").expect_success();
    svcadm(&host, &format!("enable -rs {DEFAULT}")).expect_success();
    assert_eq!(host.state("svc:/system/cron:default").as_deref(), Some("online"));
}
