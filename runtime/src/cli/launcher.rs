//! Launcher links on a desktop: the name the program was called by, written out as the command it stands for.

use std::ffi::OsString;

use crate::gui::{Form, Launcher, LauncherError, launcher};

/// The arguments, the program's name first, with what a launcher's name says put among them.
pub fn written_out(mut args: Vec<OsString>) -> Result<Vec<OsString>, LauncherError> {
    let Some(called) = args.first().and_then(|name| launcher(name)) else { return Ok(args) };
    let Launcher { form, vm, stop_method, timeout } = called?;
    let form = match form {
        Form::Background => "--bg",
        Form::Foreground => "--fg",
    };
    let mut words =
        vec![format!("--vm={vm}"), "startgui".to_string(), form.to_string(), "--opened-by=link".to_string()];
    words.extend(stop_method.map(|method| format!("--stop-method={method}")));
    words.extend(timeout.map(|seconds| format!("--timeout={seconds}")));
    args.splice(1..1, words.into_iter().map(OsString::from));
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(args: &[&str]) -> Vec<String> {
        let args = args.iter().map(OsString::from).collect();
        written_out(args).unwrap().into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn a_link_stands_for_its_command() {
        assert_eq!(
            words(&["/d/vbox-startgui-fg:My PC:poweroff:60", "--vbox-option=--scale"]),
            [
                "/d/vbox-startgui-fg:My PC:poweroff:60",
                "--vm=My PC",
                "startgui",
                "--fg",
                "--opened-by=link",
                "--stop-method=poweroff",
                "--timeout=60",
                "--vbox-option=--scale"
            ]
        );
        assert_eq!(words(&["vbox-startgui:-k"])[1..], ["--vm=-k", "startgui", "--bg", "--opened-by=link"]);
    }

    #[test]
    fn any_other_name_changes_nothing() {
        assert_eq!(words(&["vboxsvc", "status"]), ["vboxsvc", "status"]);
        assert!(words(&[]).is_empty());
    }
}
