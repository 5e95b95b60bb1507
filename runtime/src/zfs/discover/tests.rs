use proptest::prelude::*;

use super::super::parse;
use super::*;

const LIST: &[u8] = b"rpool\tfilesystem\t/rpool\tyes\n\
    rpool/ROOT/be\tfilesystem\t/\tyes\n\
    rpool/swap\tvolume\t-\t-\n\
    tank\tfilesystem\t/tank\tyes\n\
    tank/vm\tfilesystem\t/tank/vm\tyes\n\
    tank/vm2\tfilesystem\t/tank/vm2\tyes\n\
    tank/vm/web\tfilesystem\t/tank/vm/web\tyes\n\
    tank/vm/off\tfilesystem\t/tank/vm/off\tno\n\
    tank/old\tfilesystem\tlegacy\tyes\n\
    tank/none\tfilesystem\tnone\tno\n\
    tank/disk\tvolume\t-\t-\n\
    tank/disks0\tvolume\t-\t-\n\
    tank/my disk\tvolume\t-\t-\n";

const MNTTAB: &[u8] = b"rpool/ROOT/be\t/\tzfs\tdev=1\t0\n\
    /devices\t/devices\tdevfs\tdev=2\t0\n\
    tank/vm\t/tank/vm\tzfs\tdev=3\t1\n\
    tank/vm/web\t/tank/vm/web\tzfs\tdev=4\t1\n\
    tank/old\t/mnt/old\tzfs\tdev=5\t1\n\
    /dev/dsk/c1t0d0s7\t/data\tufs\tdev=6\t1\n\
    srv:/vms\t/net/srv/vms\tnfs\tvers=4\t2\n\
    linux:/vms\t/net/linux/vms\tnfs\tvers=3\t2\n\
    /tank/vm/web\t/home/web\tlofs\tdev=4\t2\n\
    /hidden\t/hidden\tlofs\tdev=7\t2\n\
    tank/vm@daily\t/tank/vm/.zfs/snapshot/daily\tzfs\tdev=8\t3\n\
    global/only\t/zone\tzfs\tdev=9\t3\n\
    first\t/over\tufs\tdev=10\t3\n\
    tank\t/over\tzfs\tdev=11\t4\n";

fn has_snapshots(point: &Path) -> bool {
    point == Path::new("/net/srv/vms")
}

fn with_map<T>(mnttab: bool, ask: impl Fn(&Map) -> T) -> T {
    let datasets = parse::datasets(LIST).unwrap();
    let table = mnttab.then(|| parse::mnttab(MNTTAB));
    ask(&Map::new(&datasets, table, &has_snapshots))
}

fn shown(place: Place) -> String {
    match place {
        Place::Dataset(name) => name,
        Place::Remote(point) => format!("remote {}", point.display()),
        Place::Elsewhere(why) => format!("! {why}"),
    }
}

#[test]
fn a_file_is_on_the_file_system_with_the_longest_mount_point_above_it() {
    for (path, place) in [
        ("/tank/vm/web/web.vbox", "tank/vm/web"),
        ("/tank/vm/web", "tank/vm/web"),
        ("/tank/vm/webmail/disk.vdi", "tank/vm"),
        ("/tank/vm/off/disk.vdi", "tank/vm"),
        ("/mnt/old/disk.vdi", "tank/old"),
        ("/home/web/disk.vdi", "tank/vm/web"),
        ("/home/web", "tank/vm/web"),
        ("/opt/VBoxGuestAdditions.iso", "rpool/ROOT/be"),
        ("/over/disk.vdi", "tank"),
        ("/net/srv/vms/a/disk.vdi", "remote /net/srv/vms"),
        ("/net/linux/vms/disk.vdi", "! is on linux:/vms by NFS, and /net/linux/vms has no .zfs/snapshot"),
        ("/data/disk.vdi", "! is on /dev/dsk/c1t0d0s7, a file system of type ufs"),
        ("/hidden/disk.vdi", "! is reached by a loopback mount from a place this zone does not see"),
        ("/tank/vm/.zfs/snapshot/daily/disk.vdi", "! is in a snapshot, tank/vm@daily"),
        ("/zone/disk.vdi", "! is on global/only, a dataset that is not seen from here"),
        ("/devices/pci@0/disk@1:a", "! is a device that is no volume of ZFS"),
    ] {
        assert_eq!(shown(with_map(true, |map| map.of_file(Path::new(path)))), place, "{path}");
    }
}

#[test]
fn without_a_mount_table_what_zfs_has_mounted_by_itself_counts() {
    for (path, place) in [
        ("/tank/vm2/disk.vdi", "tank/vm2"),
        ("/tank/vm/off/disk.vdi", "tank/vm"),
        ("/legacy/disk.vdi", "rpool/ROOT/be"),
    ] {
        assert_eq!(shown(with_map(false, |map| map.of_file(Path::new(path)))), place, "{path}");
    }
}

#[test]
fn a_raw_disk_is_the_volume_it_names_or_a_partition_of_it() {
    for (path, place) in [
        ("/dev/zvol/rdsk/tank/disk", "tank/disk"),
        ("/dev/zvol/dsk/tank/disk", "tank/disk"),
        ("/dev/zvol/rdsk/tank/diskp1", "tank/disk"),
        ("/dev/zvol/rdsk/tank/disks1", "tank/disk"),
        ("/dev/zvol/rdsk/tank/disks0", "tank/disks0"),
        ("/dev/zvol/rdsk/tank/my disk", "tank/my disk"),
        ("/dev/zvol/rdsk/tank/gone", "! stands for a volume that does not exist"),
        ("/dev/zvol/rdsk/tank/vm", "! stands for a volume that does not exist"),
        ("/dev/zvol/rdsk/tank/p1", "! stands for a volume that does not exist"),
        ("/dev/rdsk/c1t0d0p0", "! is a device that is no volume of ZFS"),
        ("/dev/zvolx/rdsk/tank/disk", "! is a device that is no volume of ZFS"),
    ] {
        assert_eq!(shown(with_map(true, |map| map.of_file(Path::new(path)))), place, "{path}");
    }
}

#[test]
fn a_setting_names_a_dataset_or_exactly_a_mount_point() {
    for (name, place) in [
        ("tank/vm", "tank/vm"),
        ("tank/none", "tank/none"),
        ("tank/disk", "tank/disk"),
        ("/tank/vm", "tank/vm"),
        ("/mnt/old", "tank/old"),
        ("/net/srv/vms", "remote /net/srv/vms"),
        ("/dev/zvol/dsk/tank/disk", "tank/disk"),
        ("tank/gone", "! is no dataset of this host"),
        ("tank/vm/", "! is no dataset of this host"),
        ("0", "! is no dataset of this host"),
        ("/tank/vm/folder", "! is no mount point; it is on tank/vm"),
        ("/data", "! is on /dev/dsk/c1t0d0s7, a file system of type ufs"),
    ] {
        assert_eq!(shown(with_map(true, |map| map.of_setting(name, Path::new(name)))), place, "{name}");
    }
}

fn part(path: &str, place: Place) -> Part {
    Part { path: path.into(), place }
}

fn named(entry: &str, place: Place) -> Named {
    Named { property: "vm/zfssnap_dslist_append", entry: entry.to_string(), place }
}

#[test]
fn targets_are_each_dataset_once_and_errors_apart_from_what_is_not_covered() {
    let dataset = |name: &str| Place::Dataset(name.to_string());
    let mut survey = Survey {
        files: vec![
            part("/a/vm.vbox", dataset("tank/a")),
            part("/a/vm.vdi", dataset("tank/a")),
            part("/n/vm.vdi", Place::Remote("/n".into())),
            part("/u/vm.iso", Place::Elsewhere("is on ufs".into())),
        ],
        raw_disks: vec![part("/dev/zvol/rdsk/tank/d", dataset("tank/d"))],
        unread: vec![("/a/raw.vmdk".into(), std::io::ErrorKind::PermissionDenied)],
        auto: true,
        named: vec![
            named("tank/a", dataset("tank/a")),
            named("tank/x", Place::Elsewhere("is no dataset of this host".into())),
        ],
    };
    let targets = survey.targets();
    assert_eq!(targets.datasets.iter().map(String::as_str).collect::<Vec<_>>(), ["tank/a", "tank/d"]);
    assert_eq!(targets.remote.iter().collect::<Vec<_>>(), [Path::new("/n")]);
    assert_eq!(targets.wrong, ["vm/zfssnap_dslist_append: \"tank/x\" is no dataset of this host"]);
    assert_eq!(targets.uncovered.len(), 2);
    assert_eq!(targets.uncovered[0], "/u/vm.iso is on ufs: no snapshot covers it");
    assert!(targets.uncovered[1].starts_with("/a/raw.vmdk could not be looked into"), "{:?}", targets.uncovered);
    survey.auto = false;
    let targets = survey.targets();
    assert_eq!(targets.datasets.iter().map(String::as_str).collect::<Vec<_>>(), ["tank/a"]);
    assert_eq!((targets.remote.len(), targets.uncovered.len()), (0, 0));
}

proptest! {
    #[test]
    fn no_path_upsets_the_search(path in "/(\\PC{0,10}/?){0,5}") {
        let _ = with_map(true, |map| (map.of_file(Path::new(&path)), map.of_setting(&path, Path::new(&path))));
    }

    #[test]
    fn a_file_never_leaves_its_file_system_for_one_that_only_begins_alike(
        point in "/[a-z]{1,8}(/[a-z]{1,8}){0,2}", more in "[a-z0-9]{1,4}", file in "[a-z]{1,8}",
    ) {
        let list = format!("p/a\tfilesystem\t{point}\tyes\np/root\tfilesystem\t/\tyes\n");
        let datasets = parse::datasets(list.as_bytes()).unwrap();
        let map = Map::new(&datasets, None, &has_snapshots);
        prop_assume!(!point.starts_with("/dev"));
        let inside = map.of_file(Path::new(&format!("{point}/{file}")));
        let beside = map.of_file(Path::new(&format!("{point}{more}/{file}")));
        prop_assert_eq!(inside, Place::Dataset("p/a".to_string()));
        prop_assert_eq!(beside, Place::Dataset("p/root".to_string()));
    }
}
