//! The commands that change the registry: as much of them as setting up and tearing down a machine needs.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::{Call, Exit, accessible, render};
use crate::vbox::events::What;
use crate::vbox::faults;
use crate::vbox::machine::{Machine, Registry, Rest, api_word, file_stem};
use crate::vbox::spec::Spec;
use crate::vbox::store::Store;
use crate::vbox::texts;

/// A UUID that nothing else has.
pub fn new_uuid() -> Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned())
}

/// The machine's settings file. It holds what the stand-in needs to register the machine again.
fn settings_file(machine: &Machine) -> PathBuf {
    machine.folder.join(format!("{}.vbox", machine.file_stem()))
}

/// Creates the machine's folder and settings file, unless they are outside the simulated host.
pub fn write_settings_file(store: &Store, machine: &Machine) -> Result<()> {
    if machine.folder.starts_with(store.root()) {
        fs::create_dir_all(machine.folder.join("Logs"))?;
        fs::write(settings_file(machine), serde_json::to_vec_pretty(machine)?)?;
    }
    Ok(())
}

pub fn createvm(call: &mut Call, words: &[&str]) -> Exit {
    let (mut name, mut register, mut uuid) = (None, false, None);
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let (option, value) = word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value)));
        match option {
            "--name" => name = value.or_else(|| words.next()),
            "--uuid" => uuid = value.or_else(|| words.next()),
            "--register" => register = true,
            "--default" => {}
            _ => drop(value.or_else(|| words.next())),
        }
    }
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(call.syntax_error("Parameter --name is required", texts::USAGE_CREATEVM, 2));
    };
    let Some(_connection) = call.connect()? else { return Ok(1) };
    let uuid = uuid.map_or_else(new_uuid, |uuid| Ok(uuid.to_owned()))?;
    let folder = call.store.machine_folder().join(file_stem(name));
    let machine = Machine::new(uuid.clone(), Spec::named(name), folder);
    let file = settings_file(&machine);
    if file.exists() {
        return call.fail(&texts::com_error(
            "VBoxManage",
            &format!("Machine settings file '{}' already exists", file.display()),
            texts::FILE_ERROR,
            "MachineWrap",
            "IMachine",
            "\"CreateMachine(bstrSettingsFile.raw(), bstrName.raw(), platformArch, ComSafeArrayAsInParam(groups), \
             bstrOsTypeId.raw(), createFlags.raw(), bstrCipher.raw(), bstrPasswordId.raw(), Bstr(strPassword).raw(), \
             machine.asOutParam())\" at line 429 of file VBoxManageMisc.cpp",
        ));
    }
    write_settings_file(&call.store, &machine)?;
    let registered = if register { " and registered" } else { "" };
    call.out.push_str(&format!(
        "Virtual machine '{name}' is created{registered}.\nUUID: {uuid}\nSettings file: '{}'\n",
        file.display()
    ));
    if register {
        call.store.update(|registry| registry.machines.push(machine))?;
    }
    Ok(0)
}

pub fn registervm(call: &mut Call, words: &[&str]) -> Exit {
    let Some(_connection) = call.connect()? else { return Ok(1) };
    let file = words.first().copied().unwrap_or_default();
    let machine = fs::read(file).ok().and_then(|text| serde_json::from_slice::<Machine>(&text).ok());
    let Some(machine) = machine else {
        // Not recorded.
        return call.fail(&format!("VBoxManage: error: Could not find file '{file}'\n"));
    };
    call.store.update(|registry| {
        if registry.machine(&machine.uuid).is_none() {
            registry.machines.push(machine);
        }
    })?;
    Ok(0)
}

pub fn unregistervm(call: &mut Call, words: &[&str]) -> Exit {
    let delete = words.iter().any(|word| matches!(*word, "--delete" | "--delete-all"));
    let asked = words.iter().copied().find(|word| !word.starts_with("--")).unwrap_or_default();
    let Some(_connection) = call.connect()? else { return Ok(1) };
    let taken = call.store.update(|registry| {
        let machine = registry.find(asked).ok_or_else(|| texts::not_found(asked, texts::FIND_UNREGISTERVM))?;
        if registry.is_locked(machine) {
            return Err(texts::com_error(
                "VBoxManage",
                &format!("Cannot unregister the machine '{}' while it is locked", machine.spec.name),
                texts::INVALID_OBJECT_STATE,
                "MachineWrap",
                "IMachine",
                "\"Unregister(fDeleteAll ? CleanupMode_DetachAllReturnHardDisksAndVMRemovable \
                 :CleanupMode_DetachAllReturnHardDisksOnly, ComSafeArrayAsOutParam(aMedia))\" at line 232 of file \
                 VBoxManageMisc.cpp",
            ));
        }
        let machine = machine.clone();
        registry.machines.retain(|other| other.uuid != machine.uuid);
        Ok(machine)
    })?;
    match taken {
        Err(text) => call.fail(&text),
        Ok(machine) if delete && machine.folder.starts_with(call.store.root()) => {
            fs::remove_dir_all(&machine.folder)?;
            call.err.push_str(texts::PROGRESS);
            Ok(0)
        }
        Ok(machine) => {
            write_settings_file(&call.store, &machine)?;
            Ok(0)
        }
    }
}

/// Knows the settings that scenarios change; takes any other with one value and ignores it.
pub fn modifyvm(call: &mut Call, words: &[&str]) -> Exit {
    let Some((asked, words)) = words.split_first() else {
        call.out.push_str(texts::USAGE);
        return Ok(1);
    };
    changing(call, asked, texts::LOCK_MODIFYVM, |_, machine| {
        if machine.rest.is_saved() {
            return Err(texts::com_error(
                "VBoxManage",
                &format!("The machine is not mutable (state is {})", api_word(&machine.rest.word)),
                texts::INVALID_VM_STATE,
                "SessionMachine",
                "IMachine",
                "\"COMSETTER(MemorySize)(ValueUnion.u32)\" at line 988 of file VBoxManageModifyVM.cpp",
            ));
        }
        let mut words = words.iter().copied();
        while let Some(option) = words.next() {
            let value = words.next().unwrap_or_default();
            match option {
                "--name" => machine.spec.name = value.to_owned(),
                "--description" => machine.spec.description = value.to_owned(),
                "--memory" => machine.spec.memory = value.parse().unwrap_or(machine.spec.memory),
                "--uart1" if value == "off" => machine.spec.uarts.clear(),
                "--uart1" => {
                    words.next();
                    machine.spec.uarts = vec!["disconnected".to_owned()];
                }
                "--uart-mode1" | "--uartmode1" => {
                    machine.spec.uarts = vec![match value {
                        "disconnected" => value.to_owned(),
                        _ => format!("{value},{}", words.next().unwrap_or_default()),
                    }];
                }
                _ => {}
            }
        }
        Ok(())
    })
}

/// Exits 0 also when there is nothing to discard.
pub fn discardstate(call: &mut Call, words: &[&str]) -> Exit {
    let asked = words.first().copied().unwrap_or_default();
    // Not recorded: the line number.
    let lock = "\"LockMachine(a->session, LockType_Write)\" at line 1287 of file VBoxManageMisc.cpp";
    let mut complaint = String::new();
    let exit = changing(call, asked, lock, |registry, machine| {
        let (word, _) = registry.word(machine);
        if machine.rest.is_saved() {
            machine.rest = Rest::now("poweroff", None);
        } else {
            complaint = texts::com_error(
                "VBoxManage",
                &format!(
                    "Cannot discard the saved state as the machine is not in the Saved or Aborted-Saved state (machine \
                     state: {})",
                    api_word(word)
                ),
                texts::INVALID_VM_STATE,
                "SessionMachine",
                "IMachine",
                "\"DiscardSavedState(true )\" at line 1292 of file VBoxManageMisc.cpp",
            );
        }
        Ok(())
    })?;
    call.err.push_str(&complaint);
    Ok(exit)
}

/// Takes any file for a saved state.
pub fn adoptstate(call: &mut Call, words: &[&str]) -> Exit {
    let (asked, file) = (words.first().copied().unwrap_or_default(), words.get(1).copied().unwrap_or_default());
    // Not recorded: the line number.
    let lock = "\"LockMachine(a->session, LockType_Write)\" at line 1250 of file VBoxManageMisc.cpp";
    changing(call, asked, lock, |_, machine| {
        machine.rest = Rest::now("saved", Some(PathBuf::from(file)));
        Ok(())
    })
}

/// `snapshot NAME list` alone.
pub fn snapshot(call: &mut Call, words: &[&str]) -> Exit {
    let (Some(&asked), Some(&"list")) = (words.first(), words.get(1)) else {
        return Ok(call.syntax_error("Invalid parameter", texts::USAGE, 2));
    };
    let Some(_connection) = call.connect()? else { return Ok(1) };
    let registry = call.store.read()?;
    match accessible(&registry, asked, texts::FIND_OTHER, texts::LOCK_SHOWVMINFO) {
        Err(text) => call.fail(&text),
        // Not recorded.
        Ok(machine) if machine.spec.snapshots.is_empty() => {
            call.out.push_str("This machine does not have any snapshots\n");
            Ok(1)
        }
        Ok(machine) => {
            call.out.push_str(&render::snapshots(machine));
            Ok(0)
        }
    }
}

/// Changes a machine that nobody has locked.
fn changing(
    call: &mut Call,
    asked: &str,
    lock: &str,
    change: impl FnOnce(&Registry, &mut Machine) -> Result<(), String>,
) -> Exit {
    let Some(_connection) = call.connect()? else { return Ok(1) };
    let by_fault = match call.store.read()?.find(asked) {
        Some(machine) => faults::is_locked(call.store.root(), &machine.uuid)?,
        None => false,
    };
    let result = call.store.update(|registry| {
        let machine = accessible(registry, asked, texts::FIND_OTHER, lock)?;
        if by_fault || registry.is_locked(machine) {
            return Err(texts::locked("VBoxManage", &machine.spec.name, lock));
        }
        let mut changed = machine.clone();
        change(registry, &mut changed)?;
        let (uuid, from) = (machine.uuid.clone(), machine.rest.word.clone());
        let to = changed.rest.word.clone();
        if let Some(machine) = registry.machine_mut(&uuid) {
            *machine = changed;
        }
        if from != to {
            registry.note(Some(&uuid), What::State { from, to });
        }
        Ok(())
    })?;
    match result {
        Ok(()) => Ok(0),
        Err(text) => call.fail(&text),
    }
}
