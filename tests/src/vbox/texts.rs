//! VirtualBox 7.2's own words: error messages with their codes and contexts, banners, progress.
//!
//! Recorded from the real program, except where a comment says that they are not.

/// First lines of VBoxManage's syntax errors, on standard error.
pub const MANAGE_BANNER: &str = "Oracle VirtualBox Command Line Management Interface Version 7.2.22_Debian\n\
    Copyright (C) 2005-2026 Oracle and/or its affiliates\n\n";
/// First lines of VBoxHeadless, on standard output.
pub const HEADLESS_BANNER: &str = "Oracle VirtualBox Headless Interface 7.2.22_Debian\n\
    Copyright (C) 2008-2026 Oracle and/or its affiliates\n\n";
pub const VERSION: &str = "7.2.22_Debianr175245\n";
/// What a wrapper script prints to standard output before everything else where the kernel driver is not loaded.
pub const WRAPPER_WARNING: &str = "WARNING: The character device /dev/vboxdrv does not exist.\n\
    \t Please install the virtualbox-dkms package and the appropriate\n\
    \t headers, most likely linux-headers-v509.\n\n\
    \t You will not be able to start VMs until this problem is fixed.\n";
/// On standard error, also when all goes well.
pub const PROGRESS: &str = "0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n";
/// After `Starting virtual machine: ` and the like.
pub const PROGRESS_FROM_10: &str = "10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n";
pub const NO_TRANSLATION: &str = "VBoxManage: fatal error: RTR3Init: VERR_NO_TRANSLATION\n";
pub const NO_DRIVER: &str = "VBoxHeadless: Error -1908 in suplibOsInit!\n\
    VBoxHeadless: Kernel driver not installed\n\n\
    VBoxHeadless: Tip! Make sure the kernel module is loaded. It may also help to reinstall VirtualBox.\n";
/// Before VBoxHeadless dies of SIGTRAP because VBoxSVC was killed. The real one goes on with a stack of 30 lines.
pub const ORPHAN_ASSERTION: &str = "\n!!Assertion Failed!!\n\
    Expression: state <= 1 && ( (state == 0 && count == 0) || (state == 1 && count < PR_UINT32_MAX/2))\n\
    Location  : /build/reproducible-path/virtualbox-7.2.22-dfsg/src/libs/xpcom18a4/ipc/ipcd/client/src/\
    ipcDConnectService.cpp(3181) virtual nsrefcnt ipcDConnectService::AddRef()\n\
    AddRef: illegal refcnt=3221225469 state=2\n";
pub const SERVER_WENT: &str = "VBoxSVC became unavailable, exiting.\n";

pub const HEADLESS_USAGE: &str = include_str!("templates/headless-usage.txt");
pub const USAGE_CONTROLVM: &str = include_str!("templates/usage-controlvm.txt");
pub const USAGE_CREATEVM: &str = include_str!("templates/usage-createvm.txt");
pub const USAGE_LIST: &str = include_str!("templates/usage-list.txt");
pub const USAGE_SHOWVMINFO: &str = include_str!("templates/usage-showvminfo.txt");
pub const USAGE_STARTVM: &str = include_str!("templates/usage-startvm.txt");
/// The real one goes on for 900 lines.
pub const USAGE: &str = "Usage - Oracle VirtualBox command-line interface:\n\n  \
    VBoxManage [-q | --nologo] [--settingspw=password] [--settingspwfile=pw-file]\n      \
    [@response-file] [subcommand]\n\n  VBoxManage help [subcommand]\n\n  VBoxManage commands\n\n  \
    VBoxManage [-V | --version]\n";

/// A COM result code, as messages show it.
pub const NOT_FOUND: &str = "VBOX_E_OBJECT_NOT_FOUND (0x80bb0001)";
pub const INVALID_VM_STATE: &str = "VBOX_E_INVALID_VM_STATE (0x80bb0002)";
pub const FILE_ERROR: &str = "VBOX_E_FILE_ERROR (0x80bb0004)";
pub const IPRT_ERROR: &str = "VBOX_E_IPRT_ERROR (0x80bb0005)";
pub const INVALID_OBJECT_STATE: &str = "VBOX_E_INVALID_OBJECT_STATE (0x80bb0007)";
pub const NS_FAILURE: &str = "NS_ERROR_FAILURE (0x80004005)";
pub const ACCESS_DENIED: &str = "E_ACCESSDENIED (0x80070005)";
pub const INVALID_ARG: &str = "NS_ERROR_INVALID_ARG (0x80070057)";

/// The COM call that failed, with its place in the source.
pub const FIND_SHOWVMINFO: &str =
    "\"FindMachine(Bstr(VMNameOrUuid).raw(), machine.asOutParam())\" at line 3248 of file VBoxManageInfo.cpp";
pub const FIND_CONTROLVM: &str =
    "\"FindMachine(Bstr(a->argv[0]).raw(), machine.asOutParam())\" at line 363 of file VBoxManageControlVM.cpp";
pub const FIND_STARTVM: &str =
    "\"FindMachine(Bstr(pszVM).raw(), machine.asOutParam())\" at line 907 of file VBoxManageMisc.cpp";
pub const FIND_UNREGISTERVM: &str =
    "\"FindMachine(Bstr(VMName).raw(), machine.asOutParam())\" at line 228 of file VBoxManageMisc.cpp";
/// Not recorded: the line numbers of these are made up.
pub const FIND_OTHER: &str =
    "\"FindMachine(Bstr(a->argv[0]).raw(), machine.asOutParam())\" at line 900 of file VBoxManageMisc.cpp";
pub const LOCK_SHOWVMINFO: &str =
    "\"LockMachine(a->session, LockType_Shared)\" at line 3328 of file VBoxManageInfo.cpp";
pub const LOCK_CONTROLVM: &str =
    "\"LockMachine(a->session, LockType_Shared)\" at line 369 of file VBoxManageControlVM.cpp";
pub const LOCK_MODIFYVM: &str =
    "\"LockMachine(a->session, LockType_Write)\" at line 901 of file VBoxManageModifyVM.cpp";
pub const LOCK_HEADLESS: &str = "\"LockMachine(session, LockType_VM)\" at line 1286 of file VBoxHeadless.cpp";
pub const LAUNCH: &str = "\"LaunchVMProcess(a->session, sessionType.raw(), ComSafeArrayAsInParam(aBstrEnv), \
    progress.asOutParam())\" at line 920 of file VBoxManageMisc.cpp";
pub const POWER_UP_HEADLESS: &str = "\"PowerUp(progress.asOutParam())\" at line 1475 of file VBoxHeadless.cpp";

/// An error with all its details, as `PROGRAM: error: …` lines.
pub fn com_error(program: &str, message: &str, code: &str, component: &str, interface: &str, context: &str) -> String {
    format!(
        "{program}: error: {message}\n\
         {program}: error: Details: code {code}, component {component}, interface {interface}, callee nsISupports\n\
         {program}: error: Context: {context}\n"
    )
}

/// An error that arrived with the result of a task that ran in the background.
pub fn task_error(message: &str, code: &str, component: &str, interface: &str) -> String {
    format!(
        "VBoxManage: error: {message}\n\
         VBoxManage: error: Details: code {code}, component {component}, interface {interface}\n"
    )
}

/// An error of which VirtualBox knows nothing but the code: the mark of a wedged session.
pub fn bare_failure(program: &str, context: &str) -> String {
    format!(
        "{program}: error: Code {NS_FAILURE} - Operation failed (extended info not available)\n\
         {program}: error: Context: {context}\n"
    )
}

pub fn no_server(program: &str) -> String {
    format!(
        "{program}: error: Failed to create the VirtualBox object!\n\
         {program}: error: Code {NS_FAILURE} - Operation failed (extended info not available)\n\
         {program}: error: Most likely, the VirtualBox COM server is not running or failed to start.\n"
    )
}

pub fn home_not_accessible(program: &str, home: &str) -> String {
    format!(
        "{program}: error: Failed to initialize COM because the global settings directory \
         '{home}/.config/VirtualBox' is not accessible!\n"
    )
}

pub fn not_found(asked: &str, context: &str) -> String {
    let message = match super::machine::as_uuid(asked) {
        Some(uuid) => format!("Could not find a registered machine with UUID {{{uuid}}}"),
        None => format!("Could not find a registered machine named '{asked}'"),
    };
    com_error("VBoxManage", &message, NOT_FOUND, "VirtualBoxWrap", "IVirtualBox", context)
}

pub fn inaccessible(context: &str) -> String {
    com_error("VBoxManage", "The object functionality is limited", ACCESS_DENIED, "MachineWrap", "IMachine", context)
}

/// What LockMachine says of a locked machine.
pub fn locked(program: &str, name: &str, context: &str) -> String {
    let message = format!("The machine '{name}' is already locked for a session (or being unlocked)");
    com_error(program, &message, INVALID_OBJECT_STATE, "MachineWrap", "IMachine", context)
}

/// What LaunchVMProcess says of a locked machine.
pub fn locked_for_launch(name: &str) -> String {
    let message = format!("The machine '{name}' is already locked by a session (or being locked or unlocked)");
    com_error("VBoxManage", &message, INVALID_OBJECT_STATE, "MachineWrap", "IMachine", LAUNCH)
}

pub fn not_running(name: &str) -> String {
    format!("VBoxManage: error: Machine '{name}' is not currently running.\n")
}

/// The frontend's program is not there.
pub fn could_not_launch(name: &str) -> String {
    let message = format!("Could not launch the VM process for the machine '{name}' (VERR_FILE_NOT_FOUND)");
    com_error("VBoxManage", &message, IPRT_ERROR, "MachineWrap", "IMachine", LAUNCH)
}

/// A VM process that `startvm` waits for ended before it was up. The form with a signal is not recorded.
pub fn terminated_during_startup(name: &str, exit: Option<i32>, signal: Option<i32>) -> String {
    let how = match (exit, signal) {
        (_, Some(signal)) => format!("because of signal {signal}"),
        (exit, None) => {
            let exit = exit.unwrap_or(0);
            format!("with exit code {exit} (0x{exit:x})")
        }
    };
    let message = format!("The virtual machine '{name}' has terminated unexpectedly during startup {how}");
    task_error(&message, NS_FAILURE, "MachineWrap", "IMachine")
}

/// The session went away while `showvminfo` printed.
pub fn not_ready() -> String {
    com_error(
        "VBoxManage",
        "The object is not ready",
        ACCESS_DENIED,
        "PlatformX86Wrap",
        "IPlatformX86",
        "\"GetCPUIDLeaf\" at line 1322 of file VBoxManageInfo.cpp",
    ) + &com_error(
        "VBoxManage",
        "The object is not ready",
        ACCESS_DENIED,
        "PlatformX86Wrap",
        "IPlatformX86",
        "\"GetHWVirtExProperty(HWVirtExPropertyType_Enabled, &f)\" at line 1329 of file VBoxManageInfo.cpp",
    ) + &com_error(
        "VBoxManage",
        "The session is not locked (session state: Unlocked)",
        "NS_ERROR_UNEXPECTED (0x8000ffff)",
        "SessionWrap",
        "ISession",
        "\"UnlockMachine()\" at line 3336 of file VBoxManageInfo.cpp",
    )
}

/// How many lines of `showvminfo --machinereadable` were there before those errors.
pub const LINES_BEFORE_NOT_READY: usize = 25;

#[cfg(test)]
mod tests {
    use super::*;

    /// The recorded standard error of a call.
    macro_rules! recorded {
        ($name:literal) => {
            include_str!(concat!("../../fixtures/virtualbox/", $name))
        };
    }

    #[test]
    fn messages_are_the_recorded_ones_to_the_byte() {
        assert_eq!(not_found("nosuchvm", FIND_SHOWVMINFO), recorded!("showvminfo-unknownvm-mr.err"));
        assert_eq!(
            not_found("11111111-2222-3333-4444-555555555555", FIND_SHOWVMINFO),
            recorded!("showvminfo-unknownuuid-mr.err")
        );
        assert_eq!(not_found("nosuchvm", FIND_CONTROLVM), recorded!("controlvm-unknownvm-poweroff.err"));
        assert_eq!(not_found("nosuchvm", FIND_STARTVM), recorded!("startvm-unknownvm.err"));
        assert_eq!(not_found("nosuchvm", FIND_UNREGISTERVM), recorded!("unregistervm-unknown.err"));
        assert_eq!(inaccessible(LOCK_SHOWVMINFO), recorded!("iem-in-gone-showvminfo-mr.err"));
        assert_eq!(not_running("basic"), recorded!("controlvm-poweredoff-poweroff.err"));
        assert_eq!(locked("VBoxHeadless", "v1", LOCK_HEADLESS), recorded!("iem-s1-headless-again.err"));
        assert_eq!(locked("VBoxManage", "v1", LOCK_MODIFYVM), recorded!("iem-s1-modifyvm-running.err"));
        assert_eq!(could_not_launch("basic"), recorded!("nodriver-startvm-gui.err"));
        assert_eq!(terminated_during_startup("basic", Some(1), None), recorded!("nodriver-startvm-headless.err"));
        assert_eq!(locked_for_launch("v1"), recorded!("iem-s1-startvm-again.err"));
        assert_eq!(no_server("VBoxManage"), recorded!("iem-s10-svcTERM-showvminfo.err"));
        assert_eq!(not_ready(), recorded!("iem-trans-not-ready.err"));
        assert_eq!(bare_failure("VBoxManage", LOCK_SHOWVMINFO), recorded!("iem-s6b-termpaused-after-showvminfo.err"));
        assert_eq!(bare_failure("VBoxManage", LOCK_CONTROLVM), recorded!("iem-s6b-termpaused-after-controlvm.err"));
        assert_eq!(bare_failure("VBoxManage", LAUNCH), recorded!("iem-s6b-termpaused-after-startvm.err"));
        assert_eq!(bare_failure("VBoxHeadless", LOCK_HEADLESS), recorded!("iem-s6-termpaused2.err"));
    }
}
