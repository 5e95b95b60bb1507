use super::*;

fn key(text: &str) -> Key {
    Ingredients::begin().text("profile", text).key()
}

/// A folder with everything in it, and the note that belongs to it.
fn made(store: &Store, key: &Key) -> (Unfinished, About) {
    let made = store.begin(key).unwrap();
    fs::write(made.state(), "state").unwrap();
    fs::write(made.disk(), "disk").unwrap();
    let sum = |path: &Path| Sum::of_file(path).unwrap();
    let about = About { taken: "today".into(), state: sum(&made.state()), disk: sum(&made.disk()) };
    (made, about)
}

fn published(store: &Store, key: &Key) -> Found {
    let (made, about) = made(store, key);
    store.publish(key, made, &about).unwrap().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn whatever_a_guest_is_made_of_changes_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (kernel, image) = (folder.path().join("kernel"), folder.path().join("image"));
    fs::write(&kernel, "one").unwrap();
    fs::write(&image, "image").unwrap();
    let key = |qemu: &str, accel: &str| {
        let all = Ingredients::begin().text("qemu", qemu).text("accel", accel);
        all.file("kernel", &kernel).unwrap().large_file("image", &image).unwrap().key()
    };
    let first = key("7.2", "tcg");
    assert_eq!(first, key("7.2", "tcg"));
    assert_ne!(first, key("8.2", "tcg"));
    assert_ne!(first, key("7.2", "kvm"));
    // Where one text ends and the next begins matters.
    assert_ne!(first, key("7.", "2tcg"));
    fs::write(&image, "another image").unwrap();
    let second = key("7.2", "tcg");
    assert_ne!(first, second);
    fs::write(&kernel, "two").unwrap();
    assert_ne!(second, key("7.2", "tcg"));
    let error = Ingredients::begin().file("kernel", Path::new("/no/such")).err().unwrap().to_string();
    assert!(error.starts_with("/no/such: "), "{error}");
}

#[test]
fn what_was_published_is_found_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::of(folder.path(), "standin");
    assert!(store.find(&key("a")).unwrap().is_none());
    let unfinished = made(&store, &key("a")).0;
    assert!(store.find(&key("a")).unwrap().is_none(), "it is not finished");
    drop(unfinished);
    assert!(names(folder.path()).is_empty());
    drop(published(&store, &key("a")));
    let found = store.find(&key("a")).unwrap().unwrap();
    assert_eq!((found.about.taken.as_str(), fs::read(found.disk()).unwrap().as_slice()), ("today", b"disk".as_slice()));
    assert!(store.find(&key("b")).unwrap().is_none());
    drop(found);
    store.discard(&key("a")).unwrap();
    store.discard(&key("a")).unwrap();
    assert!(names(folder.path()).is_empty());
}

#[test]
fn the_snapshot_of_another_making_goes_and_another_guests_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (omnios, cloud) = (Store::of(folder.path(), "omnios"), Store::of(folder.path(), "omnios-cloud"));
    drop(published(&cloud, &key("a")));
    let used = published(&omnios, &key("a"));
    // What a run that was killed has left: nobody holds its lock.
    let left = folder.path().join(format!("omnios-{}{UNFINISHED}x", key("a").0));
    fs::create_dir(&left).unwrap();
    fs::write(left.join(LOCK), "").unwrap();
    let in_work = omnios.begin(&key("c")).unwrap();
    drop(published(&omnios, &key("b")));
    assert!(!left.exists());
    assert!(used.disk().exists() && in_work.folder.path().exists(), "somebody uses them");
    assert!(cloud.find(&key("a")).unwrap().is_some());
    drop((used, in_work));
    drop(published(&omnios, &key("d")));
    assert!(omnios.find(&key("a")).unwrap().is_none() && omnios.find(&key("d")).unwrap().is_some());
}

#[test]
fn of_two_runs_that_keep_the_same_the_first_wins() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::of(folder.path(), "standin");
    let (second, mut about) = made(&store, &key("a"));
    drop(published(&store, &key("a")));
    about.taken = "later".into();
    let found = store.publish(&key("a"), second, &about).unwrap().unwrap();
    assert_eq!(found.about.taken, "today");
    assert_eq!(names(folder.path()).len(), 1);
}

#[test]
fn what_is_damaged_is_noticed_and_can_be_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::of(folder.path(), "standin");
    for (file, content, told) in [
        ("state", "stat", "the state is not whole"),
        ("disk.qcow2", "d1sk", "the disk is not what it was"),
        (ABOUT, "{", "about.json: "),
    ] {
        let place = published(&store, &key("a")).folder;
        fs::write(place.join(file), content).unwrap();
        let error = store.find(&key("a")).unwrap_err().to_string();
        assert!(error.starts_with(&place.display().to_string()) && error.contains(told), "{error}");
        store.discard(&key("a")).unwrap();
        assert!(store.find(&key("a")).unwrap().is_none());
    }
    // Half of one: it has no note.
    let place = published(&store, &key("a")).folder;
    fs::remove_file(place.join(ABOUT)).unwrap();
    assert!(store.find(&key("a")).unwrap().is_none());
}
