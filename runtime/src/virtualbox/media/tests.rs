use std::fs;

use proptest::prelude::*;

use super::*;
use crate::virtualbox::parse::info;
use crate::virtualbox::testing::sample;
use crate::virtualbox::{Medium, parse};

const FULL: &str = "# Disk DescriptorFile\nversion=1\nCID=1a2b3c4d\nparentCID=ffffffff\ncreateType=\"fullDevice\"\n\n\
    # Extent description\nRW 20971520 FLAT \"/dev/zvol/rdsk/rpool/vm one/disk\" 0\n\n# The disk Data Base\n\
    ddb.virtualHWVersion = \"4\"\n";

const PARTITIONED: &str = "# Disk DescriptorFile\ncreateType=\"partitionedDevice\"\nRW 63 FLAT \"web-pt.vmdk\" 0\n\
    RW 1985 ZERO \nRW 409600 FLAT \"/dev/rdsk/c0t0d0p1\" 2048\nRW 8 ZERO\n";

#[test]
fn an_offset_is_not_taken_for_the_path() {
    let descriptor = Descriptor::parse(PARTITIONED.as_bytes()).unwrap();
    let extents: Vec<_> = descriptor
        .extents
        .iter()
        .map(|e| (e.sectors, e.path.as_ref().map(|p| p.to_str().unwrap()), e.offset))
        .collect();
    assert_eq!(
        extents,
        [(63, Some("web-pt.vmdk"), 0), (1985, None, 0), (409_600, Some("/dev/rdsk/c0t0d0p1"), 2048), (8, None, 0)]
    );
    assert!(descriptor.is_raw());
}

#[test]
fn a_device_path_with_blanks_is_read_whole() {
    let descriptor = Descriptor::parse(FULL.as_bytes()).unwrap();
    assert_eq!(descriptor.extents[0].path.as_deref(), Some("/dev/zvol/rdsk/rpool/vm one/disk".as_ref()));
}

#[test]
fn what_is_no_descriptor_is_none() {
    for bytes in [&b""[..], b"KDMV\x01\0\0\0", b"RW 1 FLAT \"/dev/x\" 0\n", b"# Disk DescriptorFile\nversion=1\n"] {
        assert_eq!(Descriptor::parse(bytes), None);
    }
}

fn machine(media: &[(&Path, Option<&str>)]) -> Info {
    let mut info = info(&sample("iem-trans-saved").stdout).unwrap();
    let medium = |(at, (path, uuid)): (usize, &(&Path, Option<&str>))| Medium {
        controller: "SATA".into(),
        port: u32::try_from(at).unwrap(),
        device: 0,
        path: path.to_path_buf(),
        uuid: uuid.map(|u| u.parse().unwrap()),
    };
    info.media = media.iter().enumerate().map(medium).collect();
    info
}

#[test]
fn settings_state_images_and_devices_are_all_found_once() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("full.vmdk"), FULL).unwrap();
    fs::write(at("part.vmdk"), PARTITIONED).unwrap();
    fs::write(at("plain.vdi"), b"<<< Oracle VM VirtualBox Disk Image >>>\n").unwrap();
    fs::write(
        at("flat.vmdk"),
        "# Disk DescriptorFile\ncreateType=\"monolithicFlat\"\nRW 9 FLAT \"flat-flat.vmdk\" 0\n",
    )
    .unwrap();
    let names = ["full.vmdk", "part.vmdk", "plain.vdi", "flat.vmdk", "plain.vdi", "gone.vdi"].map(at);
    let info = machine(&names.each_ref().map(|n| (n.as_path(), None)));
    let got = backing(&info, &[]);
    let mut files = vec![info.config_file.unwrap(), info.state_file.unwrap(), info.snapshot_folder.unwrap()];
    files.extend(
        ["full.vmdk", "part.vmdk", "web-pt.vmdk", "plain.vdi", "flat.vmdk", "flat-flat.vmdk", "gone.vdi"].map(at),
    );
    assert_eq!(got.files, files);
    assert_eq!(got.raw_disks, ["/dev/zvol/rdsk/rpool/vm one/disk", "/dev/rdsk/c0t0d0p1"].map(PathBuf::from));
    assert_eq!(got.unread, [(at("gone.vdi"), io::ErrorKind::NotFound)]);
}

#[test]
fn the_device_below_a_snapshot_is_found_through_the_media_list() {
    let dir = tempfile::tempdir().unwrap();
    let (base, middle, top) = (dir.path().join("base.vmdk"), dir.path().join("1.vmdk"), dir.path().join("2.vmdk"));
    fs::write(&base, FULL).unwrap();
    fs::write(&middle, "KDMV").unwrap();
    fs::write(&top, "KDMV").unwrap();
    let uuid = |n: u8| format!("b5fb516d-16e5-4c70-863f-540c98e423c{n}");
    let disk = |n, parent: Option<u8>, location: &Path| HardDisk {
        uuid: uuid(n).parse().unwrap(),
        parent: parent.map(|p| uuid(p).parse().unwrap()),
        location: location.to_path_buf(),
    };
    let info = machine(&[(&top, Some(&uuid(2)))]);
    let disks = [disk(0, None, &base), disk(1, Some(0), &middle), disk(2, Some(1), &top)];
    assert_eq!(backing(&info, &disks).raw_disks, [PathBuf::from("/dev/zvol/rdsk/rpool/vm one/disk")]);
    // A circle ends.
    let circle = [disk(1, Some(2), &middle), disk(2, Some(1), &top)];
    assert!(backing(&info, &circle).raw_disks.is_empty());
}

#[test]
fn a_device_in_a_drive_is_listed_and_not_opened() {
    // Opened for reading, this one would never end.
    assert_eq!(read_descriptor(Path::new("/dev/zero")).unwrap(), None);
}

#[test]
fn a_huge_image_is_read_only_at_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.vmdk");
    fs::write(&path, FULL).unwrap();
    // Sparse: takes no space, but reading it whole would take a terabyte of memory.
    File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(read_descriptor(&path).unwrap().is_some());
}

#[test]
fn recorded_media_are_found_with_their_bases() {
    let info = info(&sample("iem-d-showvminfo-snap-mr").stdout).unwrap();
    let disks = parse::hard_disks(&sample("iem-d-list-hdds").stdout).unwrap();
    let got = backing(&info, &disks);
    assert!(got.files.iter().any(|f| f.ends_with("Snapshots/{b6c26e79-aa19-4e5e-b55f-87aef5b3cab9}.vdi")));
    assert_eq!(got.files.len(), 2 + 5);
}

proptest! {
    #[test]
    fn no_descriptor_panics(bytes: Vec<u8>, lines in "((RW|RDONLY|createType|=|\"| |[0-9]{1,25}|FLAT|ZERO|\n){0,30})") {
        let _ = Descriptor::parse(&bytes);
        let _ = Descriptor::parse(&[SIGNATURE, b"\n", lines.as_bytes()].concat());
    }
}
