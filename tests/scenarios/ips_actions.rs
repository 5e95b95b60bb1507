//! What `pkg install` makes of single actions, right and wrong: the 54 cases that the real pkg was tried with, and their
//! exit statuses.
//!
//! `pkg` is this project's stand-in.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod ips_support;

use ips_support::*;

const NAME: &str = "service/vboxsvc";
const DIR: &str = "dir group=sys mode=0755 owner=root";

/// A case: its name, the lines that are added to a package without fault, and the exit status of its installation.
type Row = (&'static str, &'static [&'static str], i32);

const ROWS: &[Row] = &[
    ("ok-base", &[], 0),
    ("file-no-mode", &["file FILE group=sys owner=root path=opt/x"], 1),
    ("dir-no-owner", &["dir group=sys mode=0755 path=opt/x"], 1),
    ("dir-no-path", &["DIR"], 1),
    ("dir-abs-path", &["DIR path=/opt/x"], 0),
    ("dir-dup-path-conflict-mode", &["DIR path=opt/x", "dir group=sys mode=0700 owner=root path=opt/x"], 1),
    ("dir-dup-identical", &["DIR path=opt/x", "DIR path=opt/x"], 0),
    ("dir-unknown-owner", &["dir group=sys mode=0755 owner=nosuch path=opt/x"], 1),
    ("dir-unknown-group", &["dir group=nosuch mode=0755 owner=root path=opt/x"], 1),
    ("dir-numeric-owner", &["dir group=sys mode=0755 owner=0 path=opt/x"], 1),
    ("dir-mode-3digit", &["dir group=sys mode=755 owner=root path=opt/x"], 0),
    ("dir-bad-mode", &["dir group=sys mode=rwx owner=root path=opt/x"], 1),
    ("link-no-target", &["link path=opt/x"], 1),
    ("link-ok", &["link path=opt/x target=y"], 0),
    ("hardlink-ok", &["hardlink path=opt/x target=base"], 0),
    ("unknown-action", &["frobnicate path=opt/x"], 1),
    ("unknown-attr", &["DIR path=opt/x colour=blue"], 0),
    ("summary-dup", &["set name=pkg.summary value=again"], 0),
    ("desc-multi", &["set name=pkg.description value=a value=b"], 0),
    ("set-no-value", &["set name=foo"], 0),
    ("set-empty-value", &["set name=foo value=\"\""], 0),
    ("set-single-token", &["set foo.bar=baz"], 0),
    ("summary-newline", &["set name=foo value=\"a\nb\""], 1),
    ("depend-no-type", &["depend fmri=pkg:/base"], 99),
    ("depend-no-fmri", &["depend type=require"], 1),
    ("depend-bad-type", &["depend type=whatever fmri=pkg:/base"], 1),
    ("depend-bad-fmri", &["depend type=require fmri=pkg:/_"], 1),
    ("depend-require-multi-fmri", &["depend type=require fmri=pkg:/base fmri=pkg:/other"], 0),
    ("depend-fmri-nopkgprefix", &["depend type=require fmri=base"], 0),
    ("legacy-ok", &["legacy pkg=SUNWx arch=i386 category=a desc=b hotline=c name=d vendor=e version=1,REV=2026"], 0),
    ("legacy-min", &["legacy pkg=SUNWx"], 0),
    ("legacy-no-pkg", &["legacy name=x"], 1),
    ("variant-other-arch", &["set name=variant.arch value=sparc"], 1),
    ("variant-zone-nonglobal-only", &["set name=variant.opensolaris.zone value=nonglobal"], 1),
    ("variant-unknown-val", &["set name=variant.opensolaris.zone value=elsewhere"], 0),
    ("action-variant-nonglobal", &["DIR path=opt/x variant.opensolaris.zone=nonglobal"], 0),
    ("restart-bad-fmri", &["file FILE group=sys mode=0444 owner=root path=opt/x restart_fmri=nonsense"], 0),
    ("user-action", &["user username=vbox group=staff"], 1),
    ("group-action", &["group groupname=vbox"], 1),
    ("obsolete", &["set name=pkg.obsolete value=true"], 4),
    ("renamed-nodep", &["set name=pkg.renamed value=true"], 4),
    ("signature-req", &["set name=pkg.signature-required value=true"], 0),
    ("path-dotdot", &["DIR path=opt/y/../x"], 0),
    ("path-var-pkg", &["DIR path=var/pkg/x"], 0),
    ("ctrl-in-value", &["set name=foo value=a\u{1}b"], 1),
    ("utf8-value", &["set name=foo value=\u{fc}"], 0),
    ("quote-in-value", &["set name=foo value='a \"b\" c'"], 0),
    ("backslash-quote", &["set name=foo value=\"a \\\"b\\\" c\""], 0),
    ("line-continuation", &["DIR \\\n path=opt/x"], 0),
    ("comment", &["# nothing"], 0),
    ("crlf", &["DIR path=opt/x\r"], 0),
    ("tabsep", &["dir\tgroup=sys\tmode=0755\towner=root\tpath=opt/x"], 0),
    ("mediated-link-noversion", &["link path=opt/x target=y mediator=z"], 99),
    ("file-preserve", &["file FILE group=sys mode=0644 owner=root path=opt/x preserve=true"], 0),
];

#[test]
fn every_case_ends_as_with_the_real_pkg() {
    assert_eq!(ROWS.len(), 54);
    let file = payload(b"more\n");
    for (name, lines, code) in ROWS {
        // The set of actions that the unknown cases are added to; the base package is what some depend on.
        let mut sample = Sample::new(NAME, "0.20.0,5.11:20260101T000000Z").file("opt/base", "base\n", "");
        sample.contents.push(b"more\n".to_vec());
        for line in *lines {
            sample = sample.line(&line.replace("DIR", DIR).replace("FILE", &file));
        }
        let base = ["base", "other"].map(|name| Sample::new(name, "1.0,5.11:20260101T000000Z"));
        let rig = Rig::new();
        let ran = rig.install(&archive_of(&[&base[..], &[sample]].concat()), NAME);
        assert_eq!(ran.code, *code, "{name}: {}{}", ran.stdout, ran.stderr);
        if *code == 0 {
            let verified = rig.pkg(&["verify"]);
            assert_eq!((verified.code, verified.stdout.as_str()), (0, ""), "{name}");
        } else {
            assert!(!rig.at("opt/base").exists(), "{name} left something");
        }
    }
}

#[test]
fn a_package_for_other_hosts_says_what_it_is_for() {
    for line in ["set name=variant.arch value=sparc", "set name=variant.opensolaris.zone value=nonglobal"] {
        let sample = Sample::new(NAME, "0.20.0,5.11:20260101T000000Z").line(line);
        let ran = Rig::new().install(&archive_of(&[sample]), NAME);
        let words = "only matched packages that are not available for the current image's architecture, zone type";
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
    }
}

#[test]
fn in_a_local_zone_the_package_for_local_zones_installs_and_that_for_the_global_one_does_not() {
    for (kind, zone, code) in
        [("nonglobal", "z1", 0), ("global", "z1", 1), ("global", "global", 0), ("nonglobal", "global", 1)]
    {
        let rig = Rig::new();
        std::fs::create_dir(rig.at("etc")).unwrap();
        std::fs::write(rig.at("etc/zonename"), zone).unwrap();
        let line = format!("set name=variant.opensolaris.zone value={kind}");
        let sample = Sample::new(NAME, "0.20.0,5.11:20260101T000000Z").line(&line);
        assert_eq!(rig.install(&archive_of(&[sample]), NAME).code, code, "{kind} in {zone}");
    }
}

#[test]
fn what_the_stand_in_does_not_know_it_refuses_by_name() {
    let rig = Rig::new();
    for words in [["freeze", "x"], ["change-facet", "x"], ["install", "--be-name"]] {
        let ran = rig.pkg(&words);
        assert_eq!(ran.code, 2, "{words:?}");
        assert!(ran.stderr.contains(words[0]) || ran.stderr.contains(words[1]), "{words:?}: {}", ran.stderr);
    }
    let archive = archive_of(&[Sample::new(NAME, "1.0,5.11").line("driver name=vbox")]);
    let ran = rig.install(&archive, NAME);
    assert!(ran.code == 1 && ran.stderr.contains("a driver action"), "{}", ran.stderr);
}

#[test]
fn options_after_the_first_package_are_taken_for_packages() {
    let rig = Rig::new();
    let archive = rig.archive("given", &archive_of(&[Sample::new(NAME, "1.0,5.11")]));
    let ran = rig.pkg(&["install", NAME, "-g", &archive]);
    assert!(ran.code == 1 && rig.installed().is_empty(), "{}", ran.stderr);
}

fn sample() -> Sample {
    Sample::new(NAME, "0.20.0,5.11:20260101T000000Z")
}

#[test]
fn a_directory_of_the_system_is_delivered_as_the_system_has_it_or_not_at_all() {
    for (group, code) in [("bin", 0), ("sys", 1)] {
        let line = format!("dir group={group} mode=0755 owner=root path=usr/share");
        let ran = Rig::new().install(&archive_of(&[sample().line(&line)]), NAME);
        assert_eq!(ran.code, code, "{group}: {}", ran.stderr);
        let words = "attempts to install multiple actions for dir 'usr/share' with conflicting attributes";
        assert_eq!(ran.stderr.contains(words), code == 1, "{}", ran.stderr);
    }
}

#[test]
fn a_licence_that_must_be_accepted_is_asked_for_and_kept() {
    let mut licensed = sample().line(&format!("license {} license=CDDL must-accept=true", payload(b"may\n")));
    licensed.contents.push(b"may\n".to_vec());
    let rig = Rig::new();
    let archive = rig.archive("licensed", &archive_of(&[licensed]));
    assert_eq!(rig.pkg(&["install", "-g", &archive, NAME]).code, 6);
    rig.pkg(&["install", "--accept", "-g", &archive, NAME]).expect_success();
    let kept = rig.at("var/pkg/license/service%2Fvboxsvc/license.CDDL");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "may\n");
    rig.pkg(&["uninstall", NAME]).expect_success();
    assert!(!kept.exists());
}

#[test]
fn a_legacy_action_tells_the_svr4_tools_of_the_package_and_takes_that_back() {
    let rig = Rig::new();
    let line = "legacy pkg=SUNWx version=1,REV=2026 desc=\"a b\"";
    rig.install(&archive_of(&[sample().line(line)]), NAME).expect_success();
    let told = std::fs::read_to_string(rig.at("var/sadm/pkg/SUNWx/pkginfo")).unwrap();
    for wanted in ["PKG=SUNWx\n", "VERSION=1,REV=2026\n", "DESC=a b\n", "ARCH=i386\n", "BASEDIR=/\n"] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    rig.pkg(&["uninstall", NAME]).expect_success();
    assert!(!rig.at("var/sadm/pkg/SUNWx").exists());
}

#[test]
fn what_another_package_needs_is_not_removed_alone() {
    let rig = Rig::new();
    let base = Sample::new("base", "1.0,5.11");
    rig.install(&archive_of(&[base, sample().line("depend type=require fmri=pkg:/base")]), NAME).expect_success();
    let refused = rig.pkg(&["uninstall", "base"]);
    assert!(refused.code == 1 && refused.stderr.contains("service/vboxsvc@0.20.0"), "{}", refused.stderr);
    assert_eq!(rig.installed(), ["base", NAME]);
    rig.pkg(&["uninstall", "base", NAME]).expect_success();
    assert_eq!(rig.pkg(&["list"]).code, 1);
    assert_eq!(rig.pkg(&["fix"]).code, 4);
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let rig = Rig::new();
    let archive = rig.archive("given", &archive_of(&[sample().file("opt/x", "x", "restart_fmri=svc:/a:b")]));
    let told = rig.pkg(&["install", "-n", "-v", "-g", &archive, NAME]).expect_success().stdout;
    for words in
        ["Packages to install:   1", "Services to change:   1", "restart_fmri:\n    svc:/a:b", "None -> 0.20.0"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(rig.installed().is_empty() && !rig.at("opt/x").exists());
}
