//! What `startgui` needs to know apart from any VM: the names of launcher links, and the display a window goes to.
//!
//! It starts nothing and knows neither SMF nor VirtualBox's state.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::environment::Environment;

const LAUNCHERS: [(&str, Form); 2] = [("vbox-startgui:", Form::Background), ("vbox-startgui-fg:", Form::Foreground)];
/// The options by which a front end is told its machine.
const START_OPTIONS: [&str; 3] = ["--startvm", "-startvm", "-s"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Return once the VM is live.
    Background,
    /// Stay until the window is gone.
    Foreground,
}

/// What the name of a launcher link says: `vbox-startgui:VM[:STOP_METHOD[:TIMEOUT]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    pub form: Form,
    pub vm: String,
    pub stop_method: Option<String>,
    pub timeout: Option<String>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LauncherError {
    #[error("the name of this launcher link names no VM: {0:?}; it is vbox-startgui:VM[:STOP_METHOD[:TIMEOUT]]")]
    NoMachine(String),
    #[error(
        "the name of this launcher link has more than three parts: {0:?}; it is \
         vbox-startgui:VM[:STOP_METHOD[:TIMEOUT]], and a VM whose name has a colon needs --vm instead of a link"
    )]
    TooManyParts(String),
    #[error("the name of this launcher link is not UTF-8: {0:?}")]
    NotText(OsString),
}

/// Reads the name the program was called by; `None` where it is no launcher's.
pub fn launcher(called: &OsStr) -> Option<Result<Launcher, LauncherError>> {
    let name = Path::new(called).file_name()?;
    let shown = name.to_string_lossy();
    let (form, rest) = LAUNCHERS.iter().find_map(|(start, form)| Some((*form, shown.strip_prefix(start)?)))?;
    if name.to_str().is_none() {
        return Some(Err(LauncherError::NotText(name.to_os_string())));
    }
    Some(parts(form, rest, &shown))
}

fn parts(form: Form, rest: &str, name: &str) -> Result<Launcher, LauncherError> {
    let mut parts = rest.split(':');
    // An empty part is one left out.
    let mut part = || parts.next().filter(|part| !part.is_empty()).map(str::to_string);
    let (vm, stop_method, timeout) = (part(), part(), part());
    if parts.next().is_some() {
        return Err(LauncherError::TooManyParts(name.to_string()));
    }
    let vm = vm.ok_or_else(|| LauncherError::NoMachine(name.to_string()))?;
    Ok(Launcher { form, vm, stop_method, timeout })
}

/// Whether the option would have the window show another VM than the one meant.
pub fn names_a_machine(option: &OsStr) -> bool {
    let option = option.as_encoded_bytes();
    START_OPTIONS.iter().any(|start| {
        option.strip_prefix(start.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'=' | b':')))
    })
}

/// The caller's X display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Display {
    display: OsString,
    xauthority: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("DISPLAY is not set: run this within an X session, or say where the window is to go, as DISPLAY=:0")]
pub struct NoDisplay;

impl Display {
    /// From the caller's variables. Without XAUTHORITY an X client takes `.Xauthority` of HOME, but the window gets the
    /// VM's user's HOME, so the caller's file is named outright.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Display, NoDisplay> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let display = set("DISPLAY").ok_or(NoDisplay)?;
        let of_home = || set("HOME").map(|home| Path::new(&home).join(".Xauthority")).filter(|path| path.exists());
        Ok(Display { display, xauthority: set("XAUTHORITY").map(PathBuf::from).or_else(of_home) })
    }

    /// The variables that the window's program gets beside its clean environment.
    pub fn variables(&self) -> Environment {
        let xauthority = self.xauthority.clone().map(|path| (OsString::from("XAUTHORITY"), path.into_os_string()));
        [("DISPLAY".into(), self.display.clone())].into_iter().chain(xauthority).collect()
    }

    /// What will keep this process's user from the display, in words with the way out.
    pub fn obstacle(&self, user: &str) -> Option<String> {
        let path = self.xauthority.as_ref()?;
        // Opening what is no plain file may wait.
        let error = access(path, AccessFlags::R_OK).err()?.desc();
        Some(format!(
            "user {user} cannot read {} ({error}), so the X server may refuse the window: \
             allow it with \"xhost +si:localuser:{user}\"",
            path.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_a_launcher_says_is_all_in_its_name(name in "(/tmp/|)vbox-startgui(-fg|):[^/]{0,20}|.{0,30}") {
            if let Some(Ok(Launcher { vm, stop_method, timeout, .. })) = launcher(OsStr::new(&name)) {
                prop_assert!(!vm.is_empty() && !vm.contains(':'));
                let said = format!(
                    "{vm}:{}:{}", stop_method.unwrap_or_default(), timeout.unwrap_or_default()
                );
                let (_, written) = name.split_once("vbox-startgui").unwrap().1.split_once(':').unwrap();
                prop_assert_eq!(said.trim_end_matches(':'), written.trim_end_matches(':'));
            }
        }
    }

    fn read(name: &str) -> Result<Launcher, LauncherError> {
        launcher(OsStr::new(name)).unwrap_or_else(|| panic!("{name} is no launcher"))
    }

    #[test]
    fn a_launcher_names_a_vm_and_perhaps_how_and_how_long_to_stop_it() {
        let of = |form, vm: &str, method: Option<&str>, timeout: Option<&str>| {
            let text = |t: Option<&str>| t.map(str::to_string);
            Ok(Launcher { form, vm: vm.to_string(), stop_method: text(method), timeout: text(timeout) })
        };
        use Form::{Background, Foreground};
        assert_eq!(read("vbox-startgui:web"), of(Background, "web", None, None));
        assert_eq!(read("/home/ann/Desktop/vbox-startgui-fg:web"), of(Foreground, "web", None, None));
        assert_eq!(read("./vbox-startgui:My \"old\" PC"), of(Background, "My \"old\" PC", None, None));
        assert_eq!(read("vbox-startgui:ü:poweroff"), of(Background, "ü", Some("poweroff"), None));
        assert_eq!(read("vbox-startgui-fg:w:reset:60"), of(Foreground, "w", Some("reset"), Some("60")));
        assert_eq!(read("vbox-startgui:w::60"), of(Background, "w", None, Some("60")));
        assert_eq!(read("vbox-startgui:-fg"), of(Background, "-fg", None, None));
    }

    #[test]
    fn other_names_are_no_launchers() {
        for name in ["vboxsvc", "vbox.sh", "vbox-startgui", "vbox-startgui-bg:web", "x-vbox-startgui:web", "/", ""] {
            assert_eq!(launcher(OsStr::new(name)), None, "{name}");
        }
    }

    #[test]
    fn a_launcher_that_does_not_say_clearly_what_is_meant_is_refused() {
        assert!(matches!(read("vbox-startgui:"), Err(LauncherError::NoMachine(_))));
        assert!(matches!(read("vbox-startgui::poweroff"), Err(LauncherError::NoMachine(_))));
        assert!(matches!(read("vbox-startgui:a:b:c:d"), Err(LauncherError::TooManyParts(_))));
        assert!(matches!(read("vbox-startgui:a:::"), Err(LauncherError::TooManyParts(_))));
        let broken = launcher(OsStr::from_bytes(b"vbox-startgui:\xff"));
        assert!(matches!(broken, Some(Err(LauncherError::NotText(_)))), "{broken:?}");
    }

    #[test]
    fn an_option_cannot_smuggle_in_another_vm() {
        for option in ["--startvm", "--startvm=x", "--startvm:x", "-startvm", "-s"] {
            assert!(names_a_machine(OsStr::new(option)), "{option}");
        }
        for option in ["--fullscreen", "--scale", "-separate", "--start-paused", "--startvmx"] {
            assert!(!names_a_machine(OsStr::new(option)), "{option}");
        }
    }

    fn display(variables: &[(&str, &str)]) -> Result<Display, NoDisplay> {
        let variables: Vec<(String, OsString)> = variables.iter().map(|(n, v)| (n.to_string(), v.into())).collect();
        Display::of(|name| variables.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()))
    }

    #[test]
    fn no_display_and_an_empty_one_are_the_same_error() {
        assert_eq!(display(&[]), Err(NoDisplay));
        assert_eq!(display(&[("DISPLAY", "")]), Err(NoDisplay));
    }

    #[test]
    fn the_callers_xauthority_reaches_the_window_even_where_only_its_home_says_where() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".Xauthority");
        let of_home = [("DISPLAY", ":1"), ("HOME", home.path().to_str().unwrap())];
        let display_only = vec![("DISPLAY".into(), ":1".into())];
        assert_eq!(display(&of_home).unwrap().variables(), display_only, "there is no such file");
        std::fs::write(&file, "").unwrap();
        let with_file = vec![("DISPLAY".into(), ":1".into()), ("XAUTHORITY".into(), file.into())];
        assert_eq!(display(&of_home).unwrap().variables(), with_file);
        let named = display(&[of_home[0], of_home[1], ("XAUTHORITY", "/x")]).unwrap();
        assert_eq!(named.variables()[1], ("XAUTHORITY".into(), "/x".into()));
    }

    #[test]
    fn an_xauthority_that_the_vms_user_cannot_read_is_told_with_the_way_out() {
        let display = display(&[("DISPLAY", ":1"), ("XAUTHORITY", "/no/such/file")]).unwrap();
        let told = display.obstacle("ann").unwrap();
        assert!(told.contains("/no/such/file") && told.contains("xhost +si:localuser:ann"), "{told}");
    }
}
