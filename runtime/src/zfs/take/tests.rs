use std::path::PathBuf;
use std::time::Duration;

use super::super::testing::{Fake, fails, says};
use super::*;

const TAIL: &str = "snap:web:prestart:saved:2024-02-29z23:59:59";
const NEXT: &str = "snap:web:prestart:saved:2024-03-01z00:00:00";

fn label() -> Label {
    Label { prefix: "snap".into(), vm: "web".into(), stage: "prestart".into(), state: "saved".into() }
}

fn targets(datasets: &[&str], remote: &[&Path]) -> Targets {
    Targets {
        datasets: datasets.iter().map(|d| d.to_string()).collect(),
        remote: remote.iter().map(|r| r.to_path_buf()).collect(),
        ..Targets::default()
    }
}

fn run(fake: &Fake, targets: &Targets, keep: u32, user: &str) -> Outcome {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_251_199);
    let label = label();
    let outcome = take(&Zfs::of(fake), &Order { targets, label: &label, keep, now, user });
    fake.finish();
    outcome
}

#[test]
fn all_datasets_of_a_pool_are_snapshot_in_one_order() {
    let fake = Fake::default()
        .on(&format!("snapshot rpool/vm@{TAIL}"), says(""))
        .on(&format!("snapshot tank/a@{TAIL} tank/disk@{TAIL}"), says(""));
    let outcome = run(&fake, &targets(&["tank/disk", "rpool/vm", "tank/a"], &[]), 0, "ann");
    assert_eq!(outcome.made, [format!("rpool/vm@{TAIL}"), format!("tank/a@{TAIL}"), format!("tank/disk@{TAIL}")]);
    assert_eq!(outcome.verdict(), Verdict::Done);
}

#[test]
fn a_snapshot_that_is_there_already_makes_way_for_the_next_second() {
    let exists = "cannot create snapshot 'tank/a@x': dataset already exists\nno snapshots were created\n";
    let fake = Fake::default()
        .on(&format!("snapshot tank/a@{TAIL} tank/b@{TAIL}"), fails(1, exists))
        .on(&format!("snapshot tank/a@{NEXT} tank/b@{NEXT}"), says(""));
    let outcome = run(&fake, &targets(&["tank/a", "tank/b"], &[]), 0, "ann");
    assert_eq!(outcome.made, [format!("tank/a@{NEXT}"), format!("tank/b@{NEXT}")]);
    assert_eq!(outcome.verdict(), Verdict::Done);
}

#[test]
fn the_search_for_a_free_name_is_bounded() {
    let exists = || fails(1, "cannot create snapshot 'tank/a@x': dataset already exists\n");
    let mut fake = Fake::default();
    for second in ["2024-02-29z23:59:59", "2024-03-01z00:00:00", "2024-03-01z00:00:01", "2024-03-01z00:00:02"] {
        fake = fake.on(&format!("snapshot tank/a@snap:web:prestart:saved:{second}"), exists());
    }
    fake = fake.on("snapshot tank/a@snap:web:prestart:saved:2024-03-01z00:00:03", exists());
    let outcome = run(&fake, &targets(&["tank/a"], &[]), 0, "ann");
    assert_eq!(outcome.verdict(), Verdict::Failed);
    assert!(outcome.problems[0].contains("5 names"), "{:?}", outcome.problems);
}

#[test]
fn a_pool_that_refuses_does_not_hold_up_another_and_counts() {
    let fake = Fake::default()
        .on(&format!("snapshot rpool/vm@{TAIL}"), fails(1, "cannot create snapshot 'rpool/vm@x': out of space\n"))
        .on(&format!("snapshot tank/a@{TAIL}"), says(""));
    let outcome = run(&fake, &targets(&["rpool/vm", "tank/a"], &[]), 0, "ann");
    assert_eq!(outcome.made, [format!("tank/a@{TAIL}")]);
    assert_eq!(outcome.verdict(), Verdict::Partly);
    assert!(outcome.problems[0].contains("rpool/vm") && outcome.problems[0].contains("out of space"));
}

#[test]
fn missing_rights_are_told_with_the_command_that_gives_them() {
    let denied = || fails(1, "cannot create snapshots : permission denied\n");
    let fake = Fake::default().on(&format!("snapshot tank/a b@{TAIL} tank/c@{TAIL}"), denied());
    let outcome = run(&fake, &targets(&["tank/a b", "tank/c"], &[]), 0, "ann");
    let mend = "zfs allow -u ann mount,snapshot 'tank/a b' && zfs allow -u ann mount,snapshot tank/c";
    assert!(outcome.problems[0].ends_with(mend), "{:?}", outcome.problems);
    assert_eq!(outcome.verdict(), Verdict::Failed);
    let fake = Fake::default().on(&format!("snapshot tank/c@{TAIL}"), denied());
    let outcome = run(&fake, &targets(&["tank/c"], &[]), 3, "ann");
    assert!(outcome.problems[0].ends_with("zfs allow -u ann mount,snapshot,destroy tank/c"), "{:?}", outcome.problems);
    let fake = Fake::default().on(&format!("snapshot tank/c@{TAIL}"), denied());
    let outcome = run(&fake, &targets(&["tank/c"], &[]), 0, "root");
    assert!(outcome.problems[0].contains("zonecfg"), "root needs no zfs allow: {:?}", outcome.problems);
}

#[test]
fn what_names_nothing_counts_even_where_the_rest_succeeds() {
    let fake = Fake::default().on(&format!("snapshot tank/a@{TAIL}"), says(""));
    let wrong = vec!["\"tank/x\" is no dataset of this host".to_string()];
    let outcome = run(&fake, &Targets { wrong, ..targets(&["tank/a"], &[]) }, 0, "ann");
    assert_eq!((outcome.verdict(), outcome.problems.len()), (Verdict::Partly, 1));
}

#[test]
fn snapshots_beyond_the_newest_of_this_vm_are_destroyed_and_nothing_else() {
    let name = |dataset: &str, vm: &str, day: u8| format!("{dataset}@snap:{vm}:prestart:saved:2024-01-0{day}z00:00:00");
    let listed = [
        name("tank/a", "web", 1),
        "tank/a@daily".to_string(),
        name("tank/a", "other", 1),
        name("tank/a", "web", 2),
        format!("tank/a@{TAIL}"),
        name("tank/b", "web", 1),
        format!("tank/b@{TAIL}"),
    ];
    let fake = Fake::default()
        .on(&format!("snapshot tank/a@{TAIL} tank/b@{TAIL}"), says(""))
        .on("list -Hp -d 1 -t snapshot -o name tank/a tank/b", says(&(listed.join("\n") + "\n")))
        .on(&format!("destroy {}", name("tank/a", "web", 1)), says(""));
    let outcome = run(&fake, &targets(&["tank/a", "tank/b"], &[]), 2, "ann");
    assert_eq!(outcome.removed, [name("tank/a", "web", 1)]);
    assert_eq!(outcome.verdict(), Verdict::Done);
}

#[test]
fn the_snapshot_just_made_stays_whatever_the_list_says() {
    let newer = "tank/a@snap:web:prestart:saved:2030-01-01z00:00:00";
    let fake = Fake::default()
        .on(&format!("snapshot tank/a@{TAIL}"), says(""))
        .on("list -Hp -d 1 -t snapshot -o name tank/a", says(&format!("tank/a@{TAIL}\n{newer}\n")));
    let outcome = run(&fake, &targets(&["tank/a"], &[]), 1, "ann");
    assert_eq!(outcome.removed, [""; 0]);
}

#[test]
fn an_old_snapshot_that_will_not_go_counts_and_is_named() {
    let old = "tank/a@snap:web:prestart:saved:2024-01-01z00:00:00";
    let busy = format!("cannot destroy snapshot {old}: dataset is busy\n");
    let fake = Fake::default()
        .on(&format!("snapshot tank/a@{TAIL}"), says(""))
        .on("list -Hp -d 1 -t snapshot -o name tank/a", says(&format!("{old}\ntank/a@{TAIL}\n")))
        .on(&format!("destroy {old}"), fails(1, &busy));
    let outcome = run(&fake, &targets(&["tank/a"], &[]), 1, "ann");
    assert_eq!(outcome.verdict(), Verdict::Partly);
    assert!(outcome.problems[0].starts_with(old), "{:?}", outcome.problems);
}

#[test]
fn nothing_is_destroyed_where_no_snapshot_was_made() {
    let fake = Fake::default().on(&format!("snapshot tank/a@{TAIL}"), fails(1, "cannot open 'tank/a'\n"));
    assert_eq!(run(&fake, &targets(&["tank/a"], &[]), 1, "ann").verdict(), Verdict::Failed);
}

fn remote() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = snapshot_folder(dir.path());
    fs::create_dir_all(&folder).unwrap();
    (dir, folder)
}

#[test]
fn another_hosts_dataset_is_snapshot_by_a_folder_and_kept_by_the_same_rule() {
    let (dir, folder) = remote();
    let old = "snap:web:poststop-savestate-0:saved:2024-01-01z00:00:00";
    for name in [old, "daily", TAIL, "snap:other:prestart:saved:2024-01-01z00:00:00"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    let outcome = run(&Fake::default(), &targets(&[], &[dir.path()]), 2, "ann");
    assert_eq!(outcome.made, [folder.join(NEXT).display().to_string()]);
    assert_eq!(outcome.removed, [folder.join(old).display().to_string()]);
    let mut left: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["daily", "snap:other:prestart:saved:2024-01-01z00:00:00", TAIL, NEXT]);
}

#[test]
fn another_host_that_refuses_counts() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = run(&Fake::default(), &targets(&[], &[dir.path()]), 0, "ann");
    assert_eq!(outcome.verdict(), Verdict::Failed);
    assert!(outcome.problems[0].contains(".zfs/snapshot"), "{:?}", outcome.problems);
}

#[test]
fn a_plan_names_every_snapshot_and_makes_none() {
    let (dir, folder) = remote();
    let targets = targets(&["tank/a", "rpool/b"], &[dir.path()]);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_251_199);
    let names = plan(&Order { targets: &targets, label: &label(), keep: 1, now, user: "ann" }).unwrap();
    let at_remote = folder.join(TAIL).display().to_string();
    assert_eq!(names, [format!("rpool/b@{TAIL}"), format!("tank/a@{TAIL}"), at_remote]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}
