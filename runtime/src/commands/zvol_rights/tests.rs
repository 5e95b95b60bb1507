use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::zfs::testing::{Fake, fails, says};

fn chosen(datasets: &[&str], skip: &[&str], all: bool) -> (Vec<String>, Vec<String>) {
    let words = |list: &[&str]| list.iter().map(|w| w.to_string()).collect();
    let volume = |name: &str| OwnedVolume { name: name.into(), user: None, group: None, chmod: None, acl: None };
    let volumes = ["rpool/dump", "rpool/swap", "rpool/vm/a", "tank/disk", "tank/disk2"].map(volume).to_vec();
    let choice = Choice { datasets: words(datasets), skip: words(skip), all, dry_run: false };
    let (chosen, unknown) = choose(&choice, volumes);
    (chosen.into_iter().map(|v| v.name).collect(), unknown)
}

#[test]
fn every_volume_is_meant_but_those_to_skip() {
    assert_eq!(chosen(&[], &SKIPPED, false).0, ["rpool/vm/a", "tank/disk", "tank/disk2"]);
    assert_eq!(chosen(&[], &["tank/disk"], false).0, ["rpool/dump", "rpool/swap", "rpool/vm/a", "tank/disk2"]);
    assert_eq!(chosen(&[], &SKIPPED, true).0.len(), 5);
}

#[test]
fn a_name_means_a_volume_or_those_below_a_dataset_and_else_it_is_told() {
    assert_eq!(chosen(&["tank/disk"], &SKIPPED, false), (vec!["tank/disk".into()], vec![]));
    assert_eq!(chosen(&["rpool"], &SKIPPED, false).0, ["rpool/vm/a"]);
    assert_eq!(chosen(&["rpool/swap"], &SKIPPED, false).0, ["rpool/swap"], "named, so not skipped");
    assert_eq!(chosen(&["tank/dis", "nothing"], &[], false).1, ["tank/dis", "nothing"]);
}

const ACL: &str = "everyone@:rw------------:-------:allow";

/// The nodes of tank/disk as files of ours, with this mode.
fn host(mode: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for kind in ["dsk", "rdsk"] {
        let node = dir.path().join(kind).join("tank/disk");
        fs::create_dir_all(node.parent().unwrap()).unwrap();
        fs::write(&node, "").unwrap();
        fs::set_permissions(&node, Permissions::from_mode(mode)).unwrap();
    }
    dir
}

fn look(fake: Fake, dir: &Path, acl: bool) -> Fake {
    let plus = if acl { "+" } else { "" };
    ["dsk", "rdsk"].iter().fold(fake, |fake, kind| {
        let listing = format!("brw-------{plus} 1 a b x\n {ACL}\n");
        fake.on(&format!("-dVL {}", dir.join(kind).join("tank/disk").display()), says(&listing))
    })
}

fn with_work<T>(fake: &Fake, dir: &Path, choice: &Choice, act: impl FnOnce(&Work) -> T) -> T {
    let result =
        act(&Work { zfs: Zfs::of(fake), nodes: Nodes::below(fake, dir), log: Log::new("test", false), choice });
    fake.finish();
    result
}

fn volume(chmod: Option<&str>, acl: Option<&str>) -> OwnedVolume {
    let text = |value: Option<&str>| value.map(str::to_string);
    OwnedVolume { name: "tank/disk".into(), user: None, group: None, chmod: text(chmod), acl: text(acl) }
}

#[test]
fn what_was_given_to_the_nodes_is_saved_once() {
    let dir = host(0o660);
    let me = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap();
    let group = nix::unistd::Group::from_gid(nix::unistd::Gid::effective()).unwrap().unwrap();
    let saved = OwnedVolume { user: Some(me.name.clone()), group: Some(group.name), ..volume(None, Some(ACL)) };
    let fake = look(Fake::default(), dir.path(), true).on("set owner:chmod=u=rw,g=rw,o= tank/disk", says(""));
    with_work(&fake, dir.path(), &Choice::default(), |work| work.save(&saved)).unwrap();
    let saved = OwnedVolume { chmod: Some("u=rw,g=rw,o=".into()), ..saved };
    let fake = look(Fake::default(), dir.path(), true);
    with_work(&fake, dir.path(), &Choice::default(), |work| work.save(&saved)).unwrap();
    let dry = Choice { dry_run: true, ..Choice::default() };
    let fake = look(Fake::default(), dir.path(), false);
    with_work(&fake, dir.path(), &dry, |work| work.save(&volume(None, None))).unwrap();
}

#[test]
fn a_refusal_to_save_tells_what_mends_it() {
    let dir = host(0o660);
    let denied = "cannot set property for 'tank/disk': permission denied\n";
    let saved = |fake: &Fake| with_work(fake, dir.path(), &Choice::default(), |work| work.save(&volume(None, None)));
    let me = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap();
    let order = format!("set owner:user={} tank/disk", me.name);
    let error = saved(&look(Fake::default(), dir.path(), false).on(&order, fails(1, denied))).unwrap_err();
    assert!(error.to_string().contains("zfs allow"), "{error}");
}

/// Covers: zvol-rights
#[test]
fn both_nodes_get_back_what_was_saved() {
    let dir = host(0o600);
    let mut fake = look(Fake::default(), dir.path(), false);
    for kind in ["dsk", "rdsk"] {
        fake = fake.on(&format!("A={ACL} {}", dir.path().join(kind).join("tank/disk").display()), says(""));
    }
    let saved = volume(Some("u=rw,g=r,o="), Some(ACL));
    with_work(&fake, dir.path(), &Choice::default(), |work| work.restore(&saved)).unwrap();
    for kind in ["dsk", "rdsk"] {
        let mode = fs::metadata(dir.path().join(kind).join("tank/disk")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "{kind}");
    }
}

#[test]
fn a_volume_without_saved_rights_is_not_even_looked_at_and_wrong_ones_change_nothing() {
    let dir = host(0o600);
    let restore =
        |saved: &OwnedVolume| with_work(&Fake::default(), dir.path(), &Choice::default(), |work| work.restore(saved));
    restore(&volume(None, None)).unwrap();
    let error = restore(&volume(Some("u=rws,g=,o="), None)).unwrap_err();
    assert!(error.to_string().contains("owner:chmod"), "{error}");
}

/// Who administers a zone sets the properties of what is delegated to it.
#[test]
fn in_the_global_zone_nobody_gets_rights_by_the_word_of_a_zones_administrator() {
    let dir = host(0o600);
    let volume = |name: &str| OwnedVolume { name: name.into(), user: Some("mallory".into()), ..volume(None, None) };
    let left = |choice: &Choice, asked: bool| -> Vec<String> {
        let volumes = ["tank/disk", "tank/z1/disk", "tank/z1/sub/disk", "tank/z11"].map(volume).to_vec();
        let fake = Fake::default();
        let answer = says("tank\toff\ntank/z1\ton\ntank/z1/sub\ton\n");
        let fake = if asked { fake.on("list -Hp -t filesystem -o name,zoned", answer) } else { fake };
        let left = with_work(&fake, dir.path(), choice, |work| work.without_those_of_zones(volumes)).unwrap();
        left.into_iter().map(|volume| volume.name).collect()
    };
    assert_eq!(left(&Choice::default(), true), ["tank/disk", "tank/z11"]);
    let named = Choice { datasets: vec!["tank".into(), "tank/z1/disk".into()], ..Choice::default() };
    assert_eq!(left(&named, true), ["tank/disk", "tank/z1/disk", "tank/z11"]);
    assert_eq!(left(&Choice { all: true, ..Choice::default() }, false).len(), 4);
    // An answer that is none lets nothing through.
    let fake = Fake::default().on("list -Hp -t filesystem -o name,zoned", fails(1, "internal error\n"));
    let told =
        with_work(&fake, dir.path(), &Choice::default(), |work| work.without_those_of_zones(vec![volume("tank/disk")]));
    assert!(told.is_err());
}
