use proptest::prelude::*;

use super::*;

fn label(vm: &str, stage: &str) -> Label {
    Label { prefix: "vboxsvc-auto-snap".into(), vm: vm.into(), stage: stage.into(), state: "poweroff".into() }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn name(label: &Label, datasets: &[&str]) -> String {
    label.tail(datasets, at(1_709_251_199)).unwrap()
}

#[test]
fn a_name_tells_prefix_vm_stage_state_and_the_time_in_utc() {
    assert_eq!(
        name(&label("web", "prestart"), &["tank"]),
        "vboxsvc-auto-snap:web:prestart:poweroff:2024-02-29z23:59:59"
    );
}

#[test]
fn plain_names_of_vms_stay_as_they_are_and_others_are_spelt_out() {
    for (vm, part) in [
        ("web-01_b.c", "web-01_b.c"),
        ("Win 10", "Win_x2010"),
        ("a:b", "a_x3ab"),
        ("a@b/c%d,e", "a_x40b_x2fc_x25d_x2ce"),
        ("ü", "_xc3_xbc"),
        ("my_x86", "my_x5fx86"),
    ] {
        assert_eq!(distinct(vm), part);
    }
}

#[test]
fn a_comment_is_made_fit_and_never_empty() {
    let stage = |comment: &str| name(&label("web", comment), &["tank"]).split(':').nth(2).unwrap().to_string();
    assert_eq!(stage(" before the update: 1/2 "), "before_the_update__1_2");
    assert_eq!(stage("до"), "__");
    assert_eq!(stage(""), "-");
}

#[test]
fn a_long_comment_is_cut_to_what_zfs_allows_and_a_dataset_that_leaves_no_room_is_named() {
    let long = label(&"v".repeat(100), &"c".repeat(300));
    let dataset = format!("tank/{}", "d".repeat(110));
    let tail = name(&long, &["tank", &dataset]);
    assert_eq!(dataset.len() + 1 + tail.len(), NAME_MAX);
    assert!(long.owns(&tail));
    let too_long = format!("tank/{}", "d".repeat(150));
    let error = long.tail(&["tank", &too_long], at(0)).unwrap_err();
    assert_eq!(error, NoRoom { dataset: too_long });
}

#[test]
fn long_names_that_begin_alike_stay_apart() {
    let (one, other) = ("v".repeat(80) + "1", "v".repeat(80) + "2");
    assert_ne!(distinct(&one), distinct(&other));
    assert_eq!(distinct(&one).len(), VM_MAX);
}

#[test]
fn a_clock_that_is_badly_off_still_gives_a_name() {
    assert_eq!(timestamp(SystemTime::UNIX_EPOCH - Duration::from_secs(9)), "1970-01-01z00:00:00");
    assert_eq!(timestamp(at(300_000_000_000)), "9999-12-31z23:59:59");
}

#[test]
fn only_snapshots_of_this_vm_and_prefix_beyond_the_newest_expire() {
    let ours = |stage: &str, day: u8| format!("vboxsvc-auto-snap:web:{stage}:saved:2024-01-{day:02}z00:00:00");
    let (one, two, three) = (ours("prestart", 1), ours("a-comment", 2), ours("prestart", 3));
    let foreign = [
        "daily",
        "vboxsvc-auto-snap:web2:prestart:saved:2024-01-01z00:00:00",
        "vboxsvc-auto-snap:web:prestart:saved:2024-01-01z00:00",
        "vboxsvc-auto-snap:web:prestart:saved:2024-01-01z00:00:00-keep",
        "vboxsvc-auto-snap:web:prestart:2024-01-01z00:00:00",
        "other:vboxsvc-auto-snap:web:prestart:saved:2024-01-01z00:00:00",
        "vboxsvc-auto-snap:web:a:b:saved:2024-01-01z00:00:00",
    ];
    let mut tails: Vec<&str> = foreign.to_vec();
    tails.extend([one.as_str(), &two, &three]);
    let label = label("web", "whatever");
    assert_eq!(expired(&tails, &label, 2), [one.as_str()]);
    assert_eq!(expired(&tails, &label, 1), [one.as_str(), &two]);
    assert_eq!(expired(&tails, &label, 3), [""; 0]);
    assert_eq!(expired(&tails, &label, 0), [""; 0], "0 keeps all");
}

#[test]
fn a_prefix_with_colons_owns_nothing_of_its_beginning() {
    let short = Label { prefix: "a".into(), ..label("b", "s") };
    let long = Label { prefix: "a:b".into(), ..label("s", "s") };
    assert!(!short.owns(&name(&long, &["tank"])));
    assert!(!long.owns(&name(&short, &["tank"])));
}

#[test]
fn the_next_second_is_tried_a_few_times_and_no_more() {
    assert_eq!(seconds_from(at(7), 3).collect::<Vec<_>>(), [at(7), at(8), at(9)]);
}

/// What [`distinct`] made of a text, undone.
fn decoded(part: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = part;
    while let Some(c) = rest.chars().next() {
        match rest.strip_prefix("_x") {
            Some(escape) => {
                out.push(u8::from_str_radix(escape.get(..2)?, 16).ok()?);
                rest = escape.get(2..)?;
            }
            None => {
                out.push(c as u8);
                rest = rest.get(1..)?;
            }
        }
    }
    Some(out)
}

fn vm_name() -> impl Strategy<Value = String> {
    prop_oneof!["[_x0-9a-f :]{1,12}", "\\PC{1,20}", "[a-z]{60,80}"]
}

proptest! {
    #[test]
    fn every_name_is_one_zfs_takes_and_is_known_again(
        vm in vm_name(), stage in "\\PC{0,80}", state in "[a-z-]{0,20}", prefix in "[a-zA-Z0-9_.:-]{1,64}",
        dataset in "[a-z]{1,10}(/[a-z ]{1,8}){0,3}", seconds in 0u64..400_000_000_000,
    ) {
        let label = Label { prefix, vm, stage, state };
        let tail = label.tail(&[&dataset], at(seconds)).unwrap();
        prop_assert!(tail.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b)), "{}", tail);
        prop_assert!(dataset.len() + 1 + tail.len() <= NAME_MAX);
        prop_assert!(label.owns(&tail), "{}", tail);
    }

    #[test]
    fn a_short_name_of_a_vm_can_be_read_back(vm in "[_x0-9a-fü :]{1,12}") {
        let part = distinct(&vm);
        prop_assume!(!part.contains("_xh"));
        prop_assert_eq!(decoded(&part), Some(vm.into_bytes()));
    }

    #[test]
    fn no_vm_owns_the_snapshots_of_another(one in vm_name(), other in vm_name(), stage in "[a-z:_x]{0,10}") {
        prop_assume!(one != other);
        let tail = label(&one, &stage).tail(&["tank"], at(0)).unwrap();
        prop_assert!(!label(&other, &stage).owns(&tail), "{}", tail);
    }

    #[test]
    fn foreign_names_upset_nothing(tail in "\\PC{0,120}") {
        prop_assert!(!label("web", "x").owns(&tail));
    }
}
