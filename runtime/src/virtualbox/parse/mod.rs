//! Pure readers of what VBoxManage prints. Bytes in, facts out: no program is run here and no file is opened.
//!
//! VirtualBox escapes little: names go into the lists raw, line breaks and quotes included, and under a locale without
//! UTF-8 the output simply ends at the first other character, with exit status 0. So every reader here is anchored on
//! what VirtualBox itself writes, skips lines it does not know (wrappers print warnings on standard output), and
//! refuses an answer that was cut off.

mod info;
mod lists;

pub use info::{Info, Medium, Uart, UartMode, info};
pub use lists::{HardDisk, LongEntry, ShortEntry, hard_disks, long_list, short_list};

/// Why an answer of VBoxManage, although it came with success, tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("the answer is cut off: under a locale without UTF-8 VBoxManage stops at the first other character")]
    CutOff,
    #[error("a name in the answer is not UTF-8: VBoxManage needs a UTF-8 locale")]
    NotUtf8,
    #[error("the answer has no line VMState=\"...\"")]
    NoState,
    #[error("the answer has no usable {0} line")]
    Missing(&'static str),
}

/// The lines of a complete output. VBoxManage ends every line it prints, so a last line without an end was cut.
fn lines(output: &[u8]) -> Result<impl Iterator<Item = &[u8]>, ParseError> {
    let body = match output.split_last() {
        None => output,
        Some((b'\n', body)) => body,
        Some(_) => return Err(ParseError::CutOff),
    };
    Ok(body.split(|&b| b == b'\n').take(if output.is_empty() { 0 } else { usize::MAX }))
}

fn text(bytes: &[u8]) -> Result<&str, ParseError> {
    std::str::from_utf8(bytes).map_err(|_| ParseError::NotUtf8)
}

#[cfg(test)]
mod tests;
