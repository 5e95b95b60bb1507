//! What a whole simulated host does alike: VBoxSVC's times and the locales that are installed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::store::write_atomically;

/// Times and facts of the host, kept in `ROOT/vbox/settings.json`. The default times are those of VirtualBox 7.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// From the last client's leaving to VBoxSVC's exit.
    pub server_linger: Duration,
    /// How long a VBoxSVC that got SIGTERM hangs on and fails every call.
    pub server_term_linger: Duration,
    /// From a VM process's death to VBoxSVC's noticing.
    pub abort_notice: Duration,
    /// How long a VM process outlives VBoxSVC.
    pub orphan_life: Duration,
    /// How long `showvminfo` of a resting VM holds the session lock.
    pub showvminfo: Duration,
    /// The UTF-8 locales of the host; unset: any.
    pub locales: Option<Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_linger: Duration::from_millis(5100),
            server_term_linger: Duration::from_secs(3),
            abort_notice: Duration::from_millis(100),
            orphan_life: Duration::from_millis(13_500),
            showvminfo: Duration::from_millis(25),
            locales: None,
        }
    }
}

impl Settings {
    /// The settings of the host, or the defaults where a test has set none.
    pub fn read(root: &Path) -> Self {
        fs::read(root.join("vbox/settings.json"))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    pub(super) fn write(&self, root: &Path) -> Result<()> {
        write_atomically(&root.join("vbox/settings.json"), &serde_json::to_vec_pretty(self)?, 0o644)
    }
}
