//! SMF: stand-ins of svcs, svcprop, svcadm, svccfg, zonename, svc.startd and the manifest-import method.
//!
//! [`model`] and [`repository`] are svc.configd's data; the programs read and write it; `startd` runs methods.

pub mod builtin;
pub mod fmri;
pub(crate) mod getopt;
mod manifest_import;
pub mod model;
mod quote;
pub mod repository;
mod rights;
pub mod startd;
mod svcadm;
mod svccfg;
mod svcprop;
mod svcs;
mod svcs_long;
pub mod tool;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use tool::Tool;

use crate::{rbac, zones};

/// The names under which the executable is one of these programs.
pub const NAMES: &[&str] = &["svcs", "svcprop", "svcadm", "svccfg", "zonename", builtin::MANIFEST_IMPORT, rbac::METHOD];

/// Runs the program `name` on the host at `root`.
pub fn main(name: &str, root: &Path, args: &[OsString]) -> ExitCode {
    let args: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let mut tool = Tool::new(name, root);
    let status = match name {
        "svcs" => svcs::run(&mut tool, &args),
        "svcprop" => svcprop::run(&mut tool, &args),
        "svcadm" => svcadm::run(&mut tool, &args),
        "svccfg" => svccfg::run(&mut tool, &args),
        "zonename" => {
            tool.print(zones::name_of(root));
            0
        }
        builtin::MANIFEST_IMPORT => manifest_import::run(&tool),
        rbac::METHOD => rbac::run(root),
        _ => {
            tool.complain("no stand-in has this name");
            1
        }
    };
    tool.flush();
    ExitCode::from(status)
}
