//! The check inside a VM: an administrator's program, run as the VM's user, with a deadline for it and all its children.

use std::path::Path;

use crate::environment::Environment;
use crate::exec::{Call, Ended, ExecError, Runner};
use crate::settings::HookSettings;
use crate::trust::{Weak, weak_place};

#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("vm/kicker_vmsvccheck_method is not set: set it to the absolute path of the check")]
    NotSet,
    #[error("the hook {path} cannot be looked at: {source}")]
    Missing { path: String, source: std::io::Error },
    #[error("the hook {path} is not run as root, because {who} could change {what}: chown root and chmod go-w {what}")]
    Untrusted { path: String, who: &'static str, what: String },
    #[error(transparent)]
    Exec(#[from] ExecError),
}

/// The call of the hook, found fit to be made by this user.
pub fn call(hook: &HookSettings, environment: Environment, is_root: bool) -> Result<Call, HookError> {
    let method = hook.method.as_deref().ok_or(HookError::NotSet)?;
    if is_root {
        trusted(method)?;
    }
    Ok(Call::new(method, hook.timeout).args(&hook.params).env(&environment))
}

/// Runs it and gives back its exit code; `None`: killed by a signal or at its deadline.
pub fn run(call: &Call, runner: &dyn Runner) -> Result<Option<i32>, HookError> {
    Ok(match runner.run(call)?.ended {
        Ended::Exited(code) => Some(code),
        Ended::Signaled(_) | Ended::TimedOut | Ended::Interrupted => None,
    })
}

/// Root runs nothing that another user could have put there, or could put there between this look and the run: neither
/// the file nor any folder or link on the way to it may be his to change.
fn trusted(path: &Path) -> Result<(), HookError> {
    let shown = || path.display().to_string();
    let missing = |source| HookError::Missing { path: shown(), source };
    match weak_place(path, 0).map_err(missing)? {
        None => Ok(()),
        Some(Weak { place, who }) => {
            Err(HookError::Untrusted { path: shown(), who, what: place.display().to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::exec::SystemRunner;
    use crate::settings::{HookCodes, RateLimit};

    fn hook(script: &str) -> (tempfile::TempDir, HookSettings) {
        let folder = tempfile::tempdir().unwrap();
        let method = folder.path().join("check");
        fs::write(&method, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&method, fs::Permissions::from_mode(0o755)).unwrap();
        let settings = HookSettings {
            enabled: true,
            method: Some(method),
            params: vec!["one two".into(), "$HOME".into()],
            startdelay: Duration::ZERO,
            timeout: Duration::from_secs(10),
            failures: RateLimit { maxcount: None, timeframe: None },
            codes: HookCodes { okay: vec![], failonce: vec![], doreboot: vec![], maintenance: vec![] },
        };
        (folder, settings)
    }

    fn ran(settings: &HookSettings) -> Option<i32> {
        run(&call(settings, Vec::new(), false).unwrap(), &SystemRunner).unwrap()
    }

    #[test]
    fn the_exit_code_comes_back_and_parameters_pass_no_shell() {
        let (_folder, settings) = hook("[ \"$1\" = 'one two' ] && [ \"$2\" = '$HOME' ] && exit 42");
        assert_eq!(ran(&settings), Some(42));
    }

    #[test]
    fn a_hook_beyond_its_time_is_killed_with_its_children() {
        let (_folder, mut settings) = hook("sleep 600 & sleep 600");
        settings.timeout = Duration::from_millis(200);
        assert_eq!(ran(&settings), None);
    }

    #[test]
    fn root_runs_no_hook_that_others_can_change() {
        let (folder, settings) = hook("exit 0");
        let method = settings.method.clone().unwrap();
        fs::set_permissions(&method, fs::Permissions::from_mode(0o775)).unwrap();
        assert!(matches!(call(&settings, Vec::new(), true), Err(HookError::Untrusted { .. })));
        fs::set_permissions(&method, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(call(&settings, Vec::new(), true), Err(HookError::Untrusted { .. })));
        assert!(call(&settings, Vec::new(), false).is_ok(), "an ordinary user may run what he likes");
    }

    #[test]
    fn a_hook_that_is_not_set_or_not_there_is_told() {
        let (folder, mut settings) = hook("exit 0");
        settings.method = Some(folder.path().join("gone"));
        assert!(matches!(call(&settings, Vec::new(), true), Err(HookError::Missing { .. })));
        settings.method = None;
        assert!(matches!(call(&settings, Vec::new(), false), Err(HookError::NotSet)));
    }
}
