//! The time a build believes in: SOURCE_DATE_EPOCH, else that of the commit. Nothing made here says when it was made.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Seconds since 1970.
pub fn source_date_epoch(workspace: &Path) -> Result<u64> {
    if let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") {
        let text = text.to_string_lossy();
        return text.parse().with_context(|| format!("SOURCE_DATE_EPOCH={text} is not a number of seconds"));
    }
    let mend = "set SOURCE_DATE_EPOCH to the seconds since 1970 to build for";
    let output = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(workspace).output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            text.trim().parse().with_context(|| format!("git says no time of the last commit; {mend}"))
        }
        Ok(output) => {
            bail!("no commit to take the time from ({}); {mend}", String::from_utf8_lossy(&output.stderr).trim())
        }
        Err(error) => bail!("cannot ask git for the time of the last commit ({error}); {mend}"),
    }
}

/// The moment as `yyyymmddHHMMSS` in UTC.
pub fn compact(epoch: u64) -> Result<String> {
    formatted(epoch, "%Y%m%d%H%M%S")
}

/// The day as a page of the manual has it.
pub fn day(epoch: u64) -> Result<String> {
    formatted(epoch, "%B %-d, %Y")
}

fn formatted(epoch: u64, format: &str) -> Result<String> {
    let seconds = i64::try_from(epoch).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    let moment = seconds.with_context(|| format!("the time {epoch} is beyond the calendar"))?;
    Ok(moment.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_without_separators() {
        assert_eq!(compact(1_763_820_000).unwrap(), "20251122140000");
        assert_eq!(day(1_763_820_000).unwrap(), "November 22, 2025");
        assert!(compact(u64::MAX).is_err());
    }
}
