//! Actions: what pkgsend and pkg install refuse, and what pkglint says.

use super::*;

/// An archive whose manifest has these lines besides its own.
fn with_lines(lines: &str) -> Vec<u8> {
    let name = sha1(CONTENT);
    let text = manifest(&name, &described()) + lines + "\n";
    complete(&members(&text, VERSION, &name, &gzip(CONTENT)))
}

/// An archive with one setting of its manifest replaced.
fn with_setting(name: &str, line: &str) -> Vec<u8> {
    let hash = sha1(CONTENT);
    let full = manifest(&hash, &described());
    let old = full.lines().find(|l| l.starts_with(&format!("set name={name} "))).unwrap();
    complete(&members(&full.replace(old, line), VERSION, &hash, &gzip(CONTENT)))
}

#[test]
fn what_pkg_install_accepts_is_accepted() {
    for (case, lines, warnings) in [
        ("ok-base", "", vec![]),
        ("dir-abs-path", "dir path=/opt/web owner=root group=sys mode=0755", vec!["path-absolute"]),
        (
            "dir-dup-identical",
            "dir path=o owner=root group=sys mode=0755\ndir path=o owner=root group=sys mode=755",
            vec![],
        ),
        ("dir-unknown-owner", "dir path=opt/web owner=nobodyknows group=sys mode=0755", vec![]),
        ("dir-mode-3digit", "dir path=opt/web owner=root group=sys mode=755", vec![]),
        ("link-ok", "link path=opt/l target=web", vec![]),
        ("hardlink-ok", "hardlink path=lib/svc/method/web2 target=web", vec![]),
        (
            "mediated links",
            "link path=l target=a mediator=m mediator-version=1\nlink path=l target=b mediator=m mediator-version=2",
            vec![],
        ),
        ("unknown-attr", "dir path=opt/web owner=root group=sys mode=0755 colour=blue", vec![]),
        ("summary-dup", "set name=pkg.summary value=again", vec!["set-twice"]),
        ("desc-multi", "set name=pkg.description value=a value=b", vec!["set-several"]),
        ("set-no-value", "set name=foo", vec![]),
        ("set-empty-value", "set name=foo value=\"\"", vec![]),
        ("set-single-token", "set foo=bar", vec![]),
        ("depend-require-multi-fmri", "depend type=require fmri=pkg:/a fmri=pkg:/b", vec!["depend-several"]),
        ("depend-fmri-nopkgprefix", "depend type=require fmri=a/b@1.0", vec![]),
        ("require-any", "depend type=require-any fmri=pkg:/a fmri=pkg:/b", vec![]),
        ("parent", "depend type=parent fmri=feature/package/dependency/self", vec![]),
        (
            "legacy-ok",
            "legacy pkg=EXweb category=application desc=d hotline=h name=n vendor=v version=1.0,REV=2026.01.01",
            vec![],
        ),
        ("legacy-min", "legacy pkg=EXweb", vec!["legacy"; 6]),
        ("variant-unknown-val", "set name=variant.opensolaris.zone value=lunar", vec![]),
        ("action-variant", "dir path=o owner=root group=sys mode=0755 variant.opensolaris.zone=global", vec![]),
        ("restart-bad-fmri", "link path=l target=t restart_fmri=svc:/system/manifest-import", vec!["actuator"]),
        (
            "restart_fmri",
            "link path=l target=t restart_fmri=svc:/system/rbac:default disable_fmri=svc:/site/web:*",
            vec![],
        ),
        ("user-action", "user username=web group=web uid=99", vec![]),
        ("group-action", "group groupname=web gid=99", vec![]),
        ("path-dotdot", "dir path=opt/x/../web owner=root group=sys mode=0755", vec!["path-untidy"]),
        ("path-var-pkg", "dir path=var/pkg/web owner=root group=sys mode=0755", vec![]),
        ("utf8-value", "set name=foo value=\"caf\u{e9} \u{2603}\"", vec![]),
        ("quote-in-value", "set name=foo value='a \"b\"'", vec![]),
        ("backslash-quote", "set name=foo value=\"it's a \\\"b\\\"\"", vec![]),
        ("line-continuation", "set name=foo \\\n    value=bar", vec![]),
        ("comment", "# a comment\n", vec![]),
        ("crlf", "set name=foo value=bar\r\nset name=bar value=foo\r", vec![]),
        ("tabsep", "set\tname=foo\tvalue=bar", vec![]),
        (
            "different architectures",
            "link path=l target=a variant.arch=i386\nlink path=l target=b variant.arch=sparc",
            vec![],
        ),
    ] {
        accepted(case, &with_lines(lines), &warnings);
    }
}

#[test]
fn what_pkg_install_refuses_is_refused() {
    for (case, lines, error) in [
        ("dir-no-owner", "dir path=opt/web group=sys mode=0755", "attribute-missing"),
        ("dir-no-path", "dir owner=root group=sys mode=0755", "attribute-missing"),
        (
            "dir-dup-path-conflict-mode",
            "dir path=o owner=root group=sys mode=0755\ndir path=o/ owner=root group=sys mode=0700",
            "path-conflict",
        ),
        ("dir and file", "dir path=lib/svc/method/web owner=root group=sys mode=0755", "path-conflict"),
        ("links to two targets", "link path=l target=a\nlink path=l target=b", "path-conflict"),
        ("below a file", "link path=lib/svc/method/web/x target=a", "path-parent"),
        ("dir-numeric-owner", "dir path=opt/web owner=0 group=sys mode=0755", "account"),
        ("dir-bad-mode", "dir path=opt/web owner=root group=sys mode=0888", "mode"),
        ("empty path", "dir path=/ owner=root group=sys mode=0755", "path-empty"),
        ("link-no-target", "link path=opt/l", "attribute-missing"),
        ("empty target", "link path=opt/l target=\"\"", "attribute-missing"),
        ("two paths", "link path=a path=b target=c", "attribute-repeated"),
        ("unknown-action", "frobnicate path=a", "action-unknown"),
        ("depend-no-type", "depend fmri=pkg:/a", "attribute-missing"),
        ("depend-no-fmri", "depend type=require", "attribute-missing"),
        ("depend-bad-type", "depend type=needs fmri=pkg:/a", "depend-type"),
        ("depend-bad-fmri", "depend type=require fmri=\"pkg:/a b\"", "depend-fmri"),
        ("conditional without predicate", "depend type=conditional fmri=pkg:/a", "attribute-missing"),
        ("legacy-no-pkg", "legacy category=c desc=d hotline=h name=n vendor=v version=REV=1", "attribute-missing"),
        ("a hash, a blank and nothing else", "file da39a3ee ", "action-malformed"),
        ("ctrl-in-value", "set name=foo value=a\u{1}b", "action-malformed"),
        ("mediated-link-noversion", "link path=l target=t mediator=m", "mediator-version"),
        ("obsolete", "set name=pkg.obsolete value=true", "obsolete-content"),
        ("license without hash", "license license=MIT", "payload-unnamed"),
    ] {
        refused(case, &with_lines(lines), &[error]);
    }
    refused("summary-newline", &with_lines("set name=foo value=\"a\nb\""), &["action-malformed", "action-malformed"]);
    let renamed = with_lines("set name=pkg.renamed value=true");
    refused("renamed-nodep", &renamed, &["renamed-content", "renamed-depend"]);
}

#[test]
fn a_file_without_mode_is_refused() {
    let name = sha1(CONTENT);
    let text = manifest(&name, &described()).replace(" mode=0555", "");
    refused("file-no-mode", &complete(&members(&text, VERSION, &name, &gzip(CONTENT))), &["attribute-missing"]);
}

#[test]
fn text_in_another_encoding_is_refused() {
    let mut members = good_members();
    members[4].1 = Some(b"set name=pkg.summary value=caf\xe9\n".to_vec());
    refused("latin 1", &complete(&members), &["manifest-text"]);
}

#[test]
fn pkglints_objections_are_warnings() {
    for (case, lines, warning) in [
        ("underscore", "set name=info.source_url value=x", "underscore"),
        ("underscore in an attribute", "link path=l target=t my_own=1", "underscore"),
        ("dir mode without x", "dir path=o owner=root group=sys mode=0644", "dir-mode"),
        ("unusual mode", "dir path=o owner=root group=sys mode=0757", "unusual-mode"),
        ("incorporate", "depend type=incorporate fmri=pkg:/a", "depend-version"),
        ("description", "set name=pkg.description value=\"Serves pages\"", "description"),
        ("REV", "legacy pkg=EXweb category=c desc=d hotline=h name=n vendor=v version=1.0", "legacy-rev"),
    ] {
        accepted(case, &with_lines(lines), &[warning]);
    }
    let class =
        |value: &str| with_setting("info.classification", &format!("set name=info.classification value={value}"));
    accepted("prefix", &class("System/Services"), &["classification"]);
    accepted("section", &class("org.opensolaris.category.2008:System"), &["classification"]);
    accepted("summary", &with_setting("pkg.summary", "set name=pkg.summary value=\"\""), &["summary-empty"]);
    accepted("tag", &with_setting("org.opensolaris.consolidation", "# none"), &["tag-missing"]);
}

#[test]
fn smf_manifests_ask_for_the_names_of_their_services() {
    let name = sha1(CONTENT);
    let archive = |extra: &str| {
        let text = manifest(&name, &described()).replace("lib/svc/method/web", "lib/svc/manifest/site/web.xml") + extra;
        complete(&members(&text, VERSION, &name, &gzip(CONTENT)))
    };
    accepted("without", &archive(""), &["smf-fmri"]);
    accepted("with", &archive("set name=org.opensolaris.smf.fmri value=svc:/site/web\n"), &[]);
}

#[test]
fn a_licence_is_a_payload_and_has_no_path() {
    let name = sha1(CONTENT);
    accepted("licence", &with_lines(&format!("license {name} license=MIT {}", described())), &[]);
    let placed = with_lines(&format!("license {name} license=MIT path=usr/share/MIT {}", described()));
    accepted("placed", &placed, &["license-path"]);
}
