//! The SMF manifests, rendered from `manifest-templates/` and the runtime's table of settings.
//!
//! The templates hold what is written once (dependencies, methods, the sample instance); everything said of a setting
//! comes from the table. Neither knows where the result goes. The same input gives the same bytes.

pub(crate) mod settings;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tera::{Context, Tera, Value};
use thiserror::Error;
use vboxsvc::settings::table;

/// Where the templates are, below the workspace.
pub const TEMPLATES: &str = "manifest-templates";
/// The manifests, in the order in which they are rendered. Each has a template of this name and `.tera`.
pub const MANIFESTS: [&str; 3] = ["vbox-svc.xml", "vbox-delay-on-boot.xml", "vbox-zvol-rights.xml"];

/// What may differ from one package to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    /// The path of the program that SMF runs as the method.
    pub method: String,
    /// How long `vbox-delay-on-boot` waits, until an administrator says otherwise.
    pub delay_seconds: u32,
}

impl Default for Variables {
    fn default() -> Self {
        // Two minutes: what the older packages waited.
        Variables { method: "/lib/svc/method/vboxsvc".to_string(), delay_seconds: 120 }
    }
}

/// A manifest as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub file_name: String,
    pub text: String,
}

#[derive(Debug, Error)]
pub enum RenderError {
    #[error("cannot read the template {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot render {file_name}")]
    Template { file_name: String, source: tera::Error },
    #[error("the method's path {0:?} is not an absolute path that a shell and SMF take as it is")]
    Method(String),
    #[error("the version {0:?} is not MAJOR.MINOR.PATCH, each below 1000")]
    Version(String),
}

/// Renders every manifest for a version of the package. The templates are those below `workspace`.
pub fn render_all(workspace: &Path, version: &str, variables: &Variables) -> Result<Vec<Rendered>, RenderError> {
    let context = context(version, variables)?;
    MANIFESTS.iter().map(|name| render(&workspace.join(TEMPLATES), name, &context)).collect()
}

fn render(templates: &Path, file_name: &str, context: &Context) -> Result<Rendered, RenderError> {
    let path = templates.join(format!("{file_name}.tera"));
    let template = std::fs::read_to_string(&path).map_err(|source| RenderError::Read { path, source })?;
    let mut tera = Tera::default();
    // Every value is escaped, for XML and not for HTML (which would hide the slashes of paths).
    tera.autoescape_on(vec![".xml"]);
    tera.set_escape_fn(escape);
    tera.register_filter("comment", comment);
    let text = tera
        .add_raw_template(file_name, &template)
        .and_then(|()| tera.render(file_name, context))
        .map_err(|source| RenderError::Template { file_name: file_name.to_string(), source })?;
    Ok(Rendered { file_name: file_name.to_string(), text })
}

fn context(version: &str, variables: &Variables) -> Result<Context, RenderError> {
    let mut context = Context::new();
    context.insert("version", version);
    context.insert("service_version", &service_version(version)?);
    context.insert("method", method(&variables.method)?);
    context.insert("delay_seconds", &variables.delay_seconds);
    context.insert("start_timeout", &table::SMF_START_TIMEOUT);
    context.insert("stop_timeout", &table::SMF_STOP_TIMEOUT);
    context.insert("group", table::GROUP);
    context.insert("group_type", table::GROUP_TYPE);
    context.insert("description", DESCRIPTION);
    context.insert("subjects", &settings::subjects());
    Ok(context)
}

const DESCRIPTION: &str = "Each instance runs one VirtualBox machine: starts it with the host, watches it, restarts \
                           it when it dies, and stops it properly, by saving its state unless set otherwise.";

/// SMF wants a whole number for the version of a service. It stores it and never compares it.
fn service_version(version: &str) -> Result<u32, RenderError> {
    let wrong = || RenderError::Version(version.to_string());
    let parts: Vec<u32> = version.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    match parts.as_slice() {
        [major @ ..1000, minor @ ..1000, patch @ ..1000] => Ok((major * 1000 + minor) * 1000 + patch),
        _ => Err(wrong()),
    }
}

/// SMF gives a method to a shell after expanding its `%` tokens: neither must find anything in the path.
fn method(path: &str) -> Result<&str, RenderError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_.+-".contains(c);
    if path.starts_with('/') && path.chars().all(plain) { Ok(path) } else { Err(RenderError::Method(path.to_string())) }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// How far comments go.
const COLUMNS: usize = 100;

/// The filter `comment(indent=N)`: a list of paragraphs as one XML comment, wrapped.
fn comment(value: &Value, arguments: &HashMap<String, Value>) -> tera::Result<Value> {
    let paragraphs: Vec<String> = tera::from_value(value.clone())?;
    let indent = arguments.get("indent").and_then(Value::as_u64).unwrap_or(0);
    let indent = usize::try_from(indent).map_err(tera::Error::msg)?;
    if let Some(paragraph) = paragraphs.iter().find(|text| text.contains("--")) {
        return Err(tera::Error::msg(format!("two hyphens would end the comment early: {paragraph:?}")));
    }
    let margin = " ".repeat(indent);
    // Room for "<!-- " before the text, which later lines leave blank, and for " -->" after it.
    let lines: Vec<String> =
        paragraphs.iter().flat_map(|text| wrapped(text, COLUMNS.saturating_sub(indent + 9))).collect();
    Ok(Value::String(format!("{margin}<!-- {} -->", lines.join(&format!("\n{margin}     ")))))
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

#[cfg(test)]
mod tests;
