//! QEMU's own protocol, as far as a test needs it: greeting, commands, events. Every answer has a bound.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thiserror::Error;

/// How long QEMU may take to answer; it does so in milliseconds.
const ANSWER: Duration = Duration::from_secs(30);
const SLICE: Duration = Duration::from_millis(200);
/// No message of QEMU's is longer.
const LONGEST: u64 = 1024 * 1024;
/// Events that nobody has asked for are not kept for ever.
const MOST_EVENTS: usize = 256;

#[derive(Debug, Error)]
pub enum QmpError {
    #[error("QEMU did not say within {} s: {what}", limit.as_secs())]
    TimedOut { what: String, limit: Duration },
    #[error("QEMU has closed its control socket")]
    Closed,
    #[error("QEMU refuses {command}: {reason}")]
    Refused { command: String, reason: String },
    #[error("QEMU says what is no message: {0}")]
    Malformed(String),
    #[error("QEMU's control socket cannot be used: {0}")]
    Io(#[from] io::Error),
}

pub struct Qmp {
    stream: BufReader<UnixStream>,
    /// A line whose end has not come yet.
    partial: Vec<u8>,
    events: VecDeque<Event>,
    last: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    pub data: Value,
}

impl Qmp {
    /// Reads the greeting and leaves the negotiation behind.
    pub fn new(stream: UnixStream) -> Result<Self, QmpError> {
        stream.set_read_timeout(Some(SLICE))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let mut qmp = Qmp { stream: BufReader::new(stream), partial: Vec::new(), events: VecDeque::new(), last: 0 };
        let until = Instant::now() + ANSWER;
        let greeting = qmp.message(until, "its greeting", ANSWER)?;
        if greeting.get("QMP").is_none() {
            return Err(QmpError::Malformed(greeting.to_string()));
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Has a command done and gives its answer.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        self.execute_within(command, arguments, ANSWER)
    }

    pub fn execute_within(&mut self, command: &str, arguments: Value, limit: Duration) -> Result<Value, QmpError> {
        self.last += 1;
        let id = self.last;
        let line = json!({ "execute": command, "arguments": arguments, "id": id }).to_string() + "\n";
        match self.stream.get_mut().write_all(line.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(QmpError::Closed),
            other => other?,
        }
        let until = Instant::now() + limit;
        loop {
            let mut message = self.message(until, command, limit)?;
            // The answer to a command that was given up comes late: it is nobody's.
            if message.get("id") != Some(&json!(id)) {
                continue;
            }
            if let Some(reason) = message.pointer("/error/desc").and_then(Value::as_str) {
                return Err(QmpError::Refused { command: command.to_string(), reason: reason.to_string() });
            }
            return message.get_mut("return").map(Value::take).ok_or_else(|| QmpError::Malformed(message.to_string()));
        }
    }

    /// Waits for one of these events; all that come before it are dropped.
    pub fn wait_event(&mut self, names: &[&str], limit: Duration) -> Result<Event, QmpError> {
        let until = Instant::now() + limit;
        loop {
            while let Some(event) = self.events.pop_front() {
                if names.contains(&event.name.as_str()) {
                    return Ok(event);
                }
            }
            let message = self.line(until, &names.join(" or "), limit)?;
            self.keep_event(&message);
        }
    }

    /// The next message that is no event.
    fn message(&mut self, until: Instant, what: &str, limit: Duration) -> Result<Value, QmpError> {
        loop {
            let message = self.line(until, what, limit)?;
            if !self.keep_event(&message) {
                return Ok(message);
            }
        }
    }

    fn keep_event(&mut self, message: &Value) -> bool {
        let Some(name) = message.get("event").and_then(Value::as_str) else { return false };
        if self.events.len() == MOST_EVENTS {
            self.events.pop_front();
        }
        let data = message.get("data").cloned().unwrap_or_default();
        self.events.push_back(Event { name: name.to_string(), data });
        true
    }

    fn line(&mut self, until: Instant, what: &str, limit: Duration) -> Result<Value, QmpError> {
        loop {
            match self.stream.by_ref().take(LONGEST).read_until(b'\n', &mut self.partial) {
                Ok(0) => return Err(QmpError::Closed),
                Ok(_) if self.partial.ends_with(b"\n") => {
                    let line = std::mem::take(&mut self.partial);
                    let text = String::from_utf8_lossy(&line);
                    return serde_json::from_str(&text).map_err(|_| QmpError::Malformed(text.trim().to_string()));
                }
                Ok(_) if self.partial.len() as u64 >= LONGEST => {
                    return Err(QmpError::Malformed("a line without an end".to_string()));
                }
                Ok(_) => {}
                Err(error) => {
                    use io::ErrorKind::{ConnectionReset, Interrupted, TimedOut, WouldBlock};
                    match error.kind() {
                        ConnectionReset => return Err(QmpError::Closed),
                        Interrupted | TimedOut | WouldBlock => {}
                        _ => return Err(error.into()),
                    }
                }
            }
            if Instant::now() >= until {
                return Err(QmpError::TimedOut { what: what.to_string(), limit });
            }
        }
    }
}

#[cfg(test)]
pub mod tests {
    use std::thread::{self, JoinHandle};

    use super::*;

    const GREETING: &str = r#"{"QMP": {"version": {}, "capabilities": ["oob"]}}"#;

    /// What a scripted QEMU does after a command: first something else, then it says its lines. `ID` is the command's.
    pub struct Answer {
        first: Box<dyn FnOnce() + Send>,
        lines: Vec<&'static str>,
    }

    impl Answer {
        pub fn said(line: &'static str) -> Answer {
            Answer::of(vec![line])
        }

        pub fn of(lines: Vec<&'static str>) -> Answer {
            Answer { first: Box::new(|| {}), lines }
        }

        pub fn doing(line: &'static str, first: impl FnOnce() + Send + 'static) -> Answer {
            Answer { first: Box::new(first), lines: vec![line] }
        }
    }

    /// A QEMU that gives these answers, one to every command it has read, and gives back the commands.
    pub fn scripted(answers: Vec<Answer>) -> (Result<Qmp, QmpError>, JoinHandle<Vec<String>>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = thread::spawn(move || {
            let mut reader = BufReader::new(theirs.try_clone().unwrap());
            let mut theirs = theirs;
            theirs.write_all(format!("{GREETING}\r\n").as_bytes()).unwrap();
            let mut commands = Vec::new();
            for answer in answers {
                let mut command = String::new();
                if reader.read_line(&mut command).unwrap_or(0) == 0 {
                    break;
                }
                let id = serde_json::from_str::<Value>(&command).unwrap()["id"].to_string();
                commands.push(command);
                (answer.first)();
                for line in answer.lines {
                    theirs.write_all(format!("{}\r\n", line.replace("ID", &id)).as_bytes()).unwrap();
                }
            }
            commands
        });
        (Qmp::new(ours), server)
    }

    #[test]
    fn commands_are_numbered_and_answered_past_events_and_late_answers() {
        let (qmp, server) = scripted(vec![
            Answer::said(r#"{"return": {}, "id": 1}"#),
            Answer::of(vec![
                r#"{"event": "RTC_CHANGE", "data": {"offset": 0}}"#,
                r#"{"return": {"late": true}, "id": 1}"#,
                r#"{"return": {"running": true}, "id": 2}"#,
                r#"{"event": "RESET", "data": {"guest": true}}"#,
            ]),
        ]);
        let mut qmp = qmp.unwrap();
        assert_eq!(qmp.execute("query-status", json!({})).unwrap(), json!({ "running": true }));
        let event = qmp.wait_event(&["SHUTDOWN", "RESET"], ANSWER).unwrap();
        assert_eq!(event, Event { name: "RESET".into(), data: json!({ "guest": true }) });
        drop(qmp);
        assert!(server.join().unwrap()[1].contains(r#""execute":"query-status""#));
    }

    #[test]
    fn a_refusal_is_told_with_its_reason() {
        let refusal = r#"{"error": {"class": "GenericError", "desc": "no such snapshot"}, "id": 2}"#;
        let (qmp, _server) = scripted(vec![Answer::said(r#"{"return": {}, "id": 1}"#), Answer::said(refusal)]);
        let error = qmp.unwrap().execute("snapshot-load", json!({})).unwrap_err();
        assert_eq!(error.to_string(), "QEMU refuses snapshot-load: no such snapshot");
    }

    #[test]
    fn silence_garbage_and_an_end_are_errors_of_their_own() {
        let (qmp, _server) = scripted(vec![Answer::said(r#"{"return": {}, "id": 1}"#), Answer::of(vec![])]);
        let mut qmp = qmp.unwrap();
        let quick = Duration::from_millis(10);
        let end = qmp.execute_within("stop", json!({}), quick).unwrap_err();
        assert!(matches!(end, QmpError::Closed | QmpError::TimedOut { .. }), "{end}");
        let (qmp, _server) = scripted(vec![Answer::said("hello")]);
        assert!(matches!(qmp, Err(QmpError::Malformed(said)) if said == "hello"));
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert!(matches!(Qmp::new(ours), Err(QmpError::Closed)));
    }
}
