//! `showvminfo UUID --machinereadable`.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::{ParseError, lines, text};
use crate::virtualbox::{State, Uuid};

/// What this program wants to know of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    pub name: String,
    pub uuid: Uuid,
    pub state: State,
    /// When the state was reached, as VirtualBox writes it: UTC without a zone.
    pub state_changed: Option<String>,
    /// The kind of front end that holds the machine, while one does: `headless`, `GUI/Qt`, ...
    pub session: Option<String>,
    pub config_file: Option<PathBuf>,
    /// Present in the saved states only.
    pub state_file: Option<PathBuf>,
    pub snapshot_folder: Option<PathBuf>,
    pub uarts: Vec<Uart>,
    pub media: Vec<Medium>,
}

/// A serial port that is switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uart {
    /// Counted from 1, as VirtualBox does.
    pub slot: u8,
    pub mode: UartMode,
}

/// What a serial port of the guest is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UartMode {
    /// VirtualBox makes this unix socket and listens on it.
    Server(PathBuf),
    /// VirtualBox connects to this unix socket.
    Client(PathBuf),
    File(PathBuf),
    TcpServer(u16),
    /// `HOST:PORT`
    TcpClient(String),
    Disconnected,
    /// A device of the host, or a mode of another release.
    Other(String),
}

/// A medium in one of the machine's drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    pub controller: String,
    pub port: u32,
    pub device: u32,
    pub path: PathBuf,
    pub uuid: Option<Uuid>,
}

/// Reads a complete answer. The state is that of the first line that is exactly `VMState="word"`: the value of a name
/// may imitate one on a line of its own, but VirtualBox escapes the quotes in it.
pub fn info(output: &[u8]) -> Result<Info, ParseError> {
    let records = records(output)?;
    let value = |key: &str| records.iter().find(|r| r.key == key.as_bytes()).map(|r| r.value.as_ref());
    let string = |key| value(key).and_then(|v| std::str::from_utf8(v).ok()).map(str::to_string);
    let path = |key| value(key).map(to_path);
    let state = records.iter().find(|r| r.key == b"VMState" && !r.quoted_key && is_state_word(&r.value));
    let state = state.ok_or(ParseError::NoState)?;
    Ok(Info {
        name: text(value("name").ok_or(ParseError::Missing("name"))?)?.to_string(),
        uuid: string("UUID").and_then(|u| u.parse().ok()).ok_or(ParseError::Missing("UUID"))?,
        state: State::parse(&String::from_utf8_lossy(&state.value)),
        state_changed: string("VMStateChangeTime"),
        session: string("SessionName"),
        config_file: path("CfgFile"),
        state_file: path("VMStateFile"),
        snapshot_folder: path("SnapFldr"),
        uarts: uarts(&records),
        media: media(&records),
    })
}

/// One `key="value"` line.
struct Record<'a> {
    key: &'a [u8],
    quoted_key: bool,
    value: Cow<'a, [u8]>,
}

/// The records up to the description. It and the snapshots' names come last and are free text, some of it not even
/// escaped, and nothing this program needs stands behind them.
fn records(output: &[u8]) -> Result<Vec<Record<'_>>, ParseError> {
    let mut records = Vec::new();
    let mut lines = lines(output)?;
    while let Some(line) = lines.next() {
        if line.starts_with(b"description=\"") || line.starts_with(b"SnapshotName") {
            break;
        }
        let Some((key, quoted_key, raw)) = split_record(line) else { continue };
        let mut raw = Cow::Borrowed(raw);
        // Of what is needed here, only a name can hold line breaks.
        while key == b"name" && !quoted_key && closed(&raw).is_none() {
            let whole = raw.to_mut();
            whole.push(b'\n');
            whole.extend_from_slice(lines.next().ok_or(ParseError::CutOff)?);
        }
        if let Some(value) = closed(&raw) {
            let value = unescape(value);
            records.push(Record { key, quoted_key, value: Cow::Owned(value) });
        }
    }
    Ok(records)
}

/// Splits `key="value...` or `"key"="value...` to key, whether it was quoted, and all behind the value's first quote.
fn split_record(line: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    if let Some(quoted) = line.strip_prefix(b"\"") {
        let end = quoted.windows(3).position(|w| w == b"\"=\"")?;
        return Some((quoted.get(..end)?, true, quoted.get(end + 3..)?));
    }
    let end = line.windows(2).position(|w| w == b"=\"")?;
    let key = line.get(..end)?;
    (!key.contains(&b'=')).then_some((key, false, line.get(end + 2..)?))
}

/// The value, when its closing quote is there: a quote at the end that is not escaped.
fn closed(raw: &[u8]) -> Option<&[u8]> {
    let value = raw.strip_suffix(b"\"")?;
    let backslashes = value.iter().rev().take_while(|&&b| b == b'\\').count();
    backslashes.is_multiple_of(2).then_some(value)
}

fn unescape(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next_if(|&next| matches!(next, b'"' | b'\\')) } else { None };
        plain.push(escaped.unwrap_or(byte));
    }
    plain
}

fn is_state_word(value: &[u8]) -> bool {
    value.iter().all(|&b| b.is_ascii_lowercase() || b == b'-')
}

fn to_path(value: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(value.to_vec()))
}

/// `uartmode1="server,/run/console"` for each port that is not off.
fn uarts(records: &[Record<'_>]) -> Vec<Uart> {
    let mut uarts: Vec<Uart> = Vec::new();
    for record in records.iter().filter(|r| !r.quoted_key) {
        let slot = record.key.strip_prefix(b"uartmode").and_then(|s| std::str::from_utf8(s).ok());
        let Some(slot) = slot.and_then(|s| s.parse().ok()) else { continue };
        if !uarts.iter().any(|u| u.slot == slot) {
            uarts.push(Uart { slot, mode: uart_mode(&record.value) });
        }
    }
    uarts
}

fn uart_mode(value: &[u8]) -> UartMode {
    let shown = || String::from_utf8_lossy(value).into_owned();
    let comma = value.iter().position(|&b| b == b',');
    let (word, rest) = match comma.and_then(|at| Some((value.get(..at)?, value.get(at + 1..)?))) {
        None if value == b"disconnected" => return UartMode::Disconnected,
        None => return UartMode::Other(shown()),
        Some(parts) => parts,
    };
    match word {
        b"server" => UartMode::Server(to_path(rest)),
        b"client" => UartMode::Client(to_path(rest)),
        b"file" => UartMode::File(to_path(rest)),
        b"tcpclient" => UartMode::TcpClient(String::from_utf8_lossy(rest).into_owned()),
        b"tcpserver" => {
            let port = std::str::from_utf8(rest).ok().and_then(|p| p.parse().ok());
            port.map_or_else(|| UartMode::Other(shown()), UartMode::TcpServer)
        }
        _ => UartMode::Other(shown()),
    }
}

/// `"CONTROLLER-PORT-DEVICE"="/path"`. Controllers' names may hold hyphens and VirtualBox puts flags of a drive under
/// keys of the same form (`"SATA-hot-pluggable-0-0"="off"`), so only a key made of the name of a controller that the
/// machine has counts, and only an absolute path: `none` and `emptydrive` are no media.
fn media(records: &[Record<'_>]) -> Vec<Medium> {
    let controllers: Vec<&[u8]> = records
        .iter()
        .filter(|r| !r.quoted_key && r.key.starts_with(b"storagecontrollername"))
        .map(|r| r.value.as_ref())
        .collect();
    let mut media: Vec<Medium> = Vec::new();
    for record in records.iter().filter(|r| r.quoted_key && r.value.starts_with(b"/")) {
        let key = unescape(record.key);
        let Some((controller, port, device)) = drive(&key, &controllers) else { continue };
        let name = String::from_utf8_lossy(controller).into_owned();
        if media.iter().any(|m| m.controller == name && (m.port, m.device) == (port, device)) {
            continue;
        }
        let uuid_key = [controller, format!("-ImageUUID-{port}-{device}").as_bytes()].concat();
        let uuid = records.iter().find(|r| r.quoted_key && unescape(r.key) == uuid_key);
        let uuid = uuid.and_then(|r| std::str::from_utf8(&r.value).ok()).and_then(|u| u.parse().ok());
        media.push(Medium { controller: name, port, device, path: to_path(&record.value), uuid });
    }
    media
}

fn drive<'a>(key: &[u8], controllers: &[&'a [u8]]) -> Option<(&'a [u8], u32, u32)> {
    controllers.iter().find_map(|controller| {
        let place = std::str::from_utf8(key.strip_prefix(*controller)?.strip_prefix(b"-")?).ok()?;
        let (port, device) = place.split_once('-')?;
        Some((*controller, port.parse().ok()?, device.parse().ok()?))
    })
}
