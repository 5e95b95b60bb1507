//! VirtualBox 7.2's words. The long answers are filled into the recorded ones that the simulated VirtualBox uses too.

use crate::machine::{Machine, State};

/// It does not hide what it is.
pub const VERSION: &str = "7.2.22_stubr0\n";
pub const HEADLESS_BANNER: &str =
    "VBoxHeadless 7.2.22_stub: a stub for trying vboxsvc, not Oracle VirtualBox. No guest runs here.\n\n";
pub const USAGE: &str = "VBoxManage 7.2.22_stub: a stub for trying vboxsvc, not Oracle VirtualBox.\n\n\
    \x20 VBoxManage --version\n\
    \x20 VBoxManage list [-l] vms|runningvms|hdds\n\
    \x20 VBoxManage showvminfo VM [--machinereadable]\n\
    \x20 VBoxManage createvm --name NAME [--uuid UUID] --register\n\
    \x20 VBoxManage unregistervm VM\n\
    \x20 VBoxManage startvm VM --type headless\n\
    \x20 VBoxManage controlvm VM pause|resume|reset|poweroff|savestate|acpipowerbutton|acpisleepbutton\n";
pub const PROGRESS: &str = "0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n";

const FOR_PROGRAMS: &str = include_str!("../../src/vbox/templates/showvminfo-machinereadable.txt");
const FOR_PEOPLE: &str = include_str!("../../src/vbox/templates/showvminfo-human.txt");
const NOT_FOUND: &str = "VBOX_E_OBJECT_NOT_FOUND (0x80bb0001)";
const INVALID_VM_STATE: &str = "VBOX_E_INVALID_VM_STATE (0x80bb0002)";
const INVALID_OBJECT_STATE: &str = "VBOX_E_INVALID_OBJECT_STATE (0x80bb0007)";

/// `showvminfo --machinereadable`.
pub fn for_programs(machine: &Machine) -> String {
    fill(FOR_PROGRAMS, machine, machine.state.word(), |block| match block {
        "state_file" if machine.state == State::Saved => format!("VMStateFile=\"{}\"\n", shown_state_file(machine)),
        "uart" => (1..=4).map(|slot| format!("uart{slot}=\"off\"\n")).collect(),
        "session" if machine.state.is_live() => "SessionName=\"headless\"\nVideoMode=\"720,400,0\"@0,0 1\n".to_owned(),
        _ => String::new(),
    })
}

/// `showvminfo`, and one block of `list -l`.
pub fn for_people(machine: &Machine) -> String {
    fill(FOR_PEOPLE, machine, machine.state.for_people(), |block| match block {
        "session" if machine.state.is_live() => "Session name:                headless\n".to_owned(),
        _ => String::new(),
    })
}

fn shown_state_file(machine: &Machine) -> String {
    escape(&machine.state_file().display().to_string())
}

/// Fills a recorded answer: `{{key}}` within a line, `{{key_block}}` for a line and what belongs to it.
fn fill(template: &str, machine: &Machine, state: &str, block: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for line in template.split_inclusive('\n') {
        if let Some(key) = line.trim_end().strip_prefix("{{").and_then(|key| key.strip_suffix("_block}}")) {
            text.push_str(&block(key));
            continue;
        }
        let folder = machine.folder().display().to_string();
        text.push_str(
            &line
                .replace("{{uuid}}", &machine.uuid)
                .replace("{{memory}}", "64")
                .replace("{{state}}", state)
                .replace("{{since}}", &machine.since)
                .replace("{{folder}}", &escape(&folder))
                .replace("{{stem}}", &escape(&machine.stem()))
                .replace("{{name}}", &escape(&machine.name)),
        );
    }
    text
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

pub fn not_found(asked: &str) -> String {
    com_error("VBoxManage", &format!("Could not find a registered machine named '{asked}'"), NOT_FOUND, "VirtualBox")
}

pub fn not_running(name: &str) -> String {
    format!("VBoxManage: error: Machine '{name}' is not currently running.\n")
}

pub fn invalid_state(message: &str) -> String {
    com_error("VBoxManage", message, INVALID_VM_STATE, "Console")
}

/// Somebody else runs the machine.
pub fn locked(program: &str, name: &str) -> String {
    let message = format!("The machine '{name}' is already locked for a session (or being unlocked)");
    com_error(program, &message, INVALID_OBJECT_STATE, "Machine")
}

fn com_error(program: &str, message: &str, code: &str, component: &str) -> String {
    format!(
        "{program}: error: {message}\n{program}: error: Details: code {code}, component {component}Wrap, \
         interface I{component}, callee nsISupports\n"
    )
}
