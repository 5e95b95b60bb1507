//! svcadm(8): asks for changes of state. It writes requests into the repository; svc.startd acts on them.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fmri::{How, InstanceName, instances};
use super::getopt::{self, Parsed};
use super::model::{Group, Groups, Type, value};
use super::rights::Caller;
use super::startd::graph;
use super::tool::{Tool, USAGE, startd_is_there};

/// A service did not get where it was sent (with `-s`).
const SVC_FAILURE: u8 = 3;
/// It never will, for want of a dependency or a restarter (with `-s`).
const DEP_FAILURE: u8 = 4;

const USAGE_TEXT: &str = "Usage: svcadm [-S <state>] [-v] [-Z | -z zone] [cmd [args ... ]]\n\n\tsvcadm enable [-rst] [<service> ...]\t- enable and online service(s)\n\tsvcadm disable [-c comment] [-st] [<service> ...] - disable and offline service(s)\n\tsvcadm restart [-d] [<service> ...]\t- restart specified service(s)\n\tsvcadm refresh [<service> ...]\t\t- re-read service configuration\n\tsvcadm mark [-It] <state> [<service> ...] - set maintenance state\n\tsvcadm clear [<service> ...]\t\t- clear maintenance state\n\tsvcadm milestone [-d] <milestone>\t- advance to a service milestone";

struct Call {
    verbose: bool,
    only_state: Option<String>,
    caller: Caller,
    status: u8,
}

pub fn run(tool: &mut Tool, args: &[String]) -> u8 {
    let Some(global) = getopt::parse("S:vZz:", args) else { return tool.usage(USAGE_TEXT) };
    let Some((command, rest)) = global.operands.split_first() else { return tool.usage(USAGE_TEXT) };
    let known = match command.as_str() {
        "enable" => "rst",
        "disable" => "c:st",
        "restart" => "d",
        "mark" => "It",
        "refresh" | "clear" => "",
        _ => return tool.usage(USAGE_TEXT),
    };
    let Some(options) = getopt::parse(known, rest) else { return tool.usage(USAGE_TEXT) };
    let mut call = Call {
        verbose: global.has('v'),
        only_state: global.value('S').map(str::to_string),
        caller: Caller::of(tool.root),
        status: 0,
    };
    let (mark, operands) = match (command.as_str(), options.operands.split_first()) {
        ("mark", Some((state, operands))) => (state.as_str(), operands),
        ("mark", None) => return tool.usage(USAGE_TEXT),
        _ => ("", options.operands.as_slice()),
    };
    if operands.is_empty() == call.only_state.is_none() {
        return tool.usage(USAGE_TEXT);
    }
    let action = match (command.as_str(), mark) {
        ("mark", "degraded") if options.has('t') => {
            tool.complain("-t may not be used with degraded.");
            return USAGE;
        }
        ("mark", "degraded") => Action::Degrade { immediate: options.has('I') },
        // The flag -t makes names that svc.startd does not know: nothing happens.
        ("mark", "maintenance") => Action::Plain(match (options.has('I'), options.has('t')) {
            (false, false) => "maint_on",
            (true, false) => "maint_on_immediate",
            (false, true) => "maint_on_temporary",
            (true, true) => "maint_on_immtemp",
        }),
        ("mark", _) => return tool.usage(USAGE_TEXT),
        ("restart", _) => Action::Plain("restart"),
        ("refresh", _) => Action::Plain("refresh"),
        ("clear", _) => Action::Clear,
        (verb, _) => Action::Enable { on: verb == "enable", temporary: options.has('t') },
    };
    let mut names = walk(tool, &mut call, operands);
    if command == "enable" && options.has('r') {
        names = with_dependencies(tool, names);
    }
    let in_maintenance: Vec<bool> = names.iter().map(|name| is_in_maintenance(tool, name)).collect();
    for name in &names {
        action.apply(tool, &mut call, name, &options, command == "mark");
    }
    if let (Action::Enable { on, .. }, true, 0) = (&action, options.has('s'), call.status) {
        for (name, was_in_maintenance) in names.iter().zip(in_maintenance) {
            wait_until(tool, &mut call, name, *on, was_in_maintenance);
        }
    }
    call.status
}

/// The instances meant, with a message for every operand that means none or too many.
fn walk(tool: &Tool, call: &mut Call, operands: &[String]) -> Vec<InstanceName> {
    let Some(store) = tool.read() else {
        call.status = 1;
        return Vec::new();
    };
    let mut all: Vec<InstanceName> = Vec::new();
    if operands.is_empty() {
        all = store.all_instances();
    }
    for operand in operands {
        if operand.starts_with("lrc:") {
            tool.complain(format!("Operation not supported for legacy service '{operand}'"));
            call.status = 1;
            continue;
        }
        let (how, found) = instances(&store, operand);
        if found.is_empty() {
            tool.complain(format!("Pattern '{operand}' doesn't match any instances"));
            call.status = 1;
        } else if how == How::Partial && found.len() > 1 {
            let list: String = found.iter().map(|name| format!("\n\t{name}")).collect();
            tool.complain(format!("Partial FMRI '{operand}' matches multiple instances:{list}"));
            call.status = 1;
        } else {
            all.extend(found);
        }
    }
    if let Some(state) = &call.only_state {
        all.retain(|n| store.instance(n).is_some_and(|g| value(&g, "restarter", "state") == Some(state.as_str())));
    }
    all
}

/// `enable -r`: the instances and, over and over, what they require. What has several instances is left alone.
fn with_dependencies(tool: &Tool, names: Vec<InstanceName>) -> Vec<InstanceName> {
    let Some(store) = tool.read() else { return names };
    let mut all: Vec<InstanceName> = Vec::new();
    let mut todo = names;
    while let Some(name) = todo.pop() {
        if all.contains(&name) {
            continue;
        }
        let groups = store.running_composed(&name).unwrap_or_default();
        for dependency in graph::dependencies(&groups) {
            let found: Vec<_> = dependency.entities.iter().map(|e| instances(&store, e).1).collect();
            let alone =
                dependency.grouping == "require_all" || (dependency.grouping == "require_any" && found.len() == 1);
            todo.extend(found.into_iter().filter(|f| alone && f.len() == 1).flatten());
        }
        all.push(name);
    }
    all
}

enum Action {
    Enable {
        on: bool,
        temporary: bool,
    },
    /// One name in `restarter_actions`.
    Plain(&'static str),
    Clear,
    Degrade {
        immediate: bool,
    },
}

impl Action {
    fn apply(&self, tool: &mut Tool, call: &mut Call, name: &InstanceName, options: &Parsed, marks: bool) {
        let Some(store) = tool.write() else {
            call.status = 1;
            return;
        };
        let instance = store.instance(name).unwrap_or_default();
        let service = store.service(&name.service).unwrap_or_default();
        let state = value(&instance, "restarter", "state").map(str::to_string);
        let needs_state = matches!(self, Action::Clear | Action::Degrade { .. });
        if needs_state && state.is_none() {
            tool.complain(format!("{name} is misconfigured (lacks \"restarter\" property group)."));
            call.status = u8::from(marks).max(call.status);
            return;
        }
        let property = match (self, state.as_deref()) {
            (Action::Clear, Some("maintenance")) => "maint_off",
            (Action::Clear, Some("degraded")) => "restore",
            (Action::Clear, _) => {
                tool.complain(format!("Instance \"{name}\" is not in a maintenance or degraded state."));
                call.status = 1;
                return;
            }
            (Action::Degrade { .. }, Some(state)) if state != "online" => {
                tool.complain(format!("Instance \"{name}\" is not online."));
                call.status = 1;
                return;
            }
            (Action::Degrade { immediate: true }, _) => "degrade_immediate",
            (Action::Degrade { immediate: false }, _) => "degraded",
            (Action::Plain(property), _) => property,
            (Action::Enable { .. }, _) => "auxiliary_tty",
        };
        if !call.caller.may_act(&instance, &service) {
            denied(tool, call, name, &format!("Couldn't modify \"restarter_actions/{property}\" property"));
            // `mark` alone says so and exits 0.
            call.status = if marks { call.status } else { 1 };
            return;
        }
        let persistent = matches!(self, Action::Enable { temporary: false, .. });
        if persistent && !call.caller.may_enable(&instance, &service) {
            denied(tool, call, name, "Couldn't modify \"general\" property group");
            call.status = 1;
            return;
        }
        let said = match *self {
            Action::Enable { on, temporary } => {
                let _ = store.edit(name, |groups| {
                    request(groups, "auxiliary_tty");
                    set_enabled(groups, on, temporary, options.value('c'));
                });
                format!(
                    "{name} {}{}.",
                    if temporary { "temporarily " } else { "" },
                    if on { "enabled" } else { "disabled" }
                )
            }
            _ => {
                if property == "refresh" {
                    let _ = store.take_snapshot(name, "running");
                }
                let _ = store.edit(name, |groups| request(groups, property));
                format!("Action {property} set for {name}.")
            }
        };
        drop(store);
        tool.wake(name);
        if call.verbose {
            tool.print(said);
        }
    }
}

fn denied(tool: &Tool, call: &Call, name: &InstanceName, detail: &str) {
    if call.verbose {
        tool.complain(format!("{name}: {detail} (permission denied)."));
    } else {
        tool.complain(format!("{name}: Permission denied."));
    }
}

/// Writes a request into `restarter_actions`, with whether it came from a terminal.
pub fn request(groups: &mut Groups, property: &str) {
    let actions = groups.entry("restarter_actions".into()).or_insert_with(|| Group::nonpersistent("framework"));
    actions.set("auxiliary_tty", Type::Boolean, io::stdin().is_terminal().to_string());
    if property != "auxiliary_tty" {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        actions.set(property, Type::Integer, now.as_nanos().to_string());
    }
}

/// Writes `general/enabled`, or the override that a reboot forgets.
pub fn set_enabled(groups: &mut Groups, on: bool, temporary: bool, comment: Option<&str>) {
    let general = groups.entry("general".into()).or_insert_with(|| Group::new("framework"));
    if !general.properties.contains_key("enabled") {
        general.set("enabled", Type::Boolean, "false");
    }
    if temporary {
        let ovr = groups.entry("general_ovr".into()).or_insert_with(|| Group::nonpersistent("framework"));
        ovr.set("enabled", Type::Boolean, on.to_string());
        return;
    }
    general.set("enabled", Type::Boolean, on.to_string());
    match comment {
        Some(comment) => general.set("comment", Type::Astring, comment),
        None => {
            general.properties.remove("comment");
        }
    }
    if let Some(ovr) = groups.get_mut("general_ovr") {
        ovr.properties.remove("enabled");
    }
}

fn is_in_maintenance(tool: &Tool, name: &InstanceName) -> bool {
    let groups = tool.read().and_then(|store| store.live_composed(name)).unwrap_or_default();
    value(&groups, "restarter", "state") == Some("maintenance")
}

/// `-s`: waits for the state, without a limit of its own, but not for what can no longer come.
fn wait_until(tool: &Tool, call: &mut Call, name: &InstanceName, on: bool, was_in_maintenance: bool) {
    loop {
        let Some(store) = tool.read() else { return };
        let groups = store.live_composed(name).unwrap_or_default();
        let state = value(&groups, "restarter", "state").unwrap_or_default();
        let enabled = value(&groups, "general_ovr", "enabled").or(value(&groups, "general", "enabled")) == Some("true");
        let trouble = match (on, state) {
            (true, "online" | "degraded") | (false, "disabled") => return,
            // To be disabled is the way out of it, but not where the stop method has led there.
            (false, "maintenance") if was_in_maintenance => None,
            (_, "maintenance") => Some((SVC_FAILURE, format!("Instance \"{name}\" is in maintenance state."))),
            (true, _) if !enabled => {
                Some((SVC_FAILURE, format!("Instance \"{name}\" has been disabled by another entity.")))
            }
            (false, _) if enabled => {
                Some((SVC_FAILURE, format!("Instance \"{name}\" has been enabled by another entity.")))
            }
            (true, "offline") if !graph::can_ever_start(&store, &groups) => {
                Some((DEP_FAILURE, format!("Instance \"{name}\" has unsatisfied dependencies.")))
            }
            _ if !startd_is_there(tool.root) => {
                Some((DEP_FAILURE, format!("Restarter for instance \"{name}\" is unavailable.")))
            }
            _ => None,
        };
        if let Some((status, message)) = trouble {
            tool.complain(message);
            if call.status == 0 || status == SVC_FAILURE {
                call.status = status;
            }
            return;
        }
        drop(store);
        thread::sleep(Duration::from_millis(5));
    }
}
