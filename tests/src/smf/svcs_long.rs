//! The forms of svcs(1) that are not tables: `-l` in full, `-x` only as far as scripts read it.

use super::repository::Store;
use super::svcs::{Row, long_time};
use super::tool::Tool;
use jiff::Timestamp;

fn since(row: &Row) -> String {
    let seconds = row.restarter("state_timestamp").split('.').next().and_then(|s| s.parse().ok()).unwrap_or(0);
    Timestamp::from_second(seconds).map(long_time).unwrap_or_default()
}

pub fn details(tool: &mut Tool, store: &Store, rows: &[Row]) {
    for (i, row) in rows.iter().enumerate() {
        if i > 0 {
            tool.print("");
        }
        let groups = &row.groups;
        let mut line = |label: &str, text: &str| tool.print(format!("{label:<12} {text}").trim_end());
        line("fmri", &row.name.to_string());
        if let Some(name) = super::model::value(groups, "tm_common_name", "C") {
            line("name", name);
        }
        line("enabled", &format!("{}{}", row.is_enabled(), if row.is_temporary() { " (temporary)" } else { "" }));
        if let Some(comment) = super::model::value(groups, "general", "comment") {
            line("comment", comment);
        }
        line("state", row.state());
        line("next_state", row.restarter("next_state"));
        line("state_time", &since(row));
        if !row.restarter("logfile").is_empty() {
            line("logfile", row.restarter("logfile"));
        }
        line("restarter", "svc:/system/svc/restarter:default");
        line("contract_id", &groups.get("restarter").map(|g| g.values("contract").join(" ")).unwrap_or_default());
        for group in groups.values().filter(|g| g.ty == "dependency") {
            let entities = group.values("entities").iter().map(|e| format!("{e} ({})", state_of(store, e)));
            let how = format!(
                "{}/{} ",
                group.value("grouping").unwrap_or_default(),
                group.value("restart_on").unwrap_or_default()
            );
            line("dependency", &(how + &entities.collect::<Vec<_>>().join(" ")));
        }
    }
}

fn state_of(store: &Store, entity: &str) -> String {
    let (_, names) = super::fmri::instances(store, entity);
    let state =
        |name| store.instance(name).and_then(|g| Some(super::model::value(&g, "restarter", "state")?.to_string()));
    match names.as_slice() {
        [] => "absent".into(),
        [one] => state(one).unwrap_or("-".into()),
        _ => "multiple".into(),
    }
}

/// Explains what is not running though it should; with operands the rows are only those.
pub fn explain(tool: &mut Tool, rows: &[Row], verbose: bool) {
    for row in rows {
        let troubled =
            row.state() == "maintenance" || (row.is_enabled() && matches!(row.state(), "offline" | "degraded"));
        if !troubled {
            continue;
        }
        let description = super::model::value(&row.groups, "tm_common_name", "C").unwrap_or("?");
        tool.print(format!("{} ({description})", row.name));
        tool.print(format!(" State: {} since {}", row.state(), since(row)));
        let reason = match row.restarter("auxiliary_state") {
            "fault_threshold_reached" => "Start method failed repeatedly",
            "method_failed" => "Method failed",
            "restarting_too_quickly" => "Restarting too quickly",
            "administrative_request" => "Maintenance requested by an administrator",
            _ => "Unknown",
        };
        tool.print(format!("Reason: {reason}."));
        tool.print(format!("   See: {}", row.restarter("logfile")));
        tool.print("Impact: This service is not running.");
        if verbose {
            tool.print("");
        }
    }
}
