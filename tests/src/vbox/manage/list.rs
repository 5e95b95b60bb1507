//! `VBoxManage list [-l] vms|runningvms|hdds`: never locks anything, so it answers whatever state the VMs are in.

use super::{Call, Exit, render};
use crate::vbox::machine::{Machine, is_listed_as_running};
use crate::vbox::texts;

pub fn run(call: &mut Call, words: &[&str]) -> Exit {
    let (mut long, mut sorted, mut object) = (false, false, None);
    for &word in words {
        match word {
            "-l" | "--long" => long = true,
            "-s" | "--sorted" => sorted = true,
            _ => object = Some(word),
        }
    }
    let only_running = match object {
        Some("vms") => false,
        Some("runningvms") => true,
        Some("hdds") => return hard_disks(call),
        Some(other) => {
            // Not recorded.
            return Ok(call.syntax_error(&format!("Unknown subcommand '{other}'"), texts::USAGE_LIST, 2));
        }
        None => {
            call.out.push_str(texts::USAGE_LIST);
            return Ok(1);
        }
    };
    let Some(_connection) = call.connect()? else { return Ok(1) };
    let registry = call.store.read()?;
    let listed =
        |machine: &&Machine| !only_running || (!machine.inaccessible && is_listed_as_running(registry.word(machine).0));
    let mut machines: Vec<&Machine> = registry.machines.iter().filter(listed).collect();
    if sorted {
        machines.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    }
    for machine in machines {
        let (name, uuid) = (&machine.spec.name, &machine.uuid);
        match (long, machine.inaccessible) {
            (false, true) => call.out.push_str(&format!("\"<inaccessible>\" {{{uuid}}}\n")),
            // Nothing is escaped here.
            (false, false) => call.out.push_str(&format!("\"{name}\" {{{uuid}}}\n")),
            (true, false) => call.out.push_str(&render::human(&registry, machine, render::Console::OutOfReach)),
            (true, true) => {
                call.out.push_str(&render::inaccessible(machine));
                call.err.push_str(&render::access_error(machine));
            }
        }
    }
    Ok(0)
}

/// The images in the machines' drives. Of a machine's own snapshots nothing is simulated: every image is a base.
fn hard_disks(call: &mut Call) -> Exit {
    let Some(_connection) = call.connect()? else { return Ok(1) };
    let registry = call.store.read()?;
    let media = registry.machines.iter().filter(|m| !m.inaccessible).flat_map(|m| &m.spec.media);
    let mut paths: Vec<String> = media.filter_map(|m| m.path.as_ref()).map(|p| p.display().to_string()).collect();
    paths.retain(|path| !path.ends_with(".iso"));
    paths.sort();
    paths.dedup();
    for path in paths {
        let uuid = render::image_uuid(&path);
        let format = path.rsplit('.').next().unwrap_or_default().to_ascii_uppercase();
        call.out.push_str(&format!(
            "UUID:           {uuid}\nParent UUID:    base\nState:          created\nType:           normal (base)\n\
             Location:       {path}\nStorage format: {format}\nCapacity:       16 MBytes\nEncryption:     disabled\n\n"
        ));
    }
    Ok(0)
}
