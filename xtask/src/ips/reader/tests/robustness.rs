//! Damaged and hostile input: any bytes give a report.

use proptest::prelude::*;

use super::*;

#[test]
fn an_archive_cut_off_anywhere_gives_findings_and_no_panic() {
    let archive = complete(&good_members());
    let data_end = archive.len() - 1024;
    for length in (0..archive.len()).step_by(37).chain(archive.len() - 1030..archive.len()) {
        let report = report(&archive[..length]);
        if length < data_end {
            assert!(!report.is_accepted(), "cut to {length} of {} bytes: {:?}", archive.len(), report.findings);
        }
    }
}

#[test]
fn nothing_and_zeros_are_no_archive() {
    refused("nothing", b"", &["publisher-missing", "package-missing"]);
    refused("zeros", &[0; 10240], &["publisher-missing", "package-missing"]);
    refused("text", &[b'x'; 1024], &["tar-header", "publisher-missing", "package-missing"]);
}

#[test]
fn a_header_that_claims_more_than_there_is_is_refused() {
    let mut header = Header::new_gnu();
    header.set_path("publisher/example/pkg/a/b").unwrap();
    header.set_size(u64::MAX - 1000);
    header.set_cksum();
    let report = report(header.as_bytes());
    assert!(ids(&report, Level::Error).contains(&"tar-truncated"), "{:?}", report.findings);
}

#[test]
fn an_index_that_unpacks_to_endless_lines_is_given_up() {
    let members = good_members();
    let endless = gzip(&vec![b'a'; 4 << 20]);
    let comment = Some("pkg5.archive.version.0");
    refused("one line", &indexed(Format::Ustar, &members, comment, &endless), &["index-corrupt"]);
    let lines: String = (0..20_000).map(|i| format!("m{i}\0{i}\0512\00\0b'0'\0\n")).collect();
    let report = report(&indexed(Format::Ustar, &members, comment, &gzip(lines.as_bytes())));
    let errors = ids(&report, Level::Error);
    assert!(errors.contains(&"index-entry") && errors.len() < 100, "{} findings", errors.len());
}

#[test]
fn monstrous_paths_and_actions_are_refused_in_reasonable_time() {
    let with_line = |line: String| {
        let name = sha1(CONTENT);
        let text = manifest(&name, &described()) + &line;
        complete(&members(&text, VERSION, &name, &gzip(CONTENT)))
    };
    let path = format!("link path={} target=a\n", "a/".repeat(1 << 20));
    refused("path", &with_line(path), &["path-long"]);
    let action = format!("set name=n{}\n", " value=v".repeat(1 << 18));
    refused("action", &with_line(action), &["action-malformed"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_bytes_give_a_report(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(!report(&bytes).is_accepted());
    }

    #[test]
    fn flipped_bytes_give_a_report(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut archive = complete(&good_members());
        for (at, byte) in flips {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        report(&archive);
    }

    /// Behind a valid checksum, so that the fields themselves are put to the test.
    #[test]
    fn random_headers_give_a_report(
        flag in any::<u8>(),
        size in any::<[u8; 12]>(),
        data in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut header = Header::new_ustar();
        header.set_path("publisher/example/pkg/a/b").unwrap();
        header.as_old_mut().size = size;
        header.as_old_mut().linkflag = [flag];
        header.set_cksum();
        let mut archive = header.as_bytes().to_vec();
        archive.extend(data);
        archive.resize(archive.len().next_multiple_of(512), 0);
        archive.extend(plain(Format::Ustar, &good_members()));
        report(&archive);
    }

    #[test]
    fn random_manifests_give_a_report(text in "(set|dir|file|link|depend|legacy|license)? ?[a-z=\"'/.@:\\\\ \n\t\u{e9}]{0,200}") {
        let mut members = good_members();
        members[4].1 = Some(text.into_bytes());
        report(&complete(&members));
    }
}
