use super::*;

fn pools() -> (tempfile::TempDir, Pools) {
    let dir = tempfile::tempdir().unwrap();
    let pools = Pools::of(dir.path());
    pools.filesystem("tank", "/tank");
    pools.filesystem("tank/vm", "/tank/vm");
    pools.filesystem("tank/old", "legacy");
    pools.volume("tank/disk");
    pools.call_as("root");
    (dir, pools)
}

fn zfs(pools: &Pools, args: &str) -> Ended {
    let args: Vec<String> = args.split(' ').map(str::to_string).collect();
    pools.change(|state| call(state, &args))
}

#[test]
fn datasets_are_listed_with_tabs() {
    let (_dir, pools) = pools();
    pools.unmount("tank/vm");
    let ended = zfs(&pools, "list -Hp -t filesystem,volume -o name,type,mountpoint,mounted");
    assert_eq!(
        ended.stdout,
        "tank\tfilesystem\t/tank\tyes\ntank/disk\tvolume\t-\t-\ntank/old\tfilesystem\tlegacy\tno\n\
         tank/vm\tfilesystem\t/tank/vm\tno\n"
    );
}

#[test]
fn snapshots_are_listed_of_the_named_datasets_alone_in_the_order_of_their_making() {
    let (_dir, pools) = pools();
    for name in ["tank/vm@b", "tank/vm@a", "tank@x", "tank/disk@y"] {
        pools.snapshot(name);
    }
    assert_eq!(zfs(&pools, "list -Hp -d 1 -t snapshot -o name tank/vm").stdout, "tank/vm@b\ntank/vm@a\n");
    assert_eq!(zfs(&pools, "list -Hp -d 1 -t snapshot -o name tank").stdout, "tank@x\n");
    let ended = zfs(&pools, "list -Hp -d 1 -t snapshot -o name tank/gone");
    assert_eq!((ended.code, ended.stderr.as_str()), (1, "cannot open 'tank/gone': dataset does not exist\n"));
}

#[test]
fn a_snapshot_of_several_datasets_is_made_of_all_or_none() {
    let (_dir, pools) = pools();
    assert_eq!(zfs(&pools, "snapshot tank/vm@a tank/disk@a").code, 0);
    let ended = zfs(&pools, "snapshot tank/old@a tank/disk@a");
    assert_eq!(ended.code, 1);
    let said = "cannot create snapshot 'tank/disk@a': dataset already exists\nno snapshots were created\n";
    assert_eq!(ended.stderr, said);
    assert_eq!(pools.snapshots("tank/old"), [""; 0]);
    assert_eq!(zfs(&pools, "snapshot tank/gone@a").code, 2);
    assert_eq!(zfs(&pools, "snapshot tank/vm@a/b").code, 1);
    pools.filesystem("rpool", "/rpool");
    assert!(zfs(&pools, "snapshot tank/vm@z rpool@z").stderr.contains("multiple snapshots of same fs"));
}

#[test]
fn only_root_and_who_was_allowed_may() {
    let (_dir, pools) = pools();
    pools.call_as("ann");
    let denied = "cannot create snapshots : permission denied\nno snapshots were created\n";
    assert_eq!(zfs(&pools, "snapshot tank/vm@a").stderr, denied);
    pools.allow("ann", &["snapshot", "mount"], "tank/vm");
    assert_eq!(zfs(&pools, "snapshot tank/vm@a").code, 0);
    assert_eq!(zfs(&pools, "snapshot tank/disk@a").code, 1);
    assert!(zfs(&pools, "destroy tank/vm@a").stderr.contains("permission denied"));
    assert!(zfs(&pools, "set owner:user=ann tank/vm").stderr.contains("permission denied"));
}

#[test]
fn only_single_snapshots_are_destroyed_and_held_ones_are_busy() {
    let (_dir, pools) = pools();
    pools.snapshot("tank/vm@a");
    pools.snapshot("tank/vm@b");
    pools.hold("tank/vm@a");
    for args in ["destroy tank/vm", "destroy tank/vm@a%b", "destroy tank/vm@a,b", "destroy -r tank/vm@a"] {
        assert_eq!(zfs(&pools, args).code, 2, "{args}");
    }
    assert_eq!(zfs(&pools, "destroy tank/vm@a").stderr, "cannot destroy snapshot tank/vm@a: dataset is busy\n");
    assert_eq!(zfs(&pools, "destroy tank/vm@b").code, 0);
    assert_eq!(pools.snapshots("tank/vm"), ["a"]);
}

#[test]
fn user_properties_are_kept_and_inherited() {
    let (_dir, pools) = pools();
    assert_eq!(zfs(&pools, "set owner:user=ann tank/disk").code, 0);
    pools.set_property("tank", "owner:group", "staff");
    let ended = zfs(&pools, "list -Hp -t volume -o name,owner:user,owner:group,owner:acl");
    assert_eq!(ended.stdout, "tank/disk\tann\tstaff\t-\n");
    assert_eq!(pools.property("tank/disk", "owner:user").as_deref(), Some("ann"));
}

#[test]
fn a_failure_is_for_one_call() {
    let (_dir, pools) = pools();
    pools.fail_next("snapshot", "cannot create snapshot 'tank/vm@a': out of space");
    assert_eq!(zfs(&pools, "list -H").code, 0);
    assert_eq!(zfs(&pools, "snapshot tank/vm@a").stderr, "cannot create snapshot 'tank/vm@a': out of space\n");
    assert_eq!(zfs(&pools, "snapshot tank/vm@a").code, 0);
    assert_eq!(pools.calls().len(), 3);
}
