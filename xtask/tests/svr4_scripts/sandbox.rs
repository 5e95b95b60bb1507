//! A folder that passes for a host's root: the scripts run there under a shell, with stand-ins of the programs they call.
//!
//! The stand-ins are a few lines each: they keep services as folders of text files, and write down how they were called.
//! What the real programs answer is what the scripts were written from; that they answer so, only a real host can show.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// `svcs [-a] -H -o fmri|state PATTERN...`. A service's states are a queue, of which the last stays.
const SVCS: &str = r#"
while :; do
    case $1 in
    -a | -H) shift ;;
    -o) field=$2; shift 2 ;;
    *) break ;;
    esac
done
code=1
for pattern; do
    for folder in "$SANDBOX"/smf/*; do
        [ -d "$folder" ] || continue
        fmri=$(cat "$folder/fmri")
        case $fmri in
        $pattern) ;;
        *) continue ;;
        esac
        code=0
        if [ "$field" = fmri ]; then
            echo "$fmri"
        else
            printf '%-14s \n' "$(head -n 1 "$folder/state")"
            if [ "$(wc -l < "$folder/state")" -gt 1 ]; then
                sed 1d "$folder/state" > "$folder/state.new"
                mv "$folder/state.new" "$folder/state"
            fi
        fi
    done
done
exit $code
"#;

const SVCADM: &str = r#"
echo "svcadm $*" >> "$SANDBOX/log"
verb=$1
shift
temporary=
if [ "$1" = -t ]; then temporary=yes; shift; fi
folder=$SANDBOX/smf/$(echo "$1" | tr / _)
[ -d "$folder" ] && [ ! -f "$folder/refuses" ] || exit 1
case $verb$temporary in
disableyes)
    if [ -f "$folder/stopping" ]; then cat "$folder/stopping"; else printf 'online*\nonline*\ndisabled\n'; fi > "$folder/state" ;;
disable) echo false > "$folder/enabled" ;;
enable) echo true > "$folder/enabled" ;;
esac
"#;

/// An exported service is a list of its instances, and importing one brings them back.
const SVCCFG: &str = r#"
echo "svccfg $*" >> "$SANDBOX/log"
case $1 in
import)
    if [ -s "$SANDBOX/failing-imports" ]; then
        sed 1d "$SANDBOX/failing-imports" > "$SANDBOX/failing-imports.new"
        mv "$SANDBOX/failing-imports.new" "$SANDBOX/failing-imports"
        exit 1
    fi
    grep '^svc:' "$2" | while read -r fmri; do
        folder=$SANDBOX/smf/$(echo "$fmri" | tr / _)
        mkdir -p "$folder"
        echo "$fmri" > "$folder/fmri"
        echo disabled > "$folder/state"
        echo false > "$folder/enabled"
    done ;;
export)
    cat "$SANDBOX"/smf/svc:_site_xvm_vbox:*/fmri ;;
esac
"#;

const SVCPROP: &str = r#"
for fmri; do :; done
cat "$SANDBOX/smf/$(echo "$fmri" | tr / _)/enabled"
"#;

/// `removef [-R ROOT] PKGINST PATH...` prints what is this package's alone, `removef [-R ROOT] -f PKGINST` forgets it.
const REMOVEF: &str = r#"
echo "removef $*" >> "$SANDBOX/log"
if [ "$1" = -R ]; then shift 2; fi
if [ "$1" = -f ]; then
    cat "$SANDBOX/pending" | while read -r path; do
        grep -v "^$path\$" "$SANDBOX/database" > "$SANDBOX/database.new"
        mv "$SANDBOX/database.new" "$SANDBOX/database"
    done
    exit 0
fi
shift
for path; do
    echo "$path" >> "$SANDBOX/pending"
    grep "^$path\$" "$SANDBOX/database"
done
"#;

const ISAINFO: &str = "cat \"$SANDBOX/bits\"";

/// Nobody waits in a test; the clock of the scripts is the count of their sleeps.
const SLEEP: &str = "echo \"$1\" >> \"$SANDBOX/slept\"";

pub const MANIFESTS: [&str; 3] = ["vbox-svc.xml", "vbox-delay-on-boot.xml", "vbox-zvol-rights.xml"];

pub struct Sandbox {
    folder: TempDir,
    shell: Vec<PathBuf>,
}

/// What a script did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub said: String,
}

/// The shells on PATH that are near enough to /sbin/sh of one system or another.
pub fn shells() -> Vec<Vec<PathBuf>> {
    let known: [&[&str]; 6] = [&["dash"], &["bash", "--posix"], &["ksh93"], &["ksh"], &["mksh"], &["busybox", "sh"]];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect();
    let find = |shell: &&[&str]| {
        let program = folders.iter().map(|folder| folder.join(shell[0])).find(|path| path.exists())?;
        Some(std::iter::once(program).chain(shell[1..].iter().map(PathBuf::from)).collect())
    };
    let found: Vec<Vec<PathBuf>> = known.iter().filter_map(find).collect();
    assert!(!found.is_empty(), "there is no shell to run the scripts");
    found
}

/// Runs a test in a new sandbox for each shell.
pub fn in_each_shell(test: impl Fn(&Sandbox)) {
    for shell in shells() {
        test(&Sandbox::new(shell));
    }
}

impl Sandbox {
    /// A host on which SMF lives, and nothing is installed.
    fn new(shell: Vec<PathBuf>) -> Sandbox {
        let sandbox = Sandbox { folder: tempfile::tempdir().unwrap(), shell };
        for (name, text) in [
            ("svcs", SVCS),
            ("svcadm", SVCADM),
            ("svccfg", SVCCFG),
            ("svcprop", SVCPROP),
            ("removef", REMOVEF),
            ("isainfo", ISAINFO),
            ("sleep", SLEEP),
        ] {
            sandbox.program(name, text);
        }
        for name in ["log", "database", "slept", "etc/svc/volatile/repository_door"] {
            sandbox.write(name, "");
        }
        sandbox.write("bits", "64\n");
        sandbox.service("svc:/system/manifest-import:default", "online", true);
        sandbox
    }

    /// Puts a program where the scripts find it first.
    pub fn program(&self, name: &str, text: &str) {
        let path = self.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{text}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// Puts a service instance into SMF.
    pub fn service(&self, fmri: &str, state: &str, enabled: bool) {
        let folder = format!("smf/{}", fmri.replace('/', "_"));
        self.write(&format!("{folder}/fmri"), &format!("{fmri}\n"));
        self.write(&format!("{folder}/state"), &format!("{state}\n"));
        self.write(&format!("{folder}/enabled"), &format!("{enabled}\n"));
    }

    pub fn of_service(&self, fmri: &str, what: &str) -> String {
        self.read(&format!("smf/{}/{what}", fmri.replace('/', "_"))).trim().to_string()
    }

    pub fn set_of_service(&self, fmri: &str, what: &str, text: &str) {
        self.write(&format!("smf/{}/{what}", fmri.replace('/', "_")), text);
    }

    /// SMF loses everything that is not its own.
    pub fn lose_services(&self) {
        for entry in fs::read_dir(self.path("smf")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with("svc:_site") {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }

    /// The manifests as pkgadd puts them there, below a root.
    pub fn deliver(&self, root: &str, release: &str) {
        for name in MANIFESTS {
            self.write(&format!("{root}var/svc/manifest/site/{name}"), &format!("{name} of {release}\n"));
        }
    }

    /// How the programs were called since the last look.
    pub fn calls(&self) -> Vec<String> {
        let log = self.read("log");
        self.write("log", "");
        log.lines().map(|line| line.replace(&format!("{}/", self.folder.path().display()), "/")).collect()
    }

    pub fn run(&self, script: &str) -> Ran {
        self.run_for(script, "")
    }

    /// Runs a script for the root that `pkgadd -R` gives; empty for the running system.
    pub fn run_for(&self, script: &str, root: &str) -> Ran {
        let parameters: &[(&str, &str)] = if root.is_empty() { &[] } else { &[("PKG_INSTALL_ROOT", root)] };
        self.run_with(script, parameters)
    }

    /// Runs a script with parameters of the package in its environment, beside those that are always there.
    pub fn run_with(&self, script: &str, parameters: &[(&str, &str)]) -> Ran {
        let moved = self.write(&format!("scripts/{script}"), &self.moved(&text_of(script)));
        let mut command = Command::new(&self.shell[0]);
        command.args(&self.shell[1..]).arg(moved).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()));
        command.env("SANDBOX", self.folder.path()).env("PKGINST", "COSvboxsvc").envs(parameters.iter().copied());
        let output = command.output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.is_empty(), "{script} under {:?}: {errors}", self.shell);
        let said = String::from_utf8(output.stdout).unwrap();
        Ran { code: output.status.code().unwrap(), said: said.replace(&self.folder.path().display().to_string(), "") }
    }

    /// The script with its absolute paths moved below the sandbox: they begin at $root, but for SMF's door and the
    /// folder of a script that never runs for another root.
    fn moved(&self, text: &str) -> String {
        let here = self.folder.path().display().to_string();
        text.replace("$root/", &format!("{here}$root/"))
            .replace("$root$path", &format!("{here}$root$path"))
            .replace("/etc/svc/volatile", &format!("{here}/etc/svc/volatile"))
            .replace("state=/var/svc", &format!("state={here}/var/svc"))
            // Some shells have a sleep of their own.
            .replace("  sleep ", &format!("  {here}/bin/sleep "))
            // Half an hour is as good as two minutes here, and fifteen times as long.
            .replace("limit=1800", "limit=120")
    }
}

/// A script as it is committed.
pub fn text_of(script: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(xtask::contents::SCRIPTS);
    fs::read_to_string(folder.join(script)).unwrap()
}
