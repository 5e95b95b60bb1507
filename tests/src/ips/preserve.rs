//! What becomes of a file that people may edit. Pure: the decision table behind `preserve=`.

/// The file as it is on disk, against what the installed package delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    Missing,
    AsDelivered,
    /// Or nobody delivered it.
    Other,
}

/// What is known of a file when it is to be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The action's `preserve`, where it has one.
    pub preserve: Option<&'a str>,
    /// The installed package delivers the file, too.
    pub had: bool,
    /// The installed package's `preserve`.
    pub had_preserve: Option<&'a str>,
    pub on_disk: OnDisk,
    /// The package's content is another one than the installed package's.
    pub content_changed: bool,
    /// The new version of the package is older than the installed one.
    pub is_downgrade: bool,
    /// The package was not installed before.
    pub is_initial: bool,
}

/// What is done with the new content and the old file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// The new content replaces the file.
    Replace,
    /// The file stays; only its mode is set.
    Keep,
    /// The old file gets this ending, the new content takes its place.
    RenameOld(&'static str),
    /// The new content gets this ending, the old file stays.
    RenameNew(&'static str),
    /// Nothing at all is done.
    Leave,
}

pub fn treatment(facts: &Facts<'_>) -> Treatment {
    let Some(preserve) = facts.preserve else {
        return if facts.had && !facts.content_changed && facts.on_disk != OnDisk::Missing {
            Treatment::Keep
        } else {
            Treatment::Replace
        };
    };
    match preserve {
        "abandon" => return Treatment::Leave,
        "legacy" if !facts.had => return Treatment::Keep,
        "legacy" if facts.had_preserve == Some("legacy") => return Treatment::Replace,
        "legacy" => return Treatment::RenameOld(".legacy"),
        _ => {}
    }
    if facts.had && facts.content_changed && facts.is_downgrade {
        let edited = facts.on_disk == OnDisk::Other;
        return if edited { Treatment::RenameOld(".update") } else { Treatment::Replace };
    }
    match facts.on_disk {
        OnDisk::Missing => Treatment::Replace,
        OnDisk::Other => match preserve {
            "renameold" => Treatment::RenameOld(".old"),
            "renamenew" => Treatment::RenameNew(".new"),
            _ => Treatment::Keep,
        },
        OnDisk::AsDelivered if facts.content_changed => Treatment::Replace,
        OnDisk::AsDelivered => Treatment::Keep,
    }
}

/// Whether a file that is in the way of an editable one is moved to `lost+found` first: it was there before the package.
pub fn is_salvaged(facts: &Facts<'_>) -> bool {
    let editable = facts.preserve.is_some_and(|preserve| preserve != "abandon");
    !facts.had && facts.is_initial && editable && facts.on_disk != OnDisk::Missing
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: Facts<'_> = Facts {
        preserve: None,
        had: true,
        had_preserve: None,
        on_disk: OnDisk::AsDelivered,
        content_changed: true,
        is_downgrade: false,
        is_initial: false,
    };

    #[test]
    fn an_update_treats_files_by_their_preserve() {
        use OnDisk::{AsDelivered, Missing, Other};
        use Treatment::{Keep, Leave, RenameNew, RenameOld, Replace};
        let rows: [(Option<&str>, [Treatment; 3]); 7] = [
            // as delivered, edited, deleted
            (None, [Replace, Replace, Replace]),
            (Some("true"), [Replace, Keep, Replace]),
            (Some("renameold"), [Replace, RenameOld(".old"), Replace]),
            (Some("renamenew"), [Replace, RenameNew(".new"), Replace]),
            (Some("install-only"), [Replace, Keep, Replace]),
            (Some("legacy"), [RenameOld(".legacy"), RenameOld(".legacy"), RenameOld(".legacy")]),
            (Some("abandon"), [Leave, Leave, Leave]),
        ];
        for (preserve, wanted) in rows {
            let got = [AsDelivered, Other, Missing].map(|on_disk| treatment(&Facts { preserve, on_disk, ..UPDATE }));
            assert_eq!(got, wanted, "{preserve:?}");
        }
    }

    #[test]
    fn content_that_did_not_change_is_not_written_again() {
        let same = Facts { content_changed: false, ..UPDATE };
        for preserve in [None, Some("true"), Some("renameold")] {
            assert_eq!(treatment(&Facts { preserve, ..same }), Treatment::Keep, "{preserve:?}");
            let missing = Facts { preserve, on_disk: OnDisk::Missing, ..same };
            assert_eq!(treatment(&missing), Treatment::Replace, "{preserve:?}");
        }
    }

    #[test]
    fn going_back_puts_an_edited_file_aside_under_another_name() {
        let back = Facts { preserve: Some("renameold"), is_downgrade: true, ..UPDATE };
        assert_eq!(treatment(&Facts { on_disk: OnDisk::Other, ..back }), Treatment::RenameOld(".update"));
        assert_eq!(treatment(&back), Treatment::Replace);
    }

    #[test]
    fn a_file_from_before_the_package_is_moved_away_only_where_it_is_editable() {
        let first = Facts { had: false, is_initial: true, on_disk: OnDisk::Other, ..UPDATE };
        assert!(is_salvaged(&Facts { preserve: Some("renameold"), ..first }));
        assert!(!is_salvaged(&first) && !is_salvaged(&Facts { preserve: Some("abandon"), ..first }));
        assert!(!is_salvaged(&Facts { preserve: Some("true"), on_disk: OnDisk::Missing, ..first }));
    }
}
