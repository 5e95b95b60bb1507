//! Snapshots of a VM's datasets, by the real `vboxsvc` on a simulated host. SMF, VirtualBox and ZFS are stand-ins.

use std::path::Path;

use simhost::vbox::{Control, Medium, Spec};
use simhost::zfs::Pools;
use simhost::{Host, Ran, vboxsvc_exe};

const WEB: &str = "svc:/site/xvm/vbox:web";

/// A powered off VM "web" whose files are on tank/vm and whose raw disk, behind a descriptor with an offset, is the
/// volume tank/disk.
fn host() -> (Host, Control, Pools) {
    let host = Host::new();
    host.install_method(&vboxsvc_exe());
    for manifest in xtask::smf::render::render_all(
        &xtask::flags::workspace(),
        env!("CARGO_PKG_VERSION"),
        &xtask::smf::render::Variables::default(),
    )
    .expect("rendered manifests")
    {
        host.import(&manifest.text);
    }
    let folder = host.root().join("tank/vm/web");
    std::fs::create_dir_all(folder.join("Snapshots")).expect("the folder of the VM");
    let descriptor = folder.join("raw.vmdk");
    std::fs::write(
        &descriptor,
        "# Disk DescriptorFile\ncreateType=\"partitionedDevice\"\nRW 2048 FLAT \"/dev/zvol/rdsk/tank/diskp1\" 63\n",
    )
    .expect("the descriptor");
    let pools = Pools::of(host.root());
    let mountpoint = |name: &str| host.root().join(name).display().to_string();
    pools.filesystem("tank", &mountpoint("tank"));
    pools.filesystem("tank/vm", &mountpoint("tank/vm"));
    pools.volume("tank/disk");
    pools.filesystem("backup/extra", "none");
    pools.call_as("root");
    let control = Control::new(host.root());
    control.create_vm_with(Spec {
        folder: Some(folder),
        media: vec![Medium::new("SATA", 0, 0, descriptor)],
        ..Spec::named("web")
    });
    host.add_instance("web");
    (host, control, pools)
}

fn zfssnap(host: &Host, comment: &[&str]) -> Ran {
    host.vboxsvc(["--vm", "web", "zfssnap"].iter().chain(comment))
}

/// Covers: zfssnap, vm/zfssnap_dslist_append
#[test]
fn everything_behind_the_vm_is_snapshot_under_one_name_a_pool() {
    let (host, _control, pools) = host();
    host.setprop(WEB, "vm/zfssnap_dslist_append", "astring", "backup/extra");
    let ran = zfssnap(&host, &["before", "update"]).expect_success();
    let tails = pools.snapshots("tank/vm");
    assert_eq!(tails.len(), 1, "{ran:?}");
    assert!(tails[0].starts_with("vboxsvc-auto-snap:web:before_update:poweroff:2"), "{tails:?}");
    assert_eq!(pools.snapshots("tank/disk"), tails);
    assert_eq!(pools.snapshots("backup/extra"), tails);
    assert_eq!(pools.snapshots("tank"), [""; 0]);
    let names = ["backup/extra", "tank/disk", "tank/vm"].map(|d| format!("{d}@{}\n", tails[0]));
    assert_eq!(ran.stdout, names.concat());
    let orders = pools.calls().iter().filter(|c| c.starts_with("snapshot ")).count();
    assert_eq!(orders, 2, "one for each pool: {:?}", pools.calls());
}

/// Covers: vm/zfssnap_keep
#[test]
fn snapshots_in_one_second_do_not_collide_and_the_oldest_go() {
    let (host, _control, pools) = host();
    host.setprop(WEB, "vm/zfssnap_keep", "integer", "2");
    pools.snapshot("tank/vm@daily");
    for _ in 0..3 {
        zfssnap(&host, &[]).expect_success();
    }
    let left = pools.snapshots("tank/vm");
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(left[0], "daily");
}

/// Covers: vm/zfssnap_dslist
#[test]
fn fault_07_what_the_settings_name_counts_and_what_fails_is_told() {
    let (host, _control, pools) = host();
    host.setprop(WEB, "vm/zfssnap_dslist_append", "astring", "tank/gone");
    let ran = zfssnap(&host, &[]);
    assert_eq!(ran.code, 126, "{ran:?}");
    assert!(ran.stderr.contains("vm/zfssnap_dslist_append: \"tank/gone\" is no dataset"), "{ran:?}");
    assert_eq!(pools.snapshots("tank/vm").len(), 1);
    pools.call_as("ann");
    let ran = zfssnap(&host, &[]);
    assert_eq!(ran.code, 95, "{ran:?}");
    assert!(ran.stderr.contains("permission denied"), "{ran:?}");
    host.setprop(WEB, "vm/zfssnap_dslist", "astring", "-");
    host.setprop(WEB, "vm/zfssnap_dslist_append", "astring", "-");
    assert_eq!(zfssnap(&host, &[]).code, 96);
}

#[test]
fn a_dry_run_names_what_it_would_make_and_makes_nothing() {
    let (host, _control, pools) = host();
    let ran = zfssnap(&host, &["--dry-run"]).expect_success();
    assert_eq!(ran.stdout.lines().count(), 2, "{ran:?}");
    assert_eq!(pools.snapshots("tank/vm"), [""; 0]);
}

/// Covers: dirlist
#[test]
fn dirlist_tells_files_disks_and_datasets() {
    let (host, _control, _pools) = host();
    let ran = host.vboxsvc(["--vm", "web", "dirlist"]).expect_success();
    assert!(ran.stdout.contains("web/raw.vmdk -> tank/vm\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("/dev/zvol/rdsk/tank/diskp1 -> tank/disk\n"), "{}", ran.stdout);
    let json = host.vboxsvc(["--vm", "web", "dirlist", "--json"]).expect_success();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["snapshot"], serde_json::json!(["tank/disk", "tank/vm"]));
}

/// Covers: vm/zfssnap_flag, vm/zfssnap_prefix
#[test]
fn a_start_and_a_stop_are_kept_where_the_settings_want_it() {
    let (host, control, pools) = host();
    control.set_settings(&simhost::vbox::Settings::default());
    for (name, kind, value) in [("vm/zfssnap_flag", "boolean", "true"), ("vm/zfssnap_prefix", "astring", "kept")] {
        host.setprop(WEB, name, kind, value);
    }
    let long = std::time::Duration::from_secs(60);
    host.run("svcadm", ["enable", WEB]).expect_success();
    host.wait_state(WEB, "online", long).unwrap_or_else(|error| panic!("{error}"));
    let names = pools.snapshots("tank/vm");
    assert!(names.len() == 1 && names[0].starts_with("kept:web:prestart:poweroff:"), "{names:?}");
    host.run("svcadm", ["disable", WEB]).expect_success();
    host.wait_state(WEB, "disabled", long).unwrap_or_else(|error| panic!("{error}"));
    let names = pools.snapshots("tank/vm");
    assert!(names.len() == 2 && names[1].starts_with("kept:web:poststop-savestate-0:saved:"), "{names:?}");
}

/// Covers: zvol-rights
#[test]
fn what_is_delegated_to_a_zone_is_restored_in_that_zone_and_not_outside() {
    let (host, _control, pools) = host();
    pools.filesystem("tank/z1", "none");
    pools.set_property("tank/z1", "zoned", "on");
    pools.volume("tank/z1/disk");
    for volume in ["tank/disk", "tank/z1/disk"] {
        pools.set_property(volume, "owner:user", "root");
    }
    for tool in ["ls", "chmod"] {
        std::os::unix::fs::symlink(Path::new("/bin").join(tool), host.bin().join(tool)).expect("a writable host");
    }
    let told = || host.vboxsvc(["zvol-rights", "restore"]).expect_success().stderr;
    // The simulated host has no nodes.
    let outside = told();
    assert!(outside.contains("tank/z1/disk is left to its zone"), "{outside}");
    assert!(outside.contains("dsk/tank/disk does not exist") && !outside.contains("dsk/tank/z1/disk"), "{outside}");
    std::fs::write(host.root().join("etc/zonename"), "z1\n").expect("a writable host");
    let inside = told();
    assert!(inside.contains("dsk/tank/z1/disk does not exist") && !inside.contains("left to its zone"), "{inside}");
}
