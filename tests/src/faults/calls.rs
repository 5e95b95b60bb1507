//! The system calls of a program as strace tells them, and which of them are made to fail, with which error.
//!
//! Only text in and plain data out: this runs nothing.

use std::collections::BTreeMap;

/// What is done to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// It fails with this error and does nothing.
    Error(&'static str),
    /// The process is killed at it.
    Kill,
}

/// One call of one run: the `nth` of its name, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub call: String,
    pub nth: usize,
    pub blow: Blow,
    /// The call as it was in the run that went well.
    pub shown: String,
}

impl Point {
    /// strace's options that do it.
    pub fn options(&self) -> Vec<String> {
        let Point { call, nth, .. } = self;
        let blow = match self.blow {
            Blow::Error(errno) => format!("error={errno}"),
            Blow::Kill => "signal=KILL".to_string(),
        };
        vec![format!("--trace={call}"), format!("--inject={call}:{blow}:when={nth}")]
    }

    pub fn name(&self) -> String {
        let blow = match self.blow {
            Blow::Error(errno) => errno,
            Blow::Kill => "killed",
        };
        format!("{} of {} {}", blow, self.call, self.nth)
    }
}

/// The calls that can fail, and how. Those that cannot, and memory, whose lack ends any Rust program, are left out.
const ERRORS: [(&str, &[&str]); 43] = [
    ("access", &["EACCES"]),
    ("bind", &["EADDRINUSE"]),
    ("chdir", &["EACCES"]),
    ("clone", &["EAGAIN", "ENOMEM"]),
    ("clone3", &["EAGAIN", "ENOMEM"]),
    ("connect", &["ECONNREFUSED"]),
    ("dup", &["EMFILE"]),
    ("dup2", &["EMFILE"]),
    ("dup3", &["EMFILE"]),
    ("faccessat", &["EACCES"]),
    ("faccessat2", &["EACCES"]),
    ("fchmod", &["EPERM"]),
    ("fchmodat", &["EPERM"]),
    ("fcntl", &["EMFILE"]),
    ("flock", &["ENOLCK", "EINTR"]),
    ("fork", &["EAGAIN"]),
    ("fstat", &["EIO"]),
    ("fsync", &["EIO"]),
    ("ftruncate", &["EIO"]),
    ("getdents64", &["EIO"]),
    ("kill", &["EPERM"]),
    ("link", &["ENOSPC"]),
    ("linkat", &["ENOSPC"]),
    ("lseek", &["EIO"]),
    ("mkdir", &["EROFS"]),
    ("mkdirat", &["EROFS"]),
    ("newfstatat", &["EACCES"]),
    ("openat", &["EMFILE", "EACCES", "ENOSPC"]),
    ("pipe2", &["EMFILE"]),
    ("poll", &["EINTR", "ENOMEM"]),
    ("ppoll", &["EINTR", "ENOMEM"]),
    ("pread64", &["EIO"]),
    ("prlimit64", &["EPERM"]),
    ("read", &["EIO", "EINTR"]),
    ("readlink", &["EACCES"]),
    ("rename", &["EROFS"]),
    ("renameat", &["ENOSPC"]),
    ("setsid", &["EPERM"]),
    ("socketpair", &["EMFILE"]),
    ("statx", &["EACCES"]),
    ("unlink", &["EROFS"]),
    ("unlinkat", &["EROFS"]),
    ("utimensat", &["EROFS"]),
];
/// Of these there are several ways to say it.
const MORE: [(&str, &[&str]); 6] = [
    ("vfork", &["EAGAIN", "ENOMEM"]),
    ("wait4", &["EINTR"]),
    ("waitid", &["EINTR"]),
    ("write", &["ENOSPC", "EIO", "EINTR"]),
    ("writev", &["ENOSPC"]),
    ("sendto", &["EPIPE"]),
];

fn errors() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    ERRORS.into_iter().chain(MORE)
}

/// strace's list of the calls that are followed.
pub fn followed() -> String {
    // With a question mark a call that this machine does not have is none that is wrong.
    let names: Vec<String> = errors().map(|(name, _)| format!("?{name}")).collect();
    format!("--trace={}", names.join(","))
}

/// How many points of one kind are taken: of the calls that look alike, the first, the second and the last.
const ALIKE: usize = 3;

/// Every point of a run that went well, told by strace: each call of the program itself with each of its errors, and
/// with a kill. Many that differ only in a number, as the files of /proc, count as one kind.
pub fn points(trace: &str) -> Vec<Point> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<String, Vec<(String, usize, String)>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut own = false;
    for line in trace.lines() {
        let Some((name, rest)) = line.split_once('(') else { continue };
        let Some((name, _)) = errors().find(|(known, _)| *known == name) else { continue };
        let nth = counts.entry(name).or_default();
        *nth += 1;
        // What the loader does comes before the program's first deed, which is to see that its three streams are open.
        own |= name == "poll" && rest.starts_with("[{fd=0");
        if !own {
            continue;
        }
        let kind = format!("{name}({}", without_numbers(rest));
        let of_kind = kinds.entry(kind.clone()).or_insert_with(|| {
            order.push(kind);
            Vec::new()
        });
        of_kind.push((name.to_string(), *nth, line.to_string()));
    }
    let mut points = Vec::new();
    for (call, nth, shown) in order.iter().filter_map(|kind| kinds.get(kind)).flat_map(|of_kind| some(of_kind)) {
        let blows = errors().find(|(known, _)| *known == call).map_or(&[][..], |(_, errors)| errors);
        for blow in blows.iter().map(|e| Blow::Error(e)).chain([Blow::Kill]) {
            points.push(Point { call: call.clone(), nth: *nth, blow, shown: shown.clone() });
        }
    }
    points
}

fn some<T>(all: &[T]) -> Vec<&T> {
    let last = all.len().saturating_sub(1);
    all.iter().enumerate().filter(|(at, _)| *at < ALIKE - 1 || *at == last).map(|(_, item)| item).collect()
}

/// The call's kind: what it was asked to do, without numbers, answers and whatever was read.
fn without_numbers(rest: &str) -> String {
    let asked = rest.rsplit_once(" = ").map_or(rest, |(asked, _)| asked);
    let short: String = asked.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "openat(AT_FDCWD, \"/etc/ld.so.cache\", O_RDONLY) = 3\n\
        poll([{fd=0, events=0}, {fd=1, events=0}], 3, 0) = 0 (Timeout)\n\
        openat(AT_FDCWD, \"/run/web.pid\", O_RDWR) = 3\n\
        openat(AT_FDCWD, \"/proc/1/stat\", O_RDONLY) = 4\n\
        openat(AT_FDCWD, \"/proc/2/stat\", O_RDONLY) = 4\n\
        openat(AT_FDCWD, \"/proc/3/stat\", O_RDONLY) = 4\n\
        openat(AT_FDCWD, \"/proc/44/stat\", O_RDONLY) = 4\n\
        brk(NULL) = 0x1\n\
        flock(3, LOCK_EX|LOCK_NB) = 0\n";

    #[test]
    fn the_programs_own_calls_fail_in_each_way_and_those_that_look_alike_three_times() {
        let points = points(TRACE);
        let of = |call: &str, blow| -> Vec<usize> {
            points.iter().filter(|p| p.call == call && p.blow == blow).map(|p| p.nth).collect()
        };
        // The loader's own is the first.
        assert_eq!(of("openat", Blow::Error("EMFILE")), [2, 3, 4, 6]);
        assert_eq!(of("openat", Blow::Kill), [2, 3, 4, 6]);
        assert_eq!(of("flock", Blow::Error("ENOLCK")), [1]);
        assert!(points.iter().all(|p| p.call != "brk"));
    }

    #[test]
    fn a_point_is_said_in_straces_words() {
        let point = Point { call: "flock".into(), nth: 2, blow: Blow::Error("EINTR"), shown: String::new() };
        assert_eq!(point.options(), ["--trace=flock", "--inject=flock:error=EINTR:when=2"]);
    }
}
