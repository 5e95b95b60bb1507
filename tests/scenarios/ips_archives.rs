//! Which archives `pkg install` takes: every hand-made one that the real pkg was tried with, and the same verdict.
//!
//! `pkg` is this project's stand-in.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod ips_support;

use ips_support::*;

const CONTENT: &str = "#!/sbin/sh\necho vbox\n";
const METHOD: &str = "lib/svc/method/vbox.sh";
const VERSION: &str = "0.19,5.11:20260101T000000Z";
const COMMENT: Option<&str> = Some("pkg5.archive.version.0");
const TYPES: [&str; 2] = ["b'0'", "b'5'"];

fn sample() -> Sample {
    sample_of(VERSION)
}

fn sample_of(version: &str) -> Sample {
    Sample::new("service/vboxsvc", version).file(METHOD, CONTENT, "")
}

fn good() -> Members {
    members(&[sample()])
}

fn without(what: impl Fn(&str, bool) -> bool) -> Members {
    good().into_iter().filter(|(name, data)| !what(name, data.is_none())).collect()
}

/// An archive whose file is described by these words, and whose payload lies under the first of them.
fn described(words: &str, data: &[u8]) -> Vec<u8> {
    let mut sample = sample();
    let line = sample.lines.last_mut().unwrap();
    *line = format!("file {words} group=sys mode=0444 owner=root path={METHOD}");
    let mut members = members(&[sample]);
    members.retain(|(name, _)| !name.starts_with("publisher/vboxsvc/file/"));
    let name = words.split(' ').next().unwrap();
    if !name.contains('=') {
        add_payload(&mut members, name, data);
    }
    complete(&members)
}

/// The description without the words that begin like this.
fn but(prefixes: &[&str]) -> String {
    let keep = |word: &&str| !prefixes.iter().any(|prefix| word.starts_with(prefix));
    payload(CONTENT.as_bytes()).split(' ').filter(keep).collect::<Vec<_>>().join(" ")
}

fn named(name: &str) -> Vec<u8> {
    let rest = but(&[]).split_once(' ').unwrap().1.to_string();
    described(&format!("{name} {rest}"), &gzip(CONTENT.as_bytes()))
}

fn with_fmri(line: Option<&str>) -> Vec<u8> {
    let mut sample = sample();
    sample.lines.remove(0);
    sample.lines.extend(line.map(str::to_string));
    archive_of(&[sample])
}

/// An archive, and nothing where it installs, or what is said where it does not.
type Row = (&'static str, Vec<u8>, Option<&'static str>);

const NO_PUBLISHER: Option<&str> = Some("does not provide publisher configuration information");
const CORRUPT: Option<&str> = Some("code: E_HTTP_NOT_FOUND (22) reason: Archive");

fn containers() -> Vec<Row> {
    let (ustar, gnu, pax) = (Format::Ustar, Format::Gnu, Format::Pax);
    let bare = without(|name, _| name == "pkg5.repository");
    let minimal = without(|name, dir| dir && name != "publisher/vboxsvc");
    let mut last = minimal.clone();
    let place = last.iter().position(|(_, data)| data.is_none()).unwrap();
    let directory = last.remove(place);
    last.push(directory);
    let no_directories = without(|_, dir| dir);
    let dotted: Members = good().into_iter().map(|(name, data)| (format!("./{name}"), data)).collect();
    let mut repository_first = good();
    repository_first.rotate_right(1);
    let plain_types = indexed(ustar, &good(), COMMENT, ["0", "5"]);
    let other_version = indexed(ustar, &good(), Some("pkg5.archive.version.1"), TYPES);
    vec![
        ("A-full-index", complete(&good()), None),
        ("A2-full-index-fracmtime", indexed(pax, &good(), COMMENT, TYPES), None),
        ("A3-index-type-plain", plain_types, None),
        ("B-no-index", plain(pax, &good()), None),
        ("C-no-index-no-repofile", plain(ustar, &bare), None),
        ("C2-index-no-repofile", complete(&bare), None),
        ("D-minimal-only-pubdir", plain(ustar, &minimal), None),
        ("D2-pubdir-last", plain(ustar, &last), None),
        ("E-no-dirs", plain(ustar, &no_directories), NO_PUBLISHER),
        ("E2-no-dirs-with-index", complete(&no_directories), NO_PUBLISHER),
        ("F-ustar-no-index", plain(ustar, &good()), None),
        ("F2-ustar-with-index-nocomment", indexed(ustar, &good(), None, TYPES), None),
        ("F3-gnu-no-index", plain(gnu, &good()), None),
        ("G-index-no-comment", indexed(pax, &good(), None, TYPES), None),
        ("G2-index-version-1", other_version, CORRUPT),
        ("P-whole-archive-gzipped", gzip(&complete(&good())), CORRUPT),
        ("R-dotslash-names", plain(ustar, &dotted), NO_PUBLISHER),
        ("U1-member-mode-0600", plain(Format::Private, &good()), None),
        ("U2-tar-ustar", plain(ustar, &good()), None),
        ("U3-tar-pax", plain(pax, &good()), None),
        ("U4-tar-gnu", plain(gnu, &good()), None),
        ("U5-tar-dot", plain(gnu, &dotted), NO_PUBLISHER),
        ("U6-repository-first", plain(gnu, &repository_first), None),
    ]
}

fn payloads() -> Vec<Row> {
    let content = CONTENT.as_bytes();
    let gz = gzip(content);
    let other = gzip_as(content, Some("vbox.sh"), 1);
    let (name, wrong) = (sha1(content), "f".repeat(40));
    let sizes = format!("pkg.csize={} pkg.size={}", gz.len(), content.len());
    let own = |data: &[u8]| format!("{name} chash={} {sizes}", sha1(data));
    let sha256s =
        format!("pkg.content-hash=file:sha256:{} pkg.content-hash=gzip:sha256:{}", sha256(content), sha256(&gz));
    let wrong_chash = but(&[]).replace(&format!("chash={}", sha1(&gz)), &format!("chash={wrong}"));
    let transfer = Some("code: E_TFTP_ILLEGAL (71)");
    let hash = format!("pkg.content-hash=file:sha512t_256:{}", sha512t(content));
    vec![
        (
            "H-payload-not-gzipped",
            described(&own(content), content),
            Some("Error decompressing payload: Not a gzipped"),
        ),
        ("I-gzip-with-name-level1", described(&own(&other), &other), None),
        ("J-no-chash", described(&but(&["chash="]), &gz), None),
        ("J2-no-content-hash", described(&but(&["pkg.content-hash="]), &gz), None),
        ("J3-no-csize", described(&but(&["pkg.csize="]), &gz), None),
        ("J4-no-size", described(&but(&["pkg.size="]), &gz), None),
        ("J5-no-attrs", described(&name, &gz), transfer),
        ("J6-sha256-content-hash", described(&format!("{} {sha256s}", but(&["pkg.content-hash="])), &gz), None),
        ("J7-wrong-sizes", described(&but(&[]).replace("size=", "size=1"), &gz), None),
        ("J8-wrong-chash", described(&wrong_chash, &gz), None),
        (
            "J9-wrong-chash-no-content-hash",
            described(&format!("{name} chash={wrong} {sizes}"), &gz),
            Some("chash failure: expected: fffffffffff"),
        ),
        ("M-wrong-sha1-name", named(&wrong), None),
        ("M2-sha512t-name", named(&sha512t(content)), None),
        ("M3-sha256-name", named(&sha256(content)), None),
        ("T1-size-only", described(&format!("{name} {sizes}"), &gz), None),
        ("T2-chash-only", described(&format!("{name} chash={}", sha1(&gz)), &gz), transfer),
        ("T3-contenthash-only", described(&format!("{name} {hash}"), &gz), transfer),
        (
            "T4-wrong-sha1-no-content-hash",
            described(&format!("{wrong} {sizes}"), &gz),
            Some("Action data hash verification failure"),
        ),
        ("T5-no-positional-hash", described(&sizes, &gz), Some("publisher/vboxsvc/file/NO/NOHASH")),
        ("T6-none", described(&name, &gz), transfer),
        ("T7-only-csize", described(&format!("{name} pkg.csize={}", gz.len()), &gz), None),
        ("T8-only-size", described(&format!("{name} pkg.size={}", content.len()), &gz), None),
        ("T9-sha256-name-no-chash", described(&format!("{} {sha256s} {sizes}", sha256(content)), &gz), None),
    ]
}

fn names() -> Vec<Row> {
    let no_manifest = Some("code: E_FAILED_INIT (2) reason: No package manifest for");
    let mut no_summary = sample();
    no_summary.lines.remove(1);
    let version = |version: &str| archive_of(&[sample_of(version)]);
    vec![
        ("K-fmri-without-publisher", with_fmri(Some("set name=pkg.fmri value=pkg:/service/vboxsvc@0.19")), None),
        ("K2-no-fmri", with_fmri(None), None),
        ("K3-other-fmri", with_fmri(Some("set name=pkg.fmri value=pkg://other/service/other@7,5.11")), None),
        ("L-no-timestamp", version("0.19,5.11"), None),
        ("L2-no-build", version("0.19:20260101T000000Z"), no_manifest),
        ("L3-branch", version("0.19,5.11-1:20260101T000000Z"), None),
        ("L4-nobuild-branch", version("0.19-1:20260101T000000Z"), no_manifest),
        ("L5-bad-version-leading-zero", version("0.09,5.11:20260101T000000Z"), Some("reason: Bad Version: 0.09")),
        ("L6-bad-version-alpha", version("0.19a,5.11:20260101T000000Z"), Some("reason: Bad Version: 0.19a")),
        ("S-no-summary", archive_of(&[no_summary]), None),
    ]
}

#[track_caller]
fn play(rows: Vec<Row>) {
    for (name, archive, refusal) in rows {
        let rig = Rig::new();
        let ran = rig.install(&archive, "service/vboxsvc");
        match refusal {
            None => {
                assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
                assert_eq!(std::fs::read_to_string(rig.at(METHOD)).unwrap(), CONTENT, "{name}");
                let verified = rig.pkg(&["verify"]);
                assert_eq!((verified.code, verified.stdout.as_str()), (0, ""), "{name}");
            }
            Some(words) => {
                assert_eq!(ran.code, 1, "{name}: {}", ran.stderr);
                assert!(ran.stderr.contains(words), "{name} says {:?}, not {words:?}", ran.stderr);
                assert!(!rig.at(METHOD).exists() && rig.installed().is_empty(), "{name} left something");
            }
        }
    }
}

#[test]
fn tar_files_of_all_kinds_as_the_real_pkg_takes_and_refuses_them() {
    play(containers());
}

#[test]
fn payloads_and_their_hashes_as_the_real_pkg_takes_and_refuses_them() {
    play(payloads());
}

#[test]
fn names_and_versions_as_the_real_pkg_takes_and_refuses_them() {
    play(names());
}

#[test]
fn an_index_that_does_not_list_a_member_hides_it_and_a_wrong_offset_is_corruption() {
    let members = good();
    let unlisted: Members = members.iter().filter(|(name, _)| !name.contains("/file/")).cloned().collect();
    let index = complete(&unlisted);
    let end = index.len() - plain(Format::Ustar, &unlisted).len();
    let hidden = [&index[..end], &plain(Format::Ustar, &members)].concat();
    let moved = [&complete(&members)[..end], &plain(Format::Pax, &members)].concat();
    play(vec![("unlisted", hidden, Some("does not contain")), ("offset", moved, CORRUPT)]);
}
