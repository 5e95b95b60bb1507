//! VirtualBox's words: what VBoxManage prints, raw-disk descriptors, and arguments of processes.

use std::os::unix::ffi::OsStrExt;

use vboxsvc::virtualbox::media::Descriptor;
use vboxsvc::virtualbox::parse::{self, ParseError};
use vboxsvc::virtualbox::process::{Arguments, Verdict};
use vboxsvc::virtualbox::{Machine, Uuid};

/// The machine whose processes are looked for.
const UUID: &str = "0a1b2c3d-0000-4000-8000-00000000000f";
const NAME: &str = "web";

/// An answer that was cut off is none, and a state never comes out of nothing.
pub fn showvminfo(data: &[u8]) {
    let read = parse::info(data);
    if data.last().is_some_and(|last| *last != b'\n') {
        assert_eq!(read, Err(ParseError::CutOff));
        return;
    }
    let Ok(info) = read else { return };
    assert_eq!(info.uuid.to_string().parse::<Uuid>().as_ref(), Ok(&info.uuid));
    assert!(data.windows(9).any(|w| w == b"VMState=\""), "a state out of nothing: {:?}", info.state);
    // What a wrapper prints before the answer changes nothing.
    let noisy = [b"WARNING: noise\n", data].concat();
    assert_eq!(parse::info(&noisy).as_ref(), Ok(&info));
}

/// What was read, printed as VBoxManage prints it, is read the same; no machine has two states.
pub fn lists(data: &[u8]) {
    if let Ok(entries) = parse::short_list(data) {
        let printed: String = entries.iter().map(|e| format!("\"{}\" {{{}}}\n", e.name, e.uuid)).collect();
        assert_eq!(parse::short_list(printed.as_bytes()).as_ref(), Ok(&entries));
    }
    for (at, entry) in parse::long_list(data).iter().flatten().enumerate() {
        let others = parse::long_list(data).into_iter().flatten().take(at);
        assert!(others.into_iter().all(|other| other.uuid != entry.uuid), "one machine, two states");
        assert!(!(entry.inaccessible && entry.state.is_some()));
    }
    for disk in parse::hard_disks(data).into_iter().flatten() {
        assert!(!disk.location.as_os_str().as_bytes().contains(&b'\n'));
    }
}

/// What was read, written as VirtualBox writes it, is read the same.
pub fn vmdk_descriptor(data: &[u8]) {
    let Some(descriptor) = Descriptor::parse(data) else { return };
    let mut written = b"# Disk DescriptorFile\n".to_vec();
    written.extend_from_slice(format!("createType=\"{}\"\n", descriptor.create_type).as_bytes());
    for extent in &descriptor.extents {
        written.extend_from_slice(format!("RW {} {}", extent.sectors, extent.kind).as_bytes());
        if let Some(path) = &extent.path {
            let offset = format!("\" {}", extent.offset);
            written.extend_from_slice(&[b" \"", path.as_os_str().as_bytes(), offset.as_bytes()].concat());
        }
        written.push(b'\n');
    }
    assert_eq!(Descriptor::parse(&written), Some(descriptor));
}

/// A process runs the machine only if an argument of its own is the machine's UUID or name, whole.
pub fn process_arguments(data: &[u8]) {
    let Ok(uuid) = UUID.parse::<Uuid>() else { panic!("{UUID} is a UUID") };
    let machine = Machine { uuid, name: NAME.to_string() };
    let arguments = Arguments::nul_ended(data);
    let _ = arguments.server();
    if !matches!(arguments.run(&machine), Verdict::Yes(_)) {
        return;
    }
    let is_it = |value: &[u8]| {
        let bare = value.strip_prefix(b"{").and_then(|v| v.strip_suffix(b"}")).unwrap_or(value);
        value == NAME.as_bytes() || bare.eq_ignore_ascii_case(UUID.as_bytes())
    };
    let names_it = |word: &[u8]| is_it(word) || word.splitn(2, |b| matches!(b, b'=' | b':')).skip(1).any(is_it);
    assert!(data.split(|b| *b == 0).any(names_it), "nobody named the machine");
}
