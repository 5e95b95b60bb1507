use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// The frame that a guest's agent would send.
fn framed(id: u32, ran: &Ran) -> String {
    let stream = |mark: &str, text: &str| -> String {
        let digits = |chunk: &[u8]| chunk.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        text.as_bytes().chunks(16).map(|chunk| format!("{mark}:{}\n", digits(chunk))).collect()
    };
    let (out, err) = (summed(ran.stdout.as_bytes()), summed(ran.stderr.as_bytes()));
    let (o, e) = (stream("o", &ran.stdout), stream("e", &ran.stderr));
    format!("@@begin {id}\n{o}{e}@@end {id} {} {out} {err}\n", ran.status)
}

fn ran() -> Ran {
    Ran { status: 3, stdout: "one\ntwo, which is a longer line\n".into(), stderr: "gr\u{fc}n".into() }
}

#[test]
fn the_checksum_is_that_of_cksum() {
    for content in [b"".as_slice(), b"a", b"hello\n", &[0xff; 1000]] {
        let mut child = Command::new("cksum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), summed(content));
    }
}

#[test]
fn a_frame_is_found_between_other_things() {
    let text = format!("noise @@begin 6\n{}rest", framed(7, &ran()));
    let (found, length) = find(&text, 7).unwrap();
    assert_eq!(found, Found::Whole(ran()));
    assert_eq!(&text[length..], "rest");
    assert_eq!(find(&text, 6), None);
}

#[test]
fn an_unfinished_frame_is_waited_for() {
    let frame = framed(7, &ran());
    for end in 0..frame.len() {
        assert_eq!(find(&frame[..end], 7), None, "{end}");
    }
}

#[test]
fn what_the_agent_says_instead_of_a_frame_is_told() {
    assert_eq!(find("x@@garbled 7\n", 7), Some((Found::Garbled, 13)));
    let unfinished = framed(7, &ran()).replace("@@end 7 3 ", "@@end 7 unfinished ");
    let (found, _) = find(&unfinished, 7).unwrap();
    assert_eq!(found, Found::Unfinished(ran().stdout, ran().stderr));
    assert_eq!(find("@@garbled 8\n", 7), None);
}

#[test]
fn a_frame_without_its_beginning_is_damaged() {
    let frame = framed(7, &ran()).replace("@@begin", "@@bIgin");
    assert_eq!(find(&frame, 7).unwrap().0, Found::Damaged);
}

#[test]
fn a_shell_writes_exactly_the_content_by_short_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let content: Vec<u8> = (0..=255).chain(b"it's 100% \\n done".iter().copied()).cycle().take(3000).collect();
    let lines = lines_that_write(path.to_str().unwrap(), &content);
    assert!(lines.iter().all(|line| line.len() <= LONGEST_LINE && line.is_ascii()));
    assert!(Command::new("sh").args(["-c", &lines.join("\n")]).status().unwrap().success());
    assert_eq!(std::fs::read(path).unwrap(), content);
}

proptest! {
    /// Whatever a kernel says in between, output comes over as it is or is known to be damaged; never changed.
    #[test]
    fn noise_never_changes_what_is_read(
        noise in prop::collection::vec((0usize..400, "[ -~\n]{0,30}"), 0..6),
        status in 0i32..256, stdout in "\\PC{0,120}", stderr in "\\PC{0,40}",
    ) {
        let ran = Ran { status, stdout, stderr };
        let mut text = framed(7, &ran);
        for (at, said) in noise {
            let mut at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.insert_str(at, &said);
        }
        if let Some((Found::Whole(read), _)) = find(&text, 7) {
            prop_assert_eq!(read.stdout, ran.stdout);
            prop_assert_eq!(read.stderr, ran.stderr);
        }
    }

    #[test]
    fn whole_lines_of_noise_do_no_harm(at in 0usize..5, said in "[ -~]{0,40}") {
        prop_assume!(!said.starts_with("o:") && !said.starts_with("e:") && !said.contains("@@"));
        let frame = framed(7, &ran());
        let mut lines: Vec<&str> = frame.lines().collect();
        lines.insert(at.min(lines.len() - 1), &said);
        let text = lines.join("\n") + "\n";
        prop_assert_eq!(find(&text, 7).unwrap().0, Found::Whole(ran()));
    }
}
