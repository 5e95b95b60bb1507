use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn host() -> Host {
    Host { node: "node".into(), zone: "global".into() }
}

/// The folder of the user who runs the test.
fn own(place: &Path) -> PathBuf {
    place.join(Identity::current().unwrap().uid.to_string())
}

fn run_dir(place: &Path) -> Result<RunDir, RunDirError> {
    RunDir::open(&Identity::current().unwrap(), Some(place), &host())
}

#[test]
fn a_missing_folder_is_made_closed_to_others() {
    let tmp = tempfile::tempdir().unwrap();
    run_dir(tmp.path()).unwrap();
    assert_eq!(fs::metadata(own(tmp.path())).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_folder_others_can_write_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    fs::create_dir(own(tmp.path())).unwrap();
    fs::set_permissions(own(tmp.path()), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(run_dir(tmp.path()), Err(RunDirError::Open { .. })));
}

#[test]
fn a_link_in_place_of_the_folder_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    symlink(tmp.path(), own(tmp.path())).unwrap();
    assert!(matches!(run_dir(tmp.path()), Err(RunDirError::WrongKind { .. })));
}

#[test]
fn a_planted_link_is_not_followed_and_its_target_stays_as_it_was() {
    let tmp = tempfile::tempdir().unwrap();
    let victim = tmp.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let dir = run_dir(tmp.path()).unwrap();
    symlink(&victim, dir.path().join("web.pid")).unwrap();
    let file = dir.file("web.pid", None).unwrap();
    assert!(matches!(file.write("1", false), Err(RunDirError::WrongKind { .. })));
    assert!(matches!(file.read(), Err(RunDirError::WrongKind { .. })));
    assert!(matches!(file.lock(), Err(RunDirError::WrongKind { .. })));
    file.remove().unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_fifo_or_a_folder_in_place_of_a_file_is_refused_at_once() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = run_dir(tmp.path()).unwrap();
    nix::unistd::mkfifo(&dir.path().join("web.block"), PRIVATE).unwrap();
    fs::create_dir(dir.path().join("web.pid")).unwrap();
    for name in ["web.block", "web.pid"] {
        let file = dir.file(name, None).unwrap();
        assert!(file.read().is_err(), "{name}");
        assert!(file.write("x", false).is_err(), "{name}");
    }
}

#[test]
fn a_file_of_another_owner_is_not_trusted() {
    let tmp = tempfile::tempdir().unwrap();
    let mut dir = run_dir(tmp.path()).unwrap();
    fs::write(dir.path().join("web.block"), "1").unwrap();
    dir.owner = dir.owner.wrapping_add(1); // as if the file were somebody else's
    assert!(matches!(dir.file("web.block", None).unwrap().read(), Err(RunDirError::Squatted { .. })));
}

#[test]
fn only_what_a_dead_process_left_unfinished_is_removed() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = run_dir(tmp.path()).unwrap();
    for name in ["web.notes", "web.notes.7", "web.notes.8", "web.nokick.7", "web2.notes.7", "web.notes.x"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    dir.remove_unfinished("web", |pid| pid == 7).unwrap();
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["web.notes", "web.notes.8", "web.notes.x", "web2.notes.7"]);
}

#[test]
fn whoever_asks_about_a_lock_is_not_taken_for_its_holder() {
    let tmp = tempfile::tempdir().unwrap();
    let file = run_dir(tmp.path()).unwrap().file("web.pid", None).unwrap();
    file.write("1", true).unwrap();
    let asks = file.open(OFlag::O_RDONLY).unwrap().unwrap();
    asks.try_lock_shared().unwrap();
    assert!(!file.is_locked().unwrap());
    drop(asks);
    let lock = file.lock().unwrap();
    assert!(lock.is_some() && file.is_locked().unwrap());
    drop(lock);
    assert!(!file.is_locked().unwrap());
}

#[test]
fn what_was_written_is_read_and_a_shorter_text_replaces_a_longer_one() {
    let tmp = tempfile::tempdir().unwrap();
    let file = run_dir(tmp.path()).unwrap().file("web.nokick", None).unwrap();
    assert_eq!(file.read().unwrap(), None);
    assert!(file.write("a longer text", true).unwrap());
    assert!(!file.write("another", true).unwrap(), "an exclusive write must not replace a file");
    assert!(file.write("short", false).unwrap());
    assert_eq!(file.read().unwrap().unwrap().text, "short");
    file.remove().unwrap();
    file.remove().unwrap();
    assert_eq!(file.read().unwrap(), None);
}

#[test]
fn nobody_sees_a_file_half_written() {
    let tmp = tempfile::tempdir().unwrap();
    let file = run_dir(tmp.path()).unwrap().file("web.nokick", None).unwrap();
    let reader = file.path().to_path_buf();
    let (stop, told) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let mut seen = 0;
        while told.try_recv().is_err() {
            if let Ok(text) = fs::read_to_string(&reader) {
                assert_eq!(text, "1234 5678");
                seen += 1;
            }
        }
        seen
    });
    for round in 0..500 {
        assert!(file.write("1234 5678", round % 2 == 0).unwrap());
        if round % 2 == 1 {
            file.remove().unwrap();
        }
    }
    stop.send(()).unwrap();
    watch.join().unwrap();
    let left: Vec<_> = fs::read_dir(file.path().parent().unwrap()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_lock_excludes_a_second_one_until_it_is_dropped() {
    let tmp = tempfile::tempdir().unwrap();
    let file = run_dir(tmp.path()).unwrap().file("web.pid", None).unwrap();
    assert!(!file.is_locked().unwrap());
    let lock = file.lock().unwrap().unwrap();
    assert!(file.is_locked().unwrap());
    assert!(file.lock().unwrap().is_none());
    drop(lock);
    assert!(file.lock().unwrap().is_some());
}

#[test]
fn a_path_of_the_administrators_choice_is_held_to_the_same_rules() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = run_dir(tmp.path()).unwrap();
    let chosen = tmp.path().join("own name");
    let file = dir.file("web.pid", Some(&chosen)).unwrap();
    file.write("1", false).unwrap();
    assert_eq!(fs::read_to_string(&chosen).unwrap(), "1");
    let link = tmp.path().join("link");
    symlink(&chosen, &link).unwrap();
    assert!(dir.file("web.pid", Some(&link)).unwrap().read().is_err());
}

#[test]
fn a_file_with_a_second_name_is_not_written_in_place() {
    let tmp = tempfile::tempdir().unwrap();
    let victim = tmp.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let dir = run_dir(tmp.path()).unwrap();
    fs::hard_link(&victim, dir.path().join("web.pid")).unwrap();
    let file = dir.file("web.pid", None).unwrap();
    assert!(matches!(file.lock(), Err(RunDirError::Linked { .. })));
    assert!(matches!(file.open_output(), Err(RunDirError::Linked { .. })));
    assert!(file.write("1", false).unwrap(), "what is put in its place touches nothing else");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_chosen_path_on_a_way_that_others_can_change_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = run_dir(tmp.path()).unwrap();
    let open = tmp.path().join("open");
    fs::create_dir_all(open.join("own")).unwrap();
    let chosen = open.join("own/web.pid");
    assert!(dir.file("web.pid", Some(&chosen)).is_ok());
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let error = dir.file("web.pid", Some(&chosen)).unwrap_err();
    assert!(matches!(&error, RunDirError::Weak { place, .. } if place.ends_with("open")), "{error}");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(dir.file("web.pid", Some(&chosen)).is_ok(), "a sticky folder is as good as /tmp");
}

#[test]
fn a_place_for_all_users_that_anybody_can_change_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let place = tmp.path().join("run");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(run_dir(&place), Err(RunDirError::Weak { .. })));
}
