//! The connection as it comes and goes.
//!
//! VirtualBox serves one client. A second one connects all the same and finds the end of file at once, so a connection
//! counts only when something was heard or a moment has passed without that; until then nothing is sent, because it
//! would be lost.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use crate::console::endpoint::Endpoint;
use crate::console::socket::{Socket, is_hopeless};

const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a connection may look good before it counts.
const SETTLE_TIME: Duration = Duration::from_millis(250);
/// A silent connection that ends within this was a second client's: on a busy host even that takes its time.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

pub enum Line {
    Down {
        again: Instant,
    },
    Open(Call),
    /// Over, but not told yet.
    Ended(Trouble),
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Trouble {
    Unreachable(io::Error),
    /// Closed at once, without a word: another client has the console.
    Taken,
    Closed {
        lived: Duration,
    },
}

impl Trouble {
    pub fn is_hopeless(&self) -> bool {
        matches!(self, Trouble::Unreachable(source) if is_hopeless(source))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Connecting,
    Settling,
    Up,
}

/// One connection.
pub struct Call {
    pub socket: Socket,
    pub stage: Stage,
    pub heard: bool,
    /// The other side takes nothing any more.
    pub deaf: bool,
    /// Since when it is in its stage or, once settling, connected.
    since: Instant,
}

impl Call {
    pub fn dial(endpoint: &Endpoint, now: Instant) -> io::Result<Call> {
        let socket = Socket::connect(endpoint)?;
        Ok(Call { socket, stage: Stage::Connecting, heard: false, deaf: false, since: now })
    }

    /// The socket is writable: the connecting is over, well or not.
    pub fn answered(&mut self, now: Instant) -> Result<(), Trouble> {
        match self.socket.connected() {
            Ok(()) => {
                (self.stage, self.since) = (Stage::Settling, now);
                Ok(())
            }
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::NotConnected) => Err(Trouble::Taken),
            Err(source) => Err(Trouble::Unreachable(source)),
        }
    }

    pub fn is_overdue(&self, now: Instant) -> bool {
        self.stage == Stage::Connecting && self.age(now) >= CONNECT_TIME
    }

    pub fn has_settled(&self, now: Instant) -> bool {
        self.stage == Stage::Settling && self.age(now) >= SETTLE_TIME
    }

    pub fn takes_input(&self) -> bool {
        self.stage == Stage::Up && !self.deaf
    }

    /// When time alone will change something.
    pub fn next_change(&self) -> Option<Instant> {
        match self.stage {
            Stage::Connecting => Some(self.since + CONNECT_TIME),
            Stage::Settling => Some(self.since + SETTLE_TIME),
            Stage::Up => None,
        }
    }

    /// What to wait for, where there is room for what is heard and something to be told.
    pub fn events(&self, room: bool, something: bool) -> PollFlags {
        let mut events = PollFlags::empty();
        if self.stage == Stage::Connecting || (something && self.takes_input()) {
            events |= PollFlags::POLLOUT;
        }
        if room && self.stage != Stage::Connecting {
            events |= PollFlags::POLLIN;
        }
        events
    }

    /// The other side has closed it: what that means.
    pub fn over(&self, now: Instant) -> Trouble {
        let lived = self.age(now);
        if self.heard || lived >= REFUSED_WITHIN { Trouble::Closed { lived } } else { Trouble::Taken }
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}
