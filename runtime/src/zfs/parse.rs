//! Pure readers of what `zfs list -H` prints and of the table of mounted file systems. Bytes in, facts out.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::log::printable;

/// A dataset that files or a disk can be on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub name: String,
    pub kind: Kind,
    /// The property `mountpoint`, where it is a path; it is neither for `legacy` and `none`, nor for a volume.
    pub mountpoint: Option<PathBuf>,
    pub mounted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Filesystem,
    Volume,
}

/// A volume with what its `owner:` properties say; `None` = not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedVolume {
    pub name: String,
    pub user: Option<String>,
    pub group: Option<String>,
    pub chmod: Option<String>,
    pub acl: Option<String>,
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted: of ZFS the dataset, of a loopback mount the directory.
    pub special: OsString,
    pub point: PathBuf,
    pub fstype: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("line {line} is not {wanted}: {text:?}")]
    Line { line: usize, wanted: &'static str, text: String },
    #[error("the answer is cut off")]
    CutOff,
}

/// `zfs list -H -t filesystem,volume -o name,type,mountpoint,mounted`
pub fn datasets(output: &[u8]) -> Result<Vec<Dataset>, ParseError> {
    each_line(output, "a name, a type, a mount point and whether it is mounted", |line| {
        let (name, rest) = split_tab(line)?;
        let (kind, rest) = split_tab(rest)?;
        // A mount point may hold anything, tabs too; what comes after it may not.
        let at = rest.iter().rposition(|&b| b == b'\t')?;
        let (mountpoint, mounted) = (rest.get(..at)?, rest.get(at + 1..)?);
        let kind = match kind {
            b"filesystem" => Kind::Filesystem,
            b"volume" => Kind::Volume,
            _ => return None,
        };
        let mountpoint = Some(mountpoint).filter(|m| m.starts_with(b"/")).map(path);
        let mounted = match mounted {
            b"yes" => true,
            b"no" | b"-" => false,
            _ => return None,
        };
        Some(Dataset { name: name_of(name)?, kind, mountpoint, mounted })
    })
}

/// `zfs list -H -t snapshot -o name`, in the order given, which is that of their making.
pub fn snapshots(output: &[u8]) -> Result<Vec<String>, ParseError> {
    each_line(output, "the name of a snapshot", |line| name_of(line).filter(|name| name.contains('@')))
}

/// `zfs list -H -t volume -o name,owner:user,owner:group,owner:chmod,owner:acl`
pub fn owned_volumes(output: &[u8]) -> Result<Vec<OwnedVolume>, ParseError> {
    each_line(output, "a volume and its four owner: properties", |line| {
        let mut fields = line.split(|&b| b == b'\t');
        let name = name_of(fields.next()?)?;
        let mut value = || {
            let text = std::str::from_utf8(fields.next()?).ok()?;
            Some(Some(text).filter(|t| !matches!(*t, "-" | "")).map(str::to_string))
        };
        let volume = OwnedVolume { name, user: value()?, group: value()?, chmod: value()?, acl: value()? };
        fields.next().is_none().then_some(volume)
    })
}

/// `zfs list -H -t filesystem -o name,zoned`: those that are delegated to a zone.
pub fn delegated(output: &[u8]) -> Result<Vec<String>, ParseError> {
    let all = each_line(output, "a file system and whether a zone has it", |line| {
        let mut fields = line.split(|&b| b == b'\t');
        let name = name_of(fields.next()?)?;
        let zoned = match fields.next()? {
            b"on" => true,
            b"off" | b"-" => false,
            _ => return None,
        };
        fields.next().is_none().then_some(zoned.then_some(name))
    })?;
    Ok(all.into_iter().flatten().collect())
}

/// `/etc/mnttab`: fields between tabs, as raw as the kernel has them. A line of another form is none of a file system
/// that matters here, and is left out.
pub fn mnttab(text: &[u8]) -> Vec<Mount> {
    text.split(|&b| b == b'\n')
        .filter_map(|line| {
            let fields: Vec<&[u8]> = line.split(|&b| b == b'\t').collect();
            let [special, point, fstype, _options, _time] = fields.as_slice() else { return None };
            Some(Mount {
                special: OsString::from_vec(special.to_vec()),
                point: Some(path(point)).filter(|p| p.is_absolute())?,
                fstype: std::str::from_utf8(fstype).ok()?.to_string(),
            })
        })
        .collect()
}

fn each_line<T>(output: &[u8], wanted: &'static str, parse: impl Fn(&[u8]) -> Option<T>) -> Result<Vec<T>, ParseError> {
    let body = match output.split_last() {
        None => return Ok(Vec::new()),
        Some((b'\n', body)) => body,
        Some(_) => return Err(ParseError::CutOff),
    };
    let lines = body.split(|&b| b == b'\n').enumerate();
    lines
        .map(|(at, line)| {
            let text = || printable(&String::from_utf8_lossy(line));
            parse(line).ok_or_else(|| ParseError::Line { line: at + 1, wanted, text: text() })
        })
        .collect()
}

fn split_tab(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|&b| b == b'\t')?;
    Some((line.get(..at)?, line.get(at + 1..)?))
}

/// Names in ZFS are ASCII, may hold blanks, and begin with a letter or, below the pool, almost anything.
fn name_of(bytes: &[u8]) -> Option<String> {
    let fit = !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    fit.then(|| String::from_utf8_lossy(bytes).into_owned())
}

fn path(bytes: &[u8]) -> PathBuf {
    Path::new(&OsString::from_vec(bytes.to_vec())).to_path_buf()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIST: &[u8] =
        b"rpool\tfilesystem\t/rpool\tyes\nrpool/swap\tvolume\t-\t-\ntank/my vm\tfilesystem\t/vm/my vm\tyes\n\
        tank/old\tfilesystem\tlegacy\tyes\ntank/none\tfilesystem\tnone\tno\ntank/off\tfilesystem\t/off\tno\n";

    #[test]
    fn datasets_are_read_with_blanks_legacy_and_no_mount_points() {
        let found: Vec<_> = datasets(LIST)
            .unwrap()
            .into_iter()
            .map(|d| (d.name, d.kind, d.mountpoint.map(|m| m.to_str().unwrap().to_string()), d.mounted))
            .collect();
        let fs = |name: &str, at: Option<&str>, mounted| {
            (name.to_string(), Kind::Filesystem, at.map(str::to_string), mounted)
        };
        assert_eq!(
            found,
            [
                fs("rpool", Some("/rpool"), true),
                ("rpool/swap".into(), Kind::Volume, None, false),
                fs("tank/my vm", Some("/vm/my vm"), true),
                fs("tank/old", None, true),
                fs("tank/none", None, false),
                fs("tank/off", Some("/off"), false),
            ]
        );
    }

    #[test]
    fn a_mount_point_with_a_tab_is_read_whole() {
        let found = datasets(b"tank/a\tfilesystem\t/a\tb\tyes\n").unwrap();
        assert_eq!(found[0].mountpoint.as_deref(), Some(Path::new("/a\tb")));
    }

    #[test]
    fn no_datasets_is_an_empty_list_and_half_an_answer_is_an_error() {
        assert_eq!(datasets(b""), Ok(vec![]));
        assert_eq!(datasets(b"tank\tfilesystem\t/tank\tye"), Err(ParseError::CutOff));
        let error = datasets(b"tank\tfilesystem\t/tank\tyes\ntank/a\tsnapshot\t-\t-\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2 "), "{error}");
    }

    #[test]
    fn snapshots_keep_their_order_and_nothing_else_is_one() {
        assert_eq!(snapshots(b"t/b@2\nt/b@1\nt/a@3\n").unwrap(), ["t/b@2", "t/b@1", "t/a@3"]);
        assert!(snapshots(b"t/b\n").is_err());
    }

    #[test]
    fn a_dash_and_an_empty_value_are_no_owner() {
        let found = owned_volumes(b"t/v\tann\t-\tu=rw,g=,o=\t\n").unwrap();
        let (user, chmod) = (Some("ann".to_string()), Some("u=rw,g=,o=".to_string()));
        assert_eq!(found, [OwnedVolume { name: "t/v".into(), user, group: None, chmod, acl: None }]);
        assert!(owned_volumes(b"t/v\tann\t-\t-\n").is_err(), "a field is missing");
        assert!(owned_volumes(b"t/v\ta\tb\tc\td\te\n").is_err(), "a value has a tab in it");
    }

    #[test]
    fn what_a_zone_has_is_told_from_what_it_has_not() {
        assert_eq!(delegated(b"tank\toff\ntank/z1\ton\ntank/z1/vm\ton\n").unwrap(), ["tank/z1", "tank/z1/vm"]);
        assert!(delegated(b"tank\tperhaps\n").is_err() && delegated(b"tank\n").is_err());
    }

    #[test]
    fn the_mount_table_is_read_by_tabs_alone() {
        let table = b"rpool/ROOT/be\t/\tzfs\tdev=4410002\t0\nsrv:/vms\t/net/my vms\tnfs\tvers=4\t17\nrubbish\n";
        let found = mnttab(table);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].point.as_path(), found[1].fstype.as_str()), (Path::new("/net/my vms"), "nfs"));
    }

    proptest! {
        #[test]
        fn no_reader_is_upset_by_any_text(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = (datasets(&text), snapshots(&text), owned_volumes(&text), delegated(&text), mnttab(&text));
        }

        #[test]
        fn what_zfs_can_print_is_read_back(
            name in "[a-z][a-zA-Z0-9_.: -]{0,30}(/[a-zA-Z0-9_.: -]{1,20}){0,3}",
            mountpoint in "(/[^\n\0]{0,30}|legacy|none)",
            mounted in any::<bool>(),
        ) {
            let line = format!("{name}\tfilesystem\t{mountpoint}\t{}\n", if mounted { "yes" } else { "no" });
            let found = datasets(line.as_bytes()).unwrap();
            prop_assert_eq!(&found[0].name, &name);
            let at = found[0].mountpoint.as_ref().map(|m| m.to_str().unwrap());
            prop_assert_eq!(at, Some(mountpoint.as_str()).filter(|m| m.starts_with('/')));
            prop_assert_eq!(found[0].mounted, mounted);
        }
    }
}
