//! How a program's end comes back over a line that others write on as well: in a frame with checksums, in hexadecimal.
//!
//! ```text
//! @@begin 7
//! o:68656c6c6f0a            standard output, sixteen bytes a line
//! e:                        standard error
//! @@end 7 0 1234 6 4294967295 0        exit status, or "unfinished"; POSIX checksum and size of either
//! ```
//!
//! A kernel's message between two lines is skipped; one that hits a line shows in the checksum, and the frame is asked for
//! again. Pure; the guest's part of it is [`AGENT`], for any POSIX shell.

use crc::{CRC_32_CKSUM, Crc};

use crate::smoke::target::Ran;

/// Bytes of either stream that are brought back.
pub const LONGEST_OUTPUT: usize = 128 * 1024;
/// Consoles in canonical mode take no longer lines: 256 bytes on illumos.
const LONGEST_LINE: usize = 200;

/// What the guest's shell runs: `agent FOLDER ID [CHECKSUM-OF-COMMAND CHECKSUM-OF-INPUT]`. With checksums it runs the
/// command in the folder, if it has come over whole; without, it shows the last one's end again. Every program that it
/// starts costs an emulated processor some 30 ms, at every step.
pub const AGENT: &str = r#"cd "$1" || exit 1
id=$2
shorten() {
    for s in o e; do
        if [ -s all.$s ]; then dd if=all.$s of=cut.$s bs=1024 count=128 2>/dev/null; else : >cut.$s; fi
    done
}
if [ $# -gt 2 ]; then
    # Whatever stands between the numbers.
    set -- "$1" "$2" "$3 $4 command $5 $6 input" `cksum command input`
    if [ "$3" != "$4 $5 $6 $7 $8 $9" ]; then
        printf '@@%s %s\n' garbled "$id"
        exit 0
    fi
    rm -f status
    (cd /; /bin/sh "$1/command") <input >all.o 2>all.e
    echo $? >status
    shorten
fi
if [ -f status ]; then
    read status <status
else
    # It was ended: this is what it had said.
    status=unfinished
    shorten
fi
printf '@@%s %s\n' begin "$id"
for s in o e; do [ ! -s cut.$s ] || od -An -v -tx1 cut.$s | sed "s/[ 	]//g;s/^/$s:/"; done
set -- `cksum cut.o cut.e`
printf '@@%s %s %s %s %s %s %s\n' end "$id" "$status" "$1" "$2" "$4" "$5"
"#;

/// The checksum that `cksum` prints.
pub fn cksum(bytes: &[u8]) -> u32 {
    let crc = Crc::<u32>::new(&CRC_32_CKSUM);
    let mut digest = crc.digest();
    digest.update(bytes);
    let mut length = bytes.len();
    while length > 0 {
        digest.update(&[(length & 0xff) as u8]);
        length >>= 8;
    }
    digest.finalize()
}

/// Checksum and size, as `cksum` shows them of its standard input.
pub fn summed(bytes: &[u8]) -> String {
    format!("{} {}", cksum(bytes), bytes.len())
}

/// Shell lines that write a file, each short enough for a console.
pub fn lines_that_write(path: &str, content: &[u8]) -> Vec<String> {
    let mut lines = vec![format!(": >{path}")];
    let end = format!("' >>{path}");
    let mut line = String::new();
    for &byte in content {
        let shown = match byte {
            b'%' => "%%".to_string(),
            b'\'' | b'\\' | 0..=0x1f | 0x7f.. => format!("\\{byte:03o}"),
            plain => char::from(plain).to_string(),
        };
        if line.len() + shown.len() + end.len() > LONGEST_LINE {
            lines.push(format!("{line}{end}"));
            line.clear();
        }
        if line.is_empty() {
            line.push_str("printf '");
        }
        line.push_str(&shown);
    }
    if !line.is_empty() {
        lines.push(format!("{line}{end}"));
    }
    lines
}

/// What a console says of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Whole(Ran),
    /// It came, but not unharmed.
    Damaged,
    /// The command itself did not arrive unharmed, and was not run.
    Garbled,
    /// The program was ended before it ended by itself: what it had said, on either stream.
    Unfinished(String, String),
}

/// Looks for the frame with this number; also says how much of the text it ends after.
pub fn find(text: &str, id: u32) -> Option<(Found, usize)> {
    let garbled = format!("@@garbled {id}\n");
    if let Some(at) = text.find(&garbled) {
        return Some((Found::Garbled, at + garbled.len()));
    }
    let begin = format!("@@begin {id}\n");
    let end = format!("@@end {id} ");
    let ends = text.find(&end)?;
    let line_end = ends + text[ends..].find('\n')? + 1;
    // Without its beginning a frame is not whole.
    let body = text.find(&begin).filter(|at| *at < ends).map_or("", |at| &text[at + begin.len()..ends]);
    let verdict = text[ends + end.len()..line_end].trim_end();
    Some((decode(body, verdict).unwrap_or(Found::Damaged), line_end))
}

fn decode(body: &str, verdict: &str) -> Option<Found> {
    let (status, sums) = verdict.split_once(' ')?;
    let numbers: Vec<u32> = sums.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [out_sum, out_size, err_sum, err_size] = numbers[..] else { return None };
    let stream = |mark: &str, sum: u32, size: u32| {
        let bytes = body.lines().filter_map(|line| hex(line.strip_prefix(mark)?)).flatten().collect::<Vec<u8>>();
        (bytes.len() == size as usize && cksum(&bytes) == sum).then(|| String::from_utf8_lossy(&bytes).into_owned())
    };
    let (stdout, stderr) = (stream("o:", out_sum, out_size)?, stream("e:", err_sum, err_size)?);
    if status == "unfinished" {
        return Some(Found::Unfinished(stdout, stderr));
    }
    // A shell's exit status is never negative.
    let status = i32::from(status.parse::<u16>().ok()?);
    Some(Found::Whole(Ran { status, stdout, stderr }))
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::try_from(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?).ok()).collect()
}

#[cfg(test)]
mod tests;
