//! Reads a console on which nobody works, so that it is logged and a crash on it is noticed while steps run over ssh.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use super::console::Console;

/// No run takes longer; QEMU's end ends it sooner.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Clone)]
pub struct Watch(Arc<OnceLock<String>>);

impl Watch {
    /// Reads on until the guest crashes or QEMU ends.
    pub fn start(mut console: Console) -> Watch {
        let end = Arc::new(OnceLock::new());
        let told = end.clone();
        thread::spawn(move || {
            let Err(error) = console.wait("the guest's end", LONGEST, |_| None::<((), usize)>) else { return };
            // Nobody else sets it.
            let _ = told.set(error.to_string());
        });
        Watch(end)
    }

    /// Why nothing more is to be hoped for from this guest.
    pub fn over(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_crash_on_a_console_that_nobody_works_on_is_noticed_and_logged() {
        let (ours, mut guest) = UnixStream::pair().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let watch = Watch::start(Console::new(ours, log.path(), vec!["panic[cpu".into()]).unwrap());
        guest.write_all(b"SunOS Release 5.11\r\n").unwrap();
        assert!(watch.over().is_none());
        guest.write_all(b"panic[cpu0]/thread=fffffe00: test\r\n").unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while watch.over().is_none() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(watch.over().unwrap_or_default().contains("panic[cpu0]"), "{:?}", watch.over());
        assert!(std::fs::read_to_string(log.path()).unwrap().starts_with("SunOS"));
    }
}
