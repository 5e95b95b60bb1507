//! The text of `showvminfo`, for programs and for people, filled into templates that are recorded outputs.
//!
//! What is escaped is what the real program escapes: quotes and backslashes in values for programs, never a newline,
//! never a snapshot's name, and nothing for people.

use std::fmt::Write;

use crate::vbox::machine::{Hold, Holder, Machine, Registry, human_word};
use crate::vbox::spec::Medium;

const MACHINE_READABLE: &str = include_str!("../templates/showvminfo-machinereadable.txt");
const HUMAN: &str = include_str!("../templates/showvminfo-human.txt");

/// Whether the VM process was asked for the details that only it knows. `list -l` cannot ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Console {
    Asked,
    OutOfReach,
}

pub fn machine_readable(registry: &Registry, machine: &Machine) -> String {
    let (word, since) = registry.word(machine);
    let session = session(registry, machine);
    let up = if matches!(word, "starting" | "restoring") { "0,0,0" } else { "720,400,0" };
    let folder = escape(&machine.folder.display().to_string());
    fill(MACHINE_READABLE, |key| match key {
        "name" => escape(&machine.spec.name),
        "uuid" => machine.uuid.clone(),
        "folder" => folder.clone(),
        "stem" => escape(&machine.file_stem()),
        "memory" => machine.spec.memory.to_string(),
        "state" => word.to_owned(),
        "since" => time(since),
        "state_file_block" => match &machine.rest.state_file {
            Some(file) => format!("VMStateFile=\"{}\"\n", escape(&file.display().to_string())),
            None => String::new(),
        },
        "media_block" => media_for_programs(&machine.spec.media),
        "uart_block" => uarts_for_programs(&machine.spec.uarts),
        "session_block" => {
            session.map_or_else(String::new, |name| format!("SessionName=\"{name}\"\nVideoMode=\"{up}\"@0,0 1\n"))
        }
        "vrde_block" => session.map_or("", |_| "VRDEActiveConnection=\"off\"\nVRDEClients==0\n").to_owned(),
        "guest_block" => session.map_or("", |_| "GuestOSType=\"Other\"\nGuestAdditionsRunLevel=0\n").to_owned(),
        "description_block" => match machine.spec.description.as_str() {
            "" => String::new(),
            text => format!("description=\"{}\"\n", escape(text)),
        },
        "snapshot_block" => snapshots(machine),
        _ => String::new(),
    })
}

pub fn human(registry: &Registry, machine: &Machine, console: Console) -> String {
    let (word, since) = registry.word(machine);
    let session = session(registry, machine);
    let asked = session.filter(|_| console == Console::Asked);
    let folder = machine.folder.display().to_string();
    fill(HUMAN, |key| match key {
        "name" => machine.spec.name.clone(),
        "uuid" => machine.uuid.clone(),
        "folder" => folder.clone(),
        "stem" => machine.file_stem(),
        "memory" => machine.spec.memory.to_string(),
        "state" => human_word(word).to_owned(),
        "since" => time(since),
        "media_block" => media_for_people(&machine.spec.media),
        "uart_block" => uarts_for_people(&machine.spec.uarts),
        "session_block" => {
            let name = session.map_or_else(String::new, |name| format!("Session name:                {name}\n"));
            name + asked.map_or("", |_| "Video mode:                  720x400x0 at 0,0 enabled\n")
        }
        "usb_block" => asked
            .map_or("", |_| "Available remote USB devices: <none>\nCurrently attached USB devices: <none>\n")
            .to_owned(),
        "vrde_block" => {
            asked.map_or("", |_| "VRDE Connection:             not active\nClients so far:              0\n").to_owned()
        }
        "guest_block" => asked
            .map_or("", |_| {
                "OS type:                     Other\nAdditions run level:         0\n\
                 Guest Facilities:            <none>\n"
            })
            .to_owned(),
        "description_block" => match machine.spec.description.as_str() {
            "" => String::new(),
            text => format!("Description:\n{text}\n"),
        },
        _ => String::new(),
    })
}

/// What `list -l vms` prints of a machine without a readable settings file.
pub fn inaccessible(machine: &Machine) -> String {
    format!(
        "Name:            <inaccessible!>\nUUID:            {}\nConfig file:     {}/{}.vbox\n\
         Encryption:     disabled\nAccess error details:\n\n",
        machine.uuid,
        machine.folder.display(),
        machine.file_stem()
    )
}

/// What it prints to standard error of the same.
pub fn access_error(machine: &Machine) -> String {
    format!(
        "VBoxManage: error: Runtime error opening '{}/{}.vbox' for reading VERR_FILE_NOT_FOUND (File not found.).\n\
         VBoxManage: error: /build/reproducible-path/virtualbox-7.2.22-dfsg/src/VBox/Main/src-server/\
         MachineImpl.cpp[999] (nsresult Machine::i_registeredInit())\n\
         VBoxManage: error: Details: code NS_ERROR_FAILURE (0x80004005), component MachineWrap, interface IMachine\n",
        machine.folder.display(),
        machine.file_stem()
    )
}

/// The snapshot lines, as `snapshot NAME list --machinereadable` prints them as well.
pub fn snapshots(machine: &Machine) -> String {
    let mut text = String::new();
    let mut node = String::new();
    for snapshot in &machine.spec.snapshots {
        let _ = writeln!(text, "SnapshotName{node}=\"{}\"", snapshot.name);
        let _ = writeln!(text, "SnapshotUUID{node}=\"{}\"", snapshot.uuid);
        if !snapshot.description.is_empty() {
            let _ = writeln!(text, "SnapshotDescription{node}=\"{}\"", snapshot.description);
        }
        node.push_str("-1");
    }
    if let Some(current) = machine.spec.snapshots.last() {
        let node = "-1".repeat(machine.spec.snapshots.len() - 1);
        let _ = writeln!(text, "CurrentSnapshotName=\"{}\"", current.name);
        let _ = writeln!(text, "CurrentSnapshotUUID=\"{}\"", current.uuid);
        let _ = writeln!(text, "CurrentSnapshotNode=\"SnapshotName{node}\"");
    }
    text
}

/// The session's name, while a VM process has it.
fn session(registry: &Registry, machine: &Machine) -> Option<&'static str> {
    match registry.hold(machine)? {
        Hold { by: Holder::Vm { frontend, closing: false, .. }, .. } => Some(frontend.session_name()),
        _ => None,
    }
}

/// Puts values in the place of `{{keys}}`. A key that ends in `_block` stands on a line of its own and brings whole
/// lines, or none.
fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for line in template.split_inclusive('\n') {
        if let Some(key) = line.trim_end().strip_prefix("{{").and_then(|key| key.strip_suffix("_block}}")) {
            text.push_str(&value(&format!("{key}_block")));
            continue;
        }
        let mut rest = line;
        while let Some((before, (key, after))) = rest.split_once("{{").and_then(|(b, a)| Some((b, a.split_once("}}")?)))
        {
            text.push_str(before);
            text.push_str(&value(key));
            rest = after;
        }
        text.push_str(rest);
    }
    text
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// UTC without a zone, to the nanosecond.
fn time(ms: u64) -> String {
    jiff::Timestamp::from_millisecond(ms as i64)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%dT%H:%M:%S.%9f").to_string())
}

/// A storage controller, as far as its name tells.
struct Controller<'a> {
    name: &'a str,
    kind: &'static str,
    max_ports: u32,
    ports: u32,
    devices: u32,
    hot_plug: bool,
    media: Vec<&'a Medium>,
}

fn controllers(media: &[Medium]) -> Vec<Controller<'_>> {
    let mut controllers: Vec<Controller> = Vec::new();
    for medium in media {
        let name = medium.controller.as_str();
        if !controllers.iter().any(|controller| controller.name == name) {
            let (kind, max_ports, fixed_ports, devices) = match name {
                _ if name.contains("IDE") => ("PIIX4", 2, Some(2), 2),
                _ if name.contains("Floppy") => ("I82078", 1, Some(1), 2),
                _ if name.contains("VIRTIO") => ("VirtioSCSI", 256, None, 1),
                _ if name.contains("SCSI") => ("LsiLogic", 16, Some(16), 1),
                _ if name.contains("SAS") => ("LsiLogicSas", 255, None, 1),
                _ if name.contains("NVMe") => ("NVMe", 255, None, 1),
                _ if name.contains("USB") => ("USB", 8, Some(8), 1),
                _ => ("IntelAhci", 30, None, 1),
            };
            let media: Vec<&Medium> = media.iter().filter(|medium| medium.controller == name).collect();
            let used = media.iter().map(|medium| medium.port.saturating_add(1)).max().unwrap_or(0);
            let (ports, hot_plug) = (fixed_ports.unwrap_or(used), kind == "IntelAhci");
            controllers.push(Controller { name, kind, max_ports, ports, devices, hot_plug, media });
        }
    }
    controllers
}

fn media_for_programs(media: &[Medium]) -> String {
    let controllers = controllers(media);
    let mut text = String::new();
    for (n, controller) in controllers.iter().enumerate() {
        let Controller { name, kind, max_ports, ports, .. } = controller;
        let _ = write!(
            text,
            "storagecontrollername{n}=\"{name}\"\nstoragecontrollertype{n}=\"{kind}\"\n\
             storagecontrollerinstance{n}=\"0\"\nstoragecontrollermaxportcount{n}=\"{max_ports}\"\n\
             storagecontrollerportcount{n}=\"{ports}\"\nstoragecontrollerbootable{n}=\"on\"\n"
        );
    }
    for controller in &controllers {
        let name = controller.name;
        for (port, device) in (0..controller.ports).flat_map(|port| (0..controller.devices).map(move |d| (port, d))) {
            let medium = controller.media.iter().find(|medium| (medium.port, medium.device) == (port, device));
            match medium.map(|medium| &medium.path) {
                None => {
                    let _ = writeln!(text, "\"{name}-{port}-{device}\"=\"none\"");
                }
                Some(None) => {
                    let _ = writeln!(text, "\"{name}-{port}-{device}\"=\"emptydrive\"");
                    let _ = writeln!(text, "\"{name}-IsEjected-{port}-{device}\"=\"off\"");
                }
                Some(Some(path)) => {
                    let path = path.display().to_string();
                    let _ = writeln!(text, "\"{name}-{port}-{device}\"=\"{}\"", escape(&path));
                    let _ = writeln!(text, "\"{name}-ImageUUID-{port}-{device}\"=\"{}\"", image_uuid(&path));
                    let hot = if controller.hot_plug { &["hot-pluggable"][..] } else { &[] };
                    for key in hot.iter().chain(&["nonrotational", "discard"]) {
                        let _ = writeln!(text, "\"{name}-{key}-{port}-{device}\"=\"off\"");
                    }
                }
            }
        }
    }
    text
}

fn media_for_people(media: &[Medium]) -> String {
    let controllers = controllers(media);
    if controllers.is_empty() {
        return "Storage Controllers:         <none>\n".to_owned();
    }
    let mut text = "Storage Controllers:\n".to_owned();
    for (n, controller) in controllers.iter().enumerate() {
        let Controller { name, kind, max_ports, ports, .. } = controller;
        let _ = writeln!(text, "#{n}: '{name}', Type: {kind}, Instance: 0, Ports: {ports} (max {max_ports}), Bootable");
        for Medium { port, device, path, .. } in &controller.media {
            let _ = match path {
                None => writeln!(text, "  Port {port}, Unit {device}: Empty"),
                Some(path) => {
                    let path = path.display().to_string();
                    let uuid = image_uuid(&path);
                    writeln!(text, "  Port {port}, Unit {device}: UUID: {uuid}\n    Location: \"{path}\"")
                }
            };
        }
    }
    text
}

/// A UUID for an image that has none: the same for the same path.
pub fn image_uuid(path: &str) -> String {
    let hash =
        |seed: u64| path.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let (a, b) = (hash(0xcbf2_9ce4_8422_2325), hash(0x9ae1_6a3b_2f90_404f));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

/// I/O address and interrupt of the serial ports.
const UART_PORTS: [(&str, u32); 4] = [("0x03f8", 4), ("0x02f8", 3), ("0x03e8", 4), ("0x02e8", 3)];

fn uarts_for_programs(modes: &[String]) -> String {
    let mut text = String::new();
    for (n, (address, irq)) in (1..).zip(UART_PORTS) {
        let _ = match modes.get(n - 1) {
            Some(mode) => {
                writeln!(text, "uart{n}=\"{address},{irq}\"\nuartmode{n}=\"{}\"\nuarttype{n}=\"16550A\"", escape(mode))
            }
            None => writeln!(text, "uart{n}=\"off\""),
        };
    }
    text
}

fn uarts_for_people(modes: &[String]) -> String {
    let mut text = String::new();
    for (n, (address, irq)) in (1..).zip(UART_PORTS) {
        let Some(mode) = modes.get(n - 1) else {
            let _ = writeln!(text, "UART {n}:                      disabled");
            continue;
        };
        let attached = match mode.split_once(',') {
            Some(("server", path)) => format!("attached to pipe (server) '{path}', 16550A"),
            Some(("client", path)) => format!("attached to pipe (client) '{path}', 16550A"),
            Some(("tcpserver", port)) => format!("attached to tcp (server) '{port}', 16550A"),
            // The line break is the real program's.
            Some(("file", path)) => format!("attached to raw file '{path}'\n, 16550A"),
            _ => format!("{mode}, 16550A"),
        };
        let _ = writeln!(text, "UART {n}:                      I/O address: {address}, IRQ: {irq}, {attached}");
    }
    text
}
