//! What must hold for every parser of foreign bytes, whatever the bytes.
//!
//! One function for each fuzz target, and one table of them. A fuzz target calls its function with what the fuzzer
//! makes up; the test `corpus` calls it with every input that was kept, on the ordinary compiler. Not to panic is the
//! least: what a reader accepts the writer writes so that it reads the same, and what is shown moves no cursor.
//!
//! Of zones nothing is read but the one line that zonename prints: no zoneadm is asked, so it has no target.
//!
//! It knows nothing of the fuzzer, which has a workspace of its own.

mod guest;
mod ips;
mod project;
mod smf;
mod svr4;
mod unix;
mod virtualbox;

/// A target's name and what it checks. It panics where something does not hold.
pub type Check = (&'static str, fn(&[u8]));

/// Every target, in the order of the page that tells about them.
pub const CHECKS: &[Check] = &[
    ("showvminfo", virtualbox::showvminfo),
    ("vbox_lists", virtualbox::lists),
    ("vmdk_descriptor", virtualbox::vmdk_descriptor),
    ("process_arguments", virtualbox::process_arguments),
    ("svcprop", smf::svcprop),
    ("svcs", smf::svcs),
    ("smf_fmri", smf::fmri),
    ("settings", smf::settings),
    ("hook_params", smf::hook_params),
    ("zfs", unix::zfs),
    ("zvol_rights", unix::zvol_rights),
    ("run_files", unix::run_files),
    ("command_line", unix::command_line),
    ("launcher", unix::launcher_name),
    ("terminal", unix::terminal),
    ("datastream", svr4::datastream),
    ("cpio", svr4::cpio),
    ("pkgmap", svr4::pkgmap),
    ("pkginfo", svr4::pkginfo),
    ("depend", svr4::depend),
    ("p5p", ips::p5p),
    ("tar", ips::tar),
    ("p5p_index", ips::index),
    ("ips_manifest", ips::manifest),
    ("ips_fmri", ips::fmri),
    ("signature", project::signature),
    ("smf_manifest", project::smf_manifest),
    ("contents", project::contents),
    ("lint_allow", project::lint_allow),
    ("elf", project::elf),
    ("console", guest::console),
    ("qmp", guest::qmp),
];

/// Runs the check of this name, which must be in the table.
pub fn check(name: &str, data: &[u8]) {
    let found = CHECKS.iter().find(|(known, _)| *known == name);
    let (_, check) = found.unwrap_or_else(|| panic!("no check is called {name}"));
    check(data);
}

/// The text that the fuzzer made up, where it is one.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// That a text, shown on a terminal, does nothing but show.
fn shows_only(text: &str) {
    assert!(!text.contains(char::is_control), "a control character is shown: {text:?}");
    assert!(!text.contains(xtask::shown::is_hostile), "a deceiving character is shown: {text:?}");
}
