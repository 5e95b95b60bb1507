//! svcprop and svccfg's editing: which data is shown, how values look, what is said when something is wrong.

mod support;

use support::{DEFAULT, Manifest, SERVICE, host_with, plain_host, svcadm, svcprop, svcs, wait};

fn edit(host: &simhost::Host, commands: &str) -> simhost::Ran {
    host.svccfg(&format!("select {DEFAULT}\n{commands}\n"))
}

#[test]
fn plain_svcprop_shows_the_running_snapshot_until_a_refresh() {
    let host = plain_host();
    edit(&host, "addpg vm application\nsetprop vm/stop_method = astring: reset").expect_success();
    let show = |options: &str| svcprop(&host, &format!("{options} -p vm/stop_method {DEFAULT}")).stdout;
    assert_eq!((show("").as_str(), show("-c").as_str(), show("-C").as_str()), ("savestate\n", "reset\n", "reset\n"));
    assert_eq!(show("-s running"), "savestate\n");
    svcadm(&host, &format!("refresh {DEFAULT}")).expect_success();
    assert_eq!((show("").as_str(), show("-s last-import").as_str()), ("reset\n", "savestate\n"));
}

#[test]
fn enabled_is_stale_without_c() {
    let host = plain_host();
    svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
    assert_eq!(svcprop(&host, &format!("-p general/enabled {DEFAULT}")).stdout, "false\n");
    assert_eq!(svcprop(&host, &format!("-c -p general/enabled {DEFAULT}")).stdout, "true\n");
    assert_eq!(svcprop(&host, &format!("-p restarter/state {DEFAULT}")).stdout, "online\n", "not persistent: live");
}

#[test]
fn the_instance_is_composed_over_its_service_but_a_service_shows_its_own() {
    let vm = "<propval name='a' type='astring' value='s'/><propval name='b' type='astring' value='s'/>";
    let host = host_with(&Manifest { vm, ..Manifest::default() }, "");
    edit(&host, "addpg vm application\nsetprop vm/b = astring: i\nrefresh").expect_success();
    assert_eq!(svcprop(&host, &format!("-p vm {DEFAULT}")).stdout, "vm/a astring s\nvm/b astring i\n");
    assert_eq!(svcprop(&host, &format!("-C -p vm {DEFAULT}")).stdout, "vm/b astring i\n");
    assert_eq!(svcprop(&host, &format!("-p vm {SERVICE}")).stdout, "vm/a astring s\nvm/b astring s\n");
    assert_eq!(host.svccfg(&format!("select {DEFAULT}\nlistprop vm/*\n")).stdout, "vm/b  astring  i\n");
}

#[test]
fn output_has_the_documented_shapes() {
    let host = plain_host();
    edit(&host, "addpg x application\nsetprop x/none = astring: ()\nsetprop x/two = astring: (\"a b\" \"c\")\nsetprop x/empty = astring: \"\"\nrefresh").expect_success();
    let show = |words: &str| svcprop(&host, &format!("{words} {DEFAULT}")).stdout;
    assert_eq!(show("-p x/two"), "a\\ b c\n");
    assert_eq!(show("-p x/none"), "\n");
    assert_eq!(show("-p x/empty"), "\"\"\n");
    assert_eq!(show("-t -p x/two"), "x/two astring a\\ b c\n");
    assert_eq!(show("-p x/none -p x/empty"), "x/none astring \nx/empty astring \"\"\n");
    assert_eq!(show("-f -p x/empty"), format!("{DEFAULT}/:properties/x/empty astring \"\"\n"));
    assert_eq!(svcprop(&host, &format!("{DEFAULT}/:properties/x/two")).stdout, "a\\ b c\n");
    let other = host.add_instance("other");
    let both = svcprop(&host, "-p vm/stop_method vbox:*");
    let expected = format!(
        "{DEFAULT}/:properties/vm/stop_method astring savestate\n{other}/:properties/vm/stop_method astring savestate\n"
    );
    assert_eq!(
        svcprop(&host, "-p vm/stop_method svc:/site/xvm/vbox:*"),
        simhost::Ran { code: 0, stdout: expected, stderr: String::new() }
    );
    assert_eq!(both.code, 1, "a glob is anchored at svc:/");
}

#[test]
fn misses_are_told_go_on_and_end_with_1() {
    let host = plain_host();
    let got = svcprop(&host, &format!("-p no -p vm/no -p vm/stop_method {DEFAULT} svc:/none"));
    assert_eq!(got.code, 1);
    assert_eq!(got.stdout, "vm/stop_method astring savestate\n");
    let mut lines: Vec<&str> = got.stderr.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            &format!("svcprop: Couldn't find property `vm/no' for instance `{DEFAULT}'."),
            &format!("svcprop: Couldn't find property group `no' for instance `{DEFAULT}'."),
            "svcprop: Pattern 'svc:/none' doesn't match any entities",
        ]
    );
    let quiet = svcprop(&host, &format!("-q -p no {DEFAULT}"));
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (1, "", ""));
    assert_eq!(
        svcprop(&host, &format!("-q -p vm {DEFAULT}")),
        simhost::Ran { code: 0, stdout: String::new(), stderr: String::new() }
    );
    for (words, said) in [
        ("-p a/b/c", "svcprop: -p argument `a/b/c' has too many components.\n"),
        ("-p 9", "svcprop: Invalid component name `9'.\n"),
    ] {
        let got = svcprop(&host, &format!("{words} {DEFAULT}"));
        assert_eq!((got.code, got.stderr.as_str()), (2, said));
    }
    for usage in ["-c -C", "-a", "-w -p a -p b", "-l admin"] {
        assert_eq!(svcprop(&host, &format!("{usage} {DEFAULT}")).code, 2, "{usage}");
    }
    let got = svcprop(&host, &format!("-s no {DEFAULT}"));
    assert_eq!((got.code, got.stderr.as_str()), (1, "svcprop: No such snapshot.\n"));
}

#[test]
fn waiting_ends_with_the_next_change() {
    let host = plain_host();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| svcprop(&host, &format!("-w -p restarter/state {DEFAULT}")));
        // Whenever the waiter looks first, one of these changes comes after it.
        while !waiter.is_finished() {
            svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
            svcadm(&host, &format!("disable -s {DEFAULT}")).expect_success();
        }
        assert_eq!(waiter.join().unwrap().code, 0);
    });
}

#[test]
fn values_of_every_kind_survive_svccfg_and_svcprop() {
    let host = plain_host();
    edit(&host, "addpg x application").expect_success();
    for value in ["plain", "two words", "quo\"te", "back\\slash", "$HOME `x` (y) #z", "a\nb", "ümlaut", ""] {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        edit(&host, &format!("setprop x/v = astring: \"{quoted}\"")).expect_success();
        assert_eq!(host.property(DEFAULT, "x", "v").as_deref(), Some(value));
        let shown = svcprop(&host, &format!("-c -p x/v {DEFAULT}")).stdout;
        assert_eq!(unescape(shown.strip_suffix('\n').unwrap()), value);
    }
}

/// The documented rule: `""` is empty, a backslash stands for the character after it.
fn unescape(shown: &str) -> String {
    if shown == "\"\"" {
        return String::new();
    }
    let mut chars = shown.chars();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[test]
fn a_long_argument_is_cut_off_and_a_long_line_of_a_file_is_not() {
    let host = plain_host();
    let long = "x".repeat(3000);
    host.run("svccfg", ["-s", DEFAULT, "addpg", "x", "application"]).expect_success();
    // The closing quote is beyond the buffer.
    let quoted = host.run("svccfg", ["-s", DEFAULT, "setprop", "x/v", "=", "astring:", &format!("\"{long}\"")]);
    assert_eq!(quoted.code, 1);
    host.run("svccfg", ["-s", DEFAULT, "setprop", "x/v", "=", "astring:", &long]).expect_success();
    let kept = host.property(DEFAULT, "x", "v").unwrap().len();
    assert_eq!(kept, 2047 - "setprop x/v = astring: ".len());
    edit(&host, &format!("setprop x/v = astring: \"{long}\"")).expect_success();
    assert_eq!(host.property(DEFAULT, "x", "v").unwrap().len(), 3000);
}

#[test]
fn svccfg_says_what_is_wrong_and_stops_there() {
    let host = plain_host();
    for (commands, said) in [
        ("setprop x/v = astring: a", "No such property group \"x\"."),
        ("setprop v = astring: a", "Property names must contain a `/'."),
        ("setprop vm/v = number: a\n", "No such property group \"vm\"."),
        ("addpg vm application\nsetprop vm/v = number: a", "Unknown type \"number:\"."),
        ("setprop vm/v = a", "Type required for new properties."),
        ("setprop vm/v = integer: a", "Invalid \"integer\" value \"a\"."),
        (
            "setprop vm/v = astring: (a b)",
            "Multiple string values or string values with spaces must be quoted with '\"'.",
        ),
        ("delprop vm/v", "No such property vm/v."),
        ("addpg vm application", "Property group already exists."),
        ("addpg 9 application", "Name or type invalid for property group."),
        ("setprop vm/v astring: a", "Syntax error."),
        ("delcust", "Unknown command \"delcust\"."),
        ("select nobody", "Pattern 'nobody' doesn't match any instances or services"),
    ] {
        let got = edit(&host, &format!("{commands}\nsetprop vm/after = boolean: true"));
        assert_eq!(got.code, 1, "{commands}");
        let line = commands.trim_end().lines().count() + 1;
        assert_eq!(got.stderr, format!("svccfg (<stdin>, line {line}): {said}\n"));
    }
    assert_eq!(host.property(DEFAULT, "vm", "after"), None, "nothing after an error is run");
    let got = host.svccfg("listpg\n");
    assert_eq!(got.stderr, "svccfg (<stdin>, line 1): An entity is not selected.\n");
    let got = host.run("svccfg", ["-s", "nobody", "list"]);
    assert_eq!(
        (got.code, got.stderr.as_str()),
        (1, "svccfg: Pattern 'nobody' doesn't match any instances or services\n")
    );
    assert_eq!(host.run("svccfg", ["-x"]).code, 2);
}

#[test]
fn types_may_be_left_out_where_the_service_gives_them_and_can_be_changed() {
    let host = plain_host();
    edit(&host, "addpg vm application\nsetprop vm/stop_method = reset").expect_success();
    assert_eq!(svcprop(&host, &format!("-t -c -p vm/stop_method {DEFAULT}")).stdout, "vm/stop_method astring reset\n");
    edit(&host, "setprop vm/stop_method = count: 010").expect_success();
    assert_eq!(svcprop(&host, &format!("-t -c -p vm/stop_method {DEFAULT}")).stdout, "vm/stop_method count 8\n");
}

#[test]
fn single_values_are_added_and_deleted_and_lists_cross_lines() {
    let host = plain_host();
    edit(
        &host,
        "addpg x application\nsetprop x/l = astring: (\"a\"\n\"b c\")\naddpropvalue x/l d\ndelpropvalue x/l b*",
    )
    .expect_success();
    assert_eq!(svcprop(&host, &format!("-c -p x/l {DEFAULT}")).stdout, "a d\n");
    assert_eq!(
        edit(&host, "listprop x").stdout,
        "x  application\nx/l  astring  \"a\" \"d\"\n".replacen("x  application", "x    application", 1).replacen(
            "x/l  astring  ",
            "x/l  astring      ",
            1
        )
    );
    edit(&host, "delprop x").expect_success();
    assert_eq!(svcprop(&host, &format!("-c -q -p x {DEFAULT}")).code, 1);
}

#[test]
fn nonpersistent_groups_are_marked_and_lost() {
    let mut host = plain_host();
    edit(&host, "addpg x application P\nsetprop x/v = boolean: true").expect_success();
    assert!(edit(&host, "listpg x").stdout.ends_with("NONPERSISTENT\n"));
    host.reboot();
    assert_eq!(host.property(DEFAULT, "x", "v"), None);
}

#[test]
fn names_that_smf_does_not_take_are_refused() {
    let host = plain_host();
    for name in ["9vm", "a.b", "_a", "a+b", "a@b", "ü"] {
        assert_eq!(host.svccfg(&format!("select {SERVICE}\nadd {name}\n")).code, 1, "{name}");
    }
    host.svccfg(&format!("select {SERVICE}\nadd A-b_9\n")).expect_success();
    let got = host.svccfg(&format!("select {SERVICE}\nadd A-b_9\n"));
    assert_eq!((got.code, got.stderr.as_str()), (1, "svccfg (<stdin>, line 2): Already exists.\n"));
}

#[test]
fn an_instance_made_by_hand_has_no_state_until_it_is_enabled_or_disabled() {
    let host = plain_host();
    host.svccfg(&format!("select {SERVICE}\nadd new\n")).expect_success();
    assert_eq!(svcs(&host, "-Ho state svc:/site/xvm/vbox:new").stdout.trim(), "-");
    svcadm(&host, "disable svc:/site/xvm/vbox:new").expect_success();
    wait(&host, "svc:/site/xvm/vbox:new", "disabled");
}
