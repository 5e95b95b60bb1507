//! Fetching from a server on loopback, which serves ranges and breaks off where it is told to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

use super::*;

type Files = BTreeMap<&'static str, Vec<u8>>;

/// Serves until the test's process ends; tells what was asked for. `torn` files break off in the middle, once.
fn serve(files: Files, torn: Option<&'static str>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, mut torn) = (asked.clone(), torn);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_string();
            let range = lines.take_while(|line| !line.is_empty()).find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("range: bytes=")?.trim_end_matches('-').parse::<usize>().ok()
            });
            log.lock().unwrap().push(format!("{path} {}", range.unwrap_or(0)));
            let mut stream = stream;
            let Some(content) = files.get(path.trim_start_matches('/')) else {
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                continue;
            };
            let rest = &content[range.unwrap_or(0).min(content.len())..];
            let status = range.map_or("200 OK".to_string(), |from| {
                format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{}", content.len() - 1, content.len())
            });
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", rest.len());
            let breaks = torn.take_if(|name| path.ends_with(*name)).is_some();
            let sent = if breaks { &rest[..rest.len() / 2] } else { rest };
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
        }
    });
    (address, asked)
}

fn wanted(address: &str) -> profile::Image {
    profile::Image {
        url: format!("{address}/disk"),
        megabytes: None,
        sha256: None,
        sha256_url: Some(format!("{address}/disk.sha256")),
        packed: Packed::No,
        key_url: None,
    }
}

fn disk() -> Vec<u8> {
    (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

fn sum(content: &[u8]) -> Vec<u8> {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02X}")).collect();
    format!("{hex}  disk\n").into_bytes()
}

fn there(folder: &tempfile::TempDir) -> Kept {
    Kept::of(folder.path(), "some")
}

fn curl() -> &'static Path {
    Path::new("curl")
}

#[test]
fn an_interrupted_download_goes_on_where_it_ended_and_is_checked_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let kept = there(&folder);
    let (address, asked) = serve([("disk", disk()), ("disk.sha256", sum(&disk()))].into(), Some("disk"));
    let wanted = wanted(&address);
    let error = fetch(curl(), &kept, &wanted).unwrap_err().to_string();
    assert!(error.contains("again"), "{error}");
    assert!(kept.image(&wanted).is_err());
    assert_eq!(kept.begun(), Some(150_000));
    let fetched = fetch(curl(), &kept, &wanted).unwrap();
    assert!(fetched.is_published);
    assert_eq!(fs::read(kept.image(&wanted).unwrap()).unwrap(), disk());
    assert_eq!(kept.begun(), None);
    assert_eq!(asked.lock().unwrap().last().unwrap(), "/disk 150000");
    assert_eq!(fs::metadata(&fetched.image).unwrap().permissions().mode() & 0o777, 0o444);
    let moved = profile::Image { url: "https://elsewhere/disk".into(), ..wanted };
    assert!(kept.image(&moved).unwrap_err().to_string().contains("smoke fetch some"), "another image is wanted now");
}

#[test]
fn what_has_another_checksum_is_put_aside_and_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let kept = there(&folder);
    let (address, _) = serve([("disk", disk()), ("disk.sha256", sum(b"other"))].into(), None);
    let wanted = wanted(&address);
    let error = fetch(curl(), &kept, &wanted).unwrap_err();
    let FetchError::WrongChecksum { aside, .. } = &error else { panic!("{error}") };
    assert_eq!(fs::read(aside).unwrap(), disk());
    assert!(kept.image(&wanted).is_err() && kept.begun().is_none());
    let (address, _) = serve([("disk", disk()), ("disk.sha256", b"<html>".to_vec())].into(), None);
    let error = fetch(curl(), &kept, &self::wanted(&address)).unwrap_err().to_string();
    assert!(error.ends_with("disk.sha256 holds no SHA-256"), "{error}");
}

#[test]
fn what_is_not_there_and_a_curl_that_is_not_there_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let kept = there(&folder);
    let (address, _) = serve([("disk.sha256", sum(&disk()))].into(), None);
    let error = fetch(curl(), &kept, &wanted(&address)).unwrap_err().to_string();
    assert!(error.contains("/disk was not fetched") && error.contains("22"), "{error}");
    let error = fetch(Path::new("/no/curl"), &kept, &wanted(&address)).unwrap_err().to_string();
    assert!(error.starts_with("cannot run /no/curl"), "{error}");
}

#[test]
fn a_packed_image_is_unpacked_and_its_key_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, disk()).unwrap();
    let Ok(packed) = Command::new("zstd").args(["-q", "-c", "--"]).arg(&plain).output() else {
        eprintln!("not run: no zstd here");
        return;
    };
    let kept = there(&folder);
    let files = [("disk", packed.stdout), ("key", b"-----BEGIN".to_vec()), ("bad", b"no zstd".to_vec())];
    let (address, _) = serve(files.into(), None);
    let wanted = profile::Image {
        packed: Packed::Zst,
        sha256_url: None,
        key_url: Some(format!("{address}/key")),
        ..wanted(&address)
    };
    let fetched = fetch(curl(), &kept, &wanted).unwrap();
    assert!(!fetched.is_published, "nobody has told its checksum");
    assert_eq!(fs::read(kept.image(&wanted).unwrap()).unwrap(), disk());
    assert_eq!(fs::metadata(kept.key()).unwrap().permissions().mode() & 0o777, 0o600);
    let bad = profile::Image { url: format!("{address}/bad"), ..wanted };
    let error = fetch(curl(), &kept, &bad).unwrap_err().to_string();
    assert!(error.contains("cannot unpack"), "{error}");
    assert!(kept.image(&bad).is_err());
}

#[test]
fn curl_is_kept_on_https_and_within_bounds() {
    let words = arguments("https://x/y", Path::new("/o"), 7, false);
    let after = |word: &str| words.iter().skip_while(|other| *other != word).nth(1).cloned();
    assert_eq!(after("--proto-redir").as_deref(), Some("=https"));
    assert_eq!(after("--max-filesize").as_deref(), Some("7"));
    assert_eq!(after("--continue-at").as_deref(), Some("-"));
    assert_eq!(words.last().map(String::as_str), Some("https://x/y"));
}

#[test]
fn a_checksum_is_found_in_each_form_that_is_published() {
    let hex = "a".repeat(64);
    for text in [hex.clone(), format!("{hex}  disk.img\n"), format!("SHA256 (disk) = {}\n", hex.to_uppercase())] {
        assert_eq!(checksum_in(&text), Some(hex.clone()));
    }
    assert_eq!(checksum_in("not found"), None);
}
