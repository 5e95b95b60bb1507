//! Finds and ends every process that belongs to a host, whoever started it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};

use crate::enclosure::enter::LINUX;
use crate::smf::startd::contract::pids;
use crate::zones;

/// How long the kernel may take to end what was killed.
const LIMIT: Duration = Duration::from_secs(10);

/// The processes of a host, but not the caller or those that started it. On an enclosed host those are the ones whose root
/// is the host's or a zone's; on others those whose arguments, environment, program or working directory lie in it.
pub fn processes(root: &Path) -> Vec<i32> {
    let spared = ancestors();
    let roots: Vec<_> = std::iter::once(root.to_owned())
        .chain(zones::all(root).iter().map(|zone| zone.root(root)))
        .filter_map(|root| identity(&root))
        .collect();
    let marker = root.as_os_str().as_bytes();
    // What runs on an enclosed host is there by its root, and who else speaks of that path has nothing to do with it.
    let enclosed = root.join(LINUX.trim_start_matches('/')).is_dir();
    let belongs = |pid: i32| runs_in(pid, &roots) || (!enclosed && mentions(pid, marker, root));
    pids().filter(|pid| !spared.contains(pid) && belongs(*pid)).collect()
}

/// What tells one folder from all others, whatever path leads to it.
fn identity(directory: &Path) -> Option<(u64, u64)> {
    fs::metadata(directory).ok().map(|found| (found.dev(), found.ino()))
}

fn runs_in(pid: i32, roots: &[(u64, u64)]) -> bool {
    identity(&Path::new("/proc").join(pid.to_string()).join("root")).is_some_and(|own| roots.contains(&own))
}

fn mentions(pid: i32, marker: &[u8], root: &Path) -> bool {
    let directory = Path::new("/proc").join(pid.to_string());
    let mentions = |file: &str| {
        let text = fs::read(directory.join(file)).unwrap_or_default();
        text.windows(marker.len()).enumerate().any(|(at, window)| {
            // `/tmp/host1` is not `/tmp/host12`.
            window == marker && !text.get(at + marker.len()).is_some_and(|c| c.is_ascii_alphanumeric())
        })
    };
    let inside = |link: &str| fs::read_link(directory.join(link)).is_ok_and(|target| target.starts_with(root));
    !is_zombie(&directory) && (mentions("cmdline") || mentions("environ") || inside("cwd") || inside("exe"))
}

fn is_zombie(directory: &Path) -> bool {
    let stat = fs::read_to_string(directory.join("stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

fn ancestors() -> BTreeSet<i32> {
    let mut all = BTreeSet::new();
    let mut pid = getpid().as_raw();
    while pid > 0 && all.insert(pid) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        pid = parent.unwrap_or(0);
    }
    all
}

/// Kills them until none is left.
pub fn kill_all(root: &Path) {
    let started = Instant::now();
    loop {
        let left = processes(root);
        if left.is_empty() || started.elapsed() > LIMIT {
            return;
        }
        for pid in left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(2));
    }
}
