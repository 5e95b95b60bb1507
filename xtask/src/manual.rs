//! The pages of the manual, rendered from `pkg/man/` in man(7)'s macros.
//!
//! The templates hold what is written once; commands come from the command line's own definition, settings from the
//! table. The same input gives the same bytes.

mod commands;
mod roff;
mod settings;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tera::{Context, Tera};
use vboxsvc::settings::table;

use crate::time;

/// Where the templates are, below the workspace.
pub const TEMPLATES: &str = "pkg/man";
/// The pages. Each has a template of this name and `.tera`.
pub const PAGES: [&str; 3] = ["vboxsvc.5", "vboxsvc.7", "vboxsvc.8"];

/// Renders a page for a version of the package, as of the day of `epoch`.
pub fn render(workspace: &Path, page: &str, version: &str, epoch: u64) -> Result<String> {
    let path: PathBuf = workspace.join(TEMPLATES).join(format!("{page}.tera"));
    let template = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut context = Context::new();
    context.insert("version", version);
    context.insert("day", &time::day(epoch)?);
    context.insert("subjects", &settings::subjects());
    context.insert("commands", &commands::all());
    context.insert("options", &commands::global_options());
    context.insert("start_timeout", &table::SMF_START_TIMEOUT);
    context.insert("stop_timeout", &table::SMF_STOP_TIMEOUT);
    let mut tera = Tera::default();
    // Every value is text, of which troff must take nothing for a request or an escape.
    tera.autoescape_on(PAGES.to_vec());
    tera.set_escape_fn(roff::text);
    tera.add_raw_template(page, &template)
        .and_then(|()| tera.render(page, &context))
        .with_context(|| format!("cannot render {}", path.display()))
}
