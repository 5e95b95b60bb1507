//! What pkg tells of packages: tables and descriptions. Makes text, changes nothing.

use super::package::{Action, Package};

/// A line of `pkg list`.
pub struct Row<'a> {
    pub package: &'a Package,
    pub is_installed: bool,
}

pub fn list(rows: &[Row<'_>], with_head: bool, verbose: bool) -> String {
    let mut text = String::new();
    let mut line = |name: &str, version: &str, flags: &str| {
        let row = if verbose { format!("{name:<76} {flags}") } else { format!("{name:<57} {version:<18} {flags}") };
        text += row.trim_end();
        text.push('\n');
    };
    if with_head {
        line(if verbose { "FMRI" } else { "NAME (PUBLISHER)" }, "VERSION", "IFO");
    }
    for Row { package, is_installed } in rows {
        let state = if *is_installed { 'i' } else { '-' };
        let obsolete = if package.is_marked("pkg.obsolete") { 'o' } else { '-' };
        let name = if verbose { package.shown() } else { format!("{} ({})", package.name, package.publisher) };
        line(&name, &package.shown_version(), &format!("{state}-{obsolete}"));
    }
    text
}

pub fn info(package: &Package, is_installed: bool) -> String {
    let version = package.order();
    let branch = version.as_ref().and_then(|v| v.branch.as_ref()).map(ToString::to_string);
    let rows = [
        ("Name", Some(package.name.clone())),
        ("Summary", package.setting("pkg.summary").map(str::to_string)),
        ("Description", package.setting("pkg.description").map(str::to_string)),
        ("State", Some(if is_installed { "Installed" } else { "Not installed" }.to_string())),
        ("Publisher", Some(package.publisher.clone())),
        ("Version", version.as_ref().map(|v| v.release.to_string())),
        ("Branch", Some(branch.unwrap_or("None".to_string()))),
        ("FMRI", Some(package.shown())),
    ];
    rows.into_iter().filter_map(|(key, value)| Some(format!("{key:>15}: {}\n", value?))).collect()
}

/// Cells of `pkg contents`: one column of each action that has them all.
pub fn contents(actions: &[&Action], columns: &[String], with_head: bool) -> String {
    let mut text = String::new();
    if with_head {
        let heads: Vec<String> = columns.iter().map(|c| c.rsplit('.').next().unwrap_or(c).to_uppercase()).collect();
        text = heads.join("\t") + "\n";
    }
    let mut rows: Vec<String> = actions
        .iter()
        .filter(|action| columns.iter().any(|c| cell(action, c).is_some()))
        .map(|action| columns.iter().map(|c| cell(action, c).unwrap_or_default()).collect::<Vec<_>>().join("\t"))
        .collect();
    rows.sort();
    text.extend(rows.into_iter().map(|row| row + "\n"));
    text
}

fn cell(action: &Action, column: &str) -> Option<String> {
    match column {
        "action.name" => Some(action.kind.clone()),
        "action.hash" => action.hash.clone(),
        "action.raw" => Some(action.to_string()),
        "path" if action.has_place() => Some(action.path()),
        attribute => {
            let values: Vec<&str> = action.values(attribute).collect();
            (!values.is_empty()).then(|| values.join(" "))
        }
    }
}
