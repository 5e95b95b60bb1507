//! Archives as a whole: index, members, names, payloads.

use super::*;

fn index_of(members: &Members) -> String {
    index_lines(Format::Ustar, members, ["b'0'", "b'5'"])
}

fn with_index(members: &Members, lines: &str) -> Vec<u8> {
    indexed(Format::Ustar, members, Some("pkg5.archive.version.0"), &gzip(lines.as_bytes()))
}

fn keep(members: &Members, wanted: impl Fn(&str, bool) -> bool) -> Members {
    members.iter().filter(|(name, data)| wanted(name, data.is_none())).cloned().collect()
}

/// An archive whose file has this positional hash and these payload attributes; the payload lies under the hash.
fn with_payload(hash: &str, attributes: &str) -> Vec<u8> {
    complete(&members(&manifest(hash, attributes), VERSION, hash, &gzip(CONTENT)))
}

fn with_version(version: &str) -> Vec<u8> {
    let name = sha1(CONTENT);
    let manifest = manifest(&name, &described()).replace(VERSION, version);
    complete(&members(&manifest, version, &name, &gzip(CONTENT)))
}

#[test]
fn an_archive_as_pkgrecv_makes_it_has_no_findings() {
    accepted("A", &complete(&good_members()), &[]);
}

#[test]
fn fractional_times_and_plain_index_types_are_accepted() {
    let members = good_members();
    let comment = Some("pkg5.archive.version.0");
    let lines = index_lines(Format::Pax, &members, ["b'0'", "b'5'"]);
    accepted("A2", &indexed(Format::Pax, &members, comment, &gzip(lines.as_bytes())), &[]);
    let lines = index_lines(Format::Ustar, &members, ["0", "5"]);
    accepted("A3", &indexed(Format::Ustar, &members, comment, &gzip(lines.as_bytes())), &[]);
}

#[test]
fn archives_without_index_or_repository_file_are_accepted() {
    let members = good_members();
    accepted("B", &plain(Format::Ustar, &members), &["index-missing"]);
    let bare = keep(&members, |name, _| name != "pkg5.repository");
    accepted("C", &plain(Format::Ustar, &bare), &["index-missing", "repository-missing"]);
    accepted("C2", &complete(&bare), &["repository-missing"]);
}

#[test]
fn the_publishers_directory_is_the_only_one_needed_and_may_come_last() {
    let members = good_members();
    let mut minimal = keep(&members, |name, dir| !dir || name == "publisher/example");
    accepted("D", &plain(Format::Ustar, &minimal), &["index-missing"]);
    let dir = minimal.remove(0);
    minimal.push(dir);
    accepted("D2", &plain(Format::Ustar, &minimal), &["index-missing"]);
    let none = keep(&members, |_, dir| !dir);
    refused("E", &plain(Format::Ustar, &none), &["publisher-missing"]);
    refused("E2", &complete(&none), &["publisher-missing"]);
    let mut other = none.clone();
    other.push(("publisher/other".to_owned(), None));
    refused("another publisher's directory", &plain(Format::Ustar, &other), &["publisher-missing"]);
}

#[test]
fn all_common_tar_formats_are_accepted() {
    let members = good_members();
    accepted("F", &plain(Format::Ustar, &members), &["index-missing"]);
    accepted("F2", &indexed(Format::Ustar, &members, None, &gzip(index_of(&members).as_bytes())), &["index-comment"]);
    accepted("F3", &plain(Format::Gnu, &members), &["index-missing"]);
    accepted("pax", &plain(Format::Pax, &members), &["index-missing"]);
    let mut reversed = members.clone();
    reversed.reverse();
    accepted("U6", &plain(Format::Gnu, &reversed), &["index-missing"]);
}

#[test]
fn names_in_pax_and_gnu_headers_and_in_the_prefix_are_read() {
    let mut tar = Builder::new(Vec::new());
    for (name, data) in good_members() {
        let size = data.as_ref().map_or(0, Vec::len) as u64;
        let long = format!("{name}{}", if data.is_none() { "/" } else { "" });
        let mut header = Header::new_gnu();
        header.set_entry_type(if data.is_some() { EntryType::Regular } else { EntryType::Directory });
        header.set_mode(0o600);
        match long.len() % 3 {
            0 => tar.append_pax_extensions([("path", long.as_bytes()), ("size", size.to_string().as_bytes())]).unwrap(),
            1 => {
                let mut link = Header::new_gnu();
                link.set_entry_type(EntryType::GNULongName);
                link.set_size(long.len() as u64 + 1);
                link.set_cksum();
                tar.append(&link, format!("{long}\0").as_bytes()).unwrap();
            }
            _ => {
                header = Header::new_ustar();
                header.set_entry_type(if data.is_some() { EntryType::Regular } else { EntryType::Directory });
                let (prefix, rest) = long.split_once('/').unwrap_or(("", &long));
                let ustar = header.as_ustar_mut().unwrap();
                ustar.prefix[..prefix.len()].copy_from_slice(prefix.as_bytes());
                ustar.name[..rest.len()].copy_from_slice(rest.as_bytes());
            }
        }
        header.set_size(size);
        header.set_cksum();
        tar.append(&header, data.unwrap_or_default().as_slice()).unwrap();
    }
    accepted("long names", &tar.into_inner().unwrap(), &["index-missing"]);
}

#[test]
fn an_index_without_comment_is_ignored_however_wrong() {
    let members = good_members();
    accepted("G", &indexed(Format::Ustar, &members, None, b"not even gzip"), &["index-comment"]);
    accepted("foreign comment", &indexed(Format::Ustar, &members, Some("hello"), b""), &["index-comment"]);
}

#[test]
fn a_trusted_index_must_be_of_version_0_and_true() {
    let members = good_members();
    let lines = index_of(&members);
    let comment = Some("pkg5.archive.version.1");
    refused("G2", &indexed(Format::Ustar, &members, comment, &gzip(lines.as_bytes())), &["index-version"]);
    let comment = Some("pkg5.archive.version.x");
    refused("no number", &indexed(Format::Ustar, &members, comment, &gzip(lines.as_bytes())), &["index-version"]);
    let comment = Some("pkg5.archive.version.0");
    refused("not gzip", &indexed(Format::Ustar, &members, comment, lines.as_bytes()), &["index-corrupt"]);
    refused("no offset", &with_index(&members, &lines.replace("\x000\0", "\0zero\0")), &["index-corrupt"]);
    refused("wrong offset", &with_index(&members, &lines.replace("\x001024\0", "\x001536\0")), &["index-offset"]);
    let missing = lines.split_inclusive('\n').filter(|l| !l.starts_with("pkg5.")).collect::<String>();
    refused("unlisted member", &with_index(&members, &missing), &["index-unlisted"]);
    let surplus = lines.replace("pkg5.repository", "pkg5.elsewhere");
    refused("listed and absent", &with_index(&members, &surplus), &["index-unlisted", "index-entry"]);
    refused("unfinished", &with_index(&members, &format!("{lines}publisher")), &["index-corrupt"]);
    refused(
        "huge offset",
        &with_index(&members, &lines.replacen("\x000\0", "\x0018446744073709551615\0", 1)),
        &["index-offset"],
    );
}

#[test]
fn payloads_are_gzip_of_any_making() {
    let name = sha1(CONTENT);
    let sizes = format!("pkg.size={}", CONTENT.len());
    refused("H", &complete(&members(&manifest(&name, &sizes), VERSION, &name, CONTENT)), &["payload-gzip"]);
    let mut out = flate2::GzBuilder::new().filename("web").mtime(7).write(Vec::new(), flate2::Compression::fast());
    out.write_all(CONTENT).unwrap();
    accepted("I", &complete(&members(&manifest(&name, &sizes), VERSION, &name, &out.finish().unwrap())), &[]);
    let mut damaged = gzip(CONTENT);
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    refused("damaged", &complete(&members(&manifest(&name, &sizes), VERSION, &name, &damaged)), &["payload-gzip"]);
}

#[test]
fn some_description_of_the_payload_is_enough() {
    let (name, gz) = (sha1(CONTENT), gzip(CONTENT));
    let chash = format!("chash={}", sha1(&gz));
    let content_hash = format!(
        "pkg.content-hash=file:sha512t_256:{} pkg.content-hash=gzip:sha512t_256:{}",
        sha512t(CONTENT),
        sha512t(&gz)
    );
    let sha256s =
        format!("pkg.content-hash=file:sha256:{} pkg.content-hash=gzip:sha256:{}", sha256(CONTENT), sha256(&gz));
    let csize = format!("pkg.csize={}", gz.len());
    let size = format!("pkg.size={}", CONTENT.len());
    for (row, attributes) in [
        ("J", format!("{content_hash} {csize} {size}")),
        ("J2", format!("{chash} {csize} {size}")),
        ("J3", format!("{chash} {content_hash} {size}")),
        ("J4", format!("{chash} {content_hash} {csize}")),
        ("J6", format!("{chash} {sha256s} {csize} {size}")),
        ("T1", format!("{csize} {size}")),
        ("T7", csize.clone()),
        ("T8", size),
    ] {
        accepted(row, &with_payload(&name, &attributes), &[]);
    }
    for (row, attributes) in [("J5", ""), ("T2", &chash), ("T3", &content_hash)] {
        refused(row, &with_payload(&name, attributes), &["payload-size-unknown"]);
    }
}

#[test]
fn wrong_sizes_and_old_hashes_count_only_without_a_content_hash() {
    let name = sha1(CONTENT);
    let right = described();
    let wrong = "f".repeat(40);
    let chash = format!("chash={}", sha1(&gzip(CONTENT)));
    let sizes = right.replace("pkg.size=", "pkg.size=1").replace("pkg.csize=", "pkg.csize=1");
    accepted("J7", &with_payload(&name, &sizes), &["payload-size", "payload-size"]);
    let text = right.replace("pkg.size=", "pkg.size=x");
    refused("size not a number", &with_payload(&name, &text), &["payload-size"]);
    accepted("J8", &with_payload(&name, &right.replace(&chash, &format!("chash={wrong}"))), &["payload-chash"]);
    let bare = format!("chash={wrong} pkg.size={}", CONTENT.len());
    refused("J9", &with_payload(&name, &bare), &["payload-chash"]);
    accepted("M", &with_payload(&wrong, &right), &["payload-hash"]);
    accepted("M2", &with_payload(&sha512t(CONTENT), &right), &[]);
    accepted("M3", &with_payload(&sha256(CONTENT), &right), &[]);
    accepted("T9", &with_payload(&sha256(CONTENT), right.trim_start_matches(&chash)), &[]);
    refused("T4", &with_payload(&wrong, &format!("pkg.size={}", CONTENT.len())), &["payload-hash"]);
    let content = right.replace(&sha512t(CONTENT), &sha512t(b"other"));
    refused("content hash of the file", &with_payload(&name, &content), &["payload-content-hash"]);
    let content = right.replace(&sha512t(&gzip(CONTENT)), &sha512t(b"other"));
    refused("content hash of the gzip", &with_payload(&name, &content), &["payload-content-hash"]);
}

#[test]
fn payloads_must_be_named_and_there() {
    let mut lost = good_members();
    lost.retain(|(name, _)| !name.ends_with(&sha1(CONTENT)));
    refused("no payload", &complete(&lost), &["payload-missing"]);
    let name = sha1(CONTENT);
    let nameless = manifest("", &described()).replace("file  ", "file ");
    let report = report(&complete(&members(&nameless, VERSION, &name, &gzip(CONTENT))));
    assert_eq!(ids(&report, Level::Error), ["payload-unnamed"], "T5");
    assert_eq!(ids(&report, Level::Warning), ["payload-unused"], "T5");
}

#[test]
fn the_place_names_the_package_whatever_pkg_fmri_says() {
    let name = sha1(CONTENT);
    let full = manifest(&name, &described());
    let archive = |text: &str| complete(&members(text, VERSION, &name, &gzip(CONTENT)));
    accepted("K", &archive(&full.replace("pkg://example/", "pkg:/")), &[]);
    let without = full.split_inclusive('\n').skip(1).collect::<String>();
    accepted("K2", &archive(&without), &["fmri-missing"]);
    accepted("K3", &archive(&full.replace("service/web@1.0", "service/other@2")), &["fmri-mismatch"]);
    assert_eq!(report(&archive(&without)).packages[0].fmri(), format!("pkg://example/service/web@{VERSION}"));
}

#[test]
fn versions_need_a_build_release_and_numbers() {
    accepted("L", &with_version("0.19,5.11"), &["version-timestamp"]);
    accepted("L3", &with_version("0.19,5.11-1:20260101T000000Z"), &[]);
    refused("L2", &with_version("0.19:20260101T000000Z"), &["version-build"]);
    refused("L4", &with_version("0.19-1:20260101T000000Z"), &["version-build"]);
    for (row, version) in [("L5", "0.09"), ("L6", "0.19a")] {
        refused(row, &with_version(&format!("{version},5.11:20260101T000000Z")), &["version"]);
    }
    let mut lower = good_members();
    lower[4].0 = lower[4].0.replace("%2F", "%2f");
    refused("lower-case quoting", &complete(&lower), &["member-quoting"]);
}

#[test]
fn a_compressed_archive_is_refused() {
    let archive = gzip(&complete(&good_members()));
    refused("P", &archive, &["archive-gzip"]);
}

#[test]
fn names_with_a_leading_dot_hide_everything() {
    let dotted: Members = good_members().into_iter().map(|(name, data)| (format!("./{name}"), data)).collect();
    refused("R", &plain(Format::Ustar, &dotted), &["publisher-missing", "package-missing"]);
    refused("U5", &plain(Format::Gnu, &dotted), &["publisher-missing", "package-missing"]);
}

#[test]
fn a_missing_summary_is_pkglints_affair() {
    let name = sha1(CONTENT);
    let text = manifest(&name, &described()).replace("set name=pkg.summary", "set name=pkg.human-version");
    accepted("S", &complete(&members(&text, VERSION, &name, &gzip(CONTENT))), &["summary-missing"]);
}

#[test]
fn unsafe_members_are_refused() {
    let add = |name: &str| {
        let mut members = good_members();
        members.push((name.to_owned(), Some(b"x".to_vec())));
        complete(&members)
    };
    refused("absolute", &add("/etc/passwd"), &["member-absolute"]);
    refused("parent", &add("publisher/../../etc/passwd"), &["member-escape"]);
    accepted("unknown", &add("README"), &["member-unknown"]);
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Fifo] {
        let mut tar = Builder::new(Vec::new());
        for (name, data) in good_members() {
            append(
                &mut tar,
                Format::Ustar,
                &format!("{name}{}", if data.is_none() { "/" } else { "" }),
                data.as_deref(),
            );
        }
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_path("publisher/example/link").unwrap();
        header.set_link_name("/etc").unwrap();
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, io::empty()).unwrap();
        refused("link or device", &tar.into_inner().unwrap(), &["member-type"]);
    }
}

#[test]
fn the_caller_sees_every_payload_and_may_stop() {
    let archive = complete(&good_members());
    let mut seen = Vec::new();
    let mut look = |delivery: &Delivery<'_>, content: &mut dyn Read| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        seen.push((delivery.action.value("path").unwrap().to_owned(), bytes));
        Ok(())
    };
    let report = read(&mut Cursor::new(&archive), &mut look).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(seen, [("lib/svc/method/web".to_owned(), CONTENT.to_vec())]);
    let error = read(&mut Cursor::new(&archive), &mut |_, _| Err(io::Error::other("enough"))).unwrap_err();
    assert_eq!(error.to_string(), "enough");
}

#[test]
fn damage_met_by_the_caller_is_a_finding_and_not_its_error() {
    let name = sha1(CONTENT);
    let members = members(&manifest(&name, "pkg.size=1"), VERSION, &name, b"not gzip");
    let mut look = |_: &Delivery<'_>, content: &mut dyn Read| io::copy(content, &mut io::sink()).map(drop);
    let report = read(&mut Cursor::new(complete(&members)), &mut look).unwrap();
    assert_eq!(ids(&report, Level::Error), ["payload-gzip"]);
}

#[test]
fn a_configuration_for_somebody_else_is_noticed() {
    let mut members = good_members();
    members.last_mut().unwrap().1 = Some(b"[publisher]\nprefix = other\n[repository]\nversion = 3\n".to_vec());
    accepted("configuration", &complete(&members), &["repository-publisher", "repository-version"]);
}

#[test]
fn the_last_of_two_members_counts() {
    let mut members = good_members();
    members.insert(4, (version_path(VERSION), Some(b"set name=a\n".to_vec())));
    let report = report(&plain(Format::Ustar, &members));
    assert!(report.is_accepted(), "{:#?}", report.findings);
    assert_eq!(report.packages.len(), 1);
    assert!(report.packages[0].manifest.starts_with("set name=pkg.fmri"));
    assert!(ids(&report, Level::Warning).contains(&"member-twice"));
}
