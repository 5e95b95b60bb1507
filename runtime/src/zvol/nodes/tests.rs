use super::*;
use crate::zfs::testing::{Fake, fails, says};

const PLAIN: &str =
    "brw-------   1 root     sys      295,  1 Jan  1 00:00 x\n     owner@:rw-p--aARWcCos:-------:allow\n";
const ACL: &str = "everyone@:rw------------:-------:allow";

/// A folder with a file where the block node of tank/disk would be.
fn host() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("dsk/tank/disk");
    fs::create_dir_all(node.parent().unwrap()).unwrap();
    fs::write(&node, "").unwrap();
    fs::set_permissions(&node, Permissions::from_mode(0o600)).unwrap();
    (dir, node)
}

#[test]
fn a_node_that_is_not_there_has_no_rights_and_is_no_error() {
    let (dir, node) = host();
    let fake = Fake::default().on(&format!("-dVL {}", node.display()), says(PLAIN));
    let nodes = Nodes::below(&fake, dir.path());
    let [dsk, rdsk] = nodes.of("tank/disk");
    assert_eq!(nodes.look(&rdsk).unwrap(), None);
    let rights = nodes.look(&dsk).unwrap().unwrap();
    let me = User::from_uid(Uid::effective()).unwrap().unwrap();
    assert_eq!((rights.user, rights.mode, rights.acl), (me.name, 0o600, None));
    fake.finish();
}

#[test]
fn an_acl_that_cannot_be_read_is_an_error_and_not_none() {
    let (dir, node) = host();
    let fake = Fake::default().on(&format!("-dVL {}", node.display()), fails(2, "ls: illegal option -- V\n"));
    let error = Nodes::below(&fake, dir.path()).look(&node).unwrap_err();
    assert!(error.to_string().contains("illegal option"), "{error}");
}

fn now() -> Rights {
    let me = User::from_uid(Uid::effective()).unwrap().unwrap();
    Rights { user: me.name, group: "nobody-here".into(), mode: 0o600, acl: None }
}

#[test]
fn mode_and_acl_are_restored_in_this_order() {
    let (dir, node) = host();
    let fake = Fake::default().on(&format!("A={ACL} {}", node.display()), says(""));
    let saved = Saved { mode: Some(0o640), acl: Some(ACL.into()), ..Saved::default() };
    let done = Nodes::below(&fake, dir.path()).restore(&node, &now(), &saved).unwrap();
    assert_eq!(done, ["u=rw,g=r,o=".to_string(), format!("A={ACL}")]);
    assert_eq!(fs::metadata(&node).unwrap().mode() & 0o777, 0o640);
    fake.finish();
}

#[test]
fn the_owner_can_be_given_by_name_or_by_number() {
    let (dir, node) = host();
    let fake = Fake::default();
    let gid = fs::metadata(&node).unwrap().gid();
    for group in [gid.to_string(), Group::from_gid(Gid::from_raw(gid)).unwrap().unwrap().name] {
        let saved = Saved { group: Some(group.clone()), ..Saved::default() };
        let done = Nodes::below(&fake, dir.path()).restore(&node, &now(), &saved).unwrap();
        assert_eq!(done, [format!("{}:{group}", now().user)]);
    }
}

#[test]
fn rights_that_are_right_are_left_alone() {
    let (dir, node) = host();
    let acl = Some(ACL.to_string());
    let saved = Saved { user: Some(now().user), group: Some(now().group), mode: Some(0o600), acl: acl.clone() };
    let done = Nodes::below(&Fake::default(), dir.path()).restore(&node, &Rights { acl, ..now() }, &saved).unwrap();
    assert_eq!(done, [""; 0]);
}

#[test]
fn an_owner_this_host_does_not_know_is_an_error_and_changes_nothing() {
    let (dir, node) = host();
    let saved = Saved { user: Some("no-such-user".into()), mode: Some(0o666), ..Saved::default() };
    let error = Nodes::below(&Fake::default(), dir.path()).restore(&node, &now(), &saved).unwrap_err();
    assert!(error.to_string().contains("no user \"no-such-user\""), "{error}");
    assert_eq!(fs::metadata(&node).unwrap().mode() & 0o777, 0o600);
}
