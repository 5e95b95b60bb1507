//! svcprop(1): shows properties, from the running snapshot unless told otherwise.

use std::thread;
use std::time::Duration;

use super::fmri::{Entity, Fmri, InstanceName, entities};
use super::getopt::{self, Parsed};
use super::model::{Group, Groups, Property, is_name};
use super::quote;
use super::repository::Store;
use super::rights::Caller;
use super::tool::{Tool, USAGE};

const USAGE_TEXT: &str = "Usage: svcprop [-fqtv] [-C | -c | -s snapshot] [-p [name/]name]... [-z zone]\n               {FMRI | pattern}...\n       svcprop -w [-fqtv] [-p [name/]name] [-z zone] {FMRI | pattern}";

/// What a `-p` or an operand asks for below its entity.
struct Wanted {
    pg: String,
    prop: Option<String>,
}

struct Call {
    options: Parsed,
    wanted: Vec<Wanted>,
    caller: Caller,
    missed: bool,
}

/// One entity that an operand named, with the property group it may have named too.
struct Target {
    entity: Entity,
    pg: Option<String>,
    prop: Option<String>,
}

pub fn run(tool: &mut Tool, args: &[String]) -> u8 {
    let Some(options) = getopt::parse("Ccfp:qs:tvwz:", args) else { return tool.usage(USAGE_TEXT) };
    let exclusive = ['C', 'c', 's', 'w'].iter().filter(|o| options.has(**o)).count();
    let waits = options.has('w');
    let too_many = waits && (options.operands.len() != 1 || options.values('p').count() > 1);
    if exclusive > 1 || options.operands.is_empty() || too_many {
        return tool.usage(USAGE_TEXT);
    }
    let mut wanted = Vec::new();
    for argument in options.values('p') {
        match parse_wanted(argument) {
            Ok(w) => wanted.push(w),
            Err(message) => {
                tool.complain(message);
                return USAGE;
            }
        }
    }
    let mut call = Call { wanted, caller: Caller::of(tool.root), missed: false, options };
    if waits && !wait_for_change(tool, &call) {
        return 1;
    }
    show(tool, &mut call)
}

fn parse_wanted(argument: &str) -> Result<Wanted, String> {
    let parts: Vec<&str> = argument.split('/').collect();
    if parts.len() > 2 {
        return Err(format!("-p argument `{argument}' has too many components."));
    }
    if let Some(bad) = parts.iter().find(|p| !is_name(p)) {
        return Err(format!("Invalid component name `{bad}'."));
    }
    Ok(Wanted { pg: parts[0].into(), prop: parts.get(1).map(|p| p.to_string()) })
}

fn show(tool: &mut Tool, call: &mut Call) -> u8 {
    let Some(store) = tool.read() else { return 1 };
    let mut targets = Vec::new();
    for operand in &call.options.operands {
        let found = find(&store, operand);
        if found.is_empty() {
            call.missed = true;
            if !call.options.has('q') || call.options.has('v') {
                tool.complain(format!("Pattern '{operand}' doesn't match any entities"));
            }
        }
        targets.extend(found);
    }
    let several = targets.len() > 1;
    for target in &targets {
        if call.missed && call.options.has('q') {
            break;
        }
        match view(&store, &target.entity, &call.options) {
            Ok(groups) => show_target(tool, call, target, &groups, several),
            Err(message) => {
                tool.complain(message);
                call.missed = true;
            }
        }
    }
    u8::from(call.missed)
}

fn find(store: &Store, operand: &str) -> Vec<Target> {
    let parsed = Fmri::parse(operand);
    let (base, pg, prop) = match &parsed {
        Some(Fmri { pg: Some(pg), prop, .. }) => {
            (operand.split("/:properties").next().unwrap_or(operand), Some(pg.clone()), prop.clone())
        }
        _ => (operand, None, None),
    };
    let found = entities(store, base).into_iter();
    found.map(|entity| Target { entity, pg: pg.clone(), prop: prop.clone() }).collect()
}

/// The data that the options choose.
fn view(store: &Store, entity: &Entity, options: &Parsed) -> Result<Groups, &'static str> {
    let name = match entity {
        Entity::Service(_) if options.has('s') => return Err("Only instances have snapshots."),
        Entity::Service(service) => return Ok(store.service(service).unwrap_or_default()),
        Entity::Instance(name) => name,
    };
    if let Some(snapshot) = options.value('s') {
        if !is_name(snapshot) {
            return Err("Invalid snapshot name.");
        }
        return store.snapshot(name, snapshot).map(|s| s.composed()).ok_or("No such snapshot.");
    }
    if options.has('C') || options.has('w') {
        return Ok(store.instance(name).unwrap_or_default());
    }
    if options.has('c') {
        return Ok(store.live_composed(name).unwrap_or_default());
    }
    Ok(running_view(store, name))
}

/// The running snapshot, and of the live data the nonpersistent groups that no snapshot holds.
fn running_view(store: &Store, name: &InstanceName) -> Groups {
    let Some(snapshot) = store.snapshot(name, "running") else { return store.live_composed(name).unwrap_or_default() };
    let mut groups = snapshot.composed();
    let instance = store.instance(name).unwrap_or_default();
    for (pg, group) in instance.into_iter().filter(|(_, g)| g.nonpersistent) {
        groups.entry(pg).or_insert(group);
    }
    groups
}

fn show_target(tool: &mut Tool, call: &mut Call, target: &Target, groups: &Groups, several: bool) {
    let from_operand: Vec<Wanted>;
    let wanted: &[Wanted] = match &target.pg {
        // Below a property group, -p names a property.
        Some(pg) if !call.wanted.is_empty() => {
            from_operand = call.wanted.iter().map(|w| Wanted { pg: pg.clone(), prop: Some(w.pg.clone()) }).collect();
            &from_operand
        }
        Some(pg) => {
            from_operand = vec![Wanted { pg: pg.clone(), prop: target.prop.clone() }];
            &from_operand
        }
        None => &call.wanted,
    };
    let options = &call.options;
    let quiet = options.has('q');
    let full = options.has('f') || several;
    let single = wanted.len() == 1 && wanted.iter().all(|w| w.prop.is_some());
    let values_only = single && !full && !options.has('t');
    let entity = &target.entity;
    let kind = if matches!(entity, Entity::Service(_)) { "service" } else { "instance" };
    let mut lines = Vec::new();
    let mut misses = Vec::new();
    let mut one = |pg: &str, group: &Group, name: &str, property: &Property, explicit: bool| {
        let readable = call.caller.may_read(group) || name.ends_with("_authorization");
        if !readable && explicit {
            misses.push("Permission denied.".to_string());
            return;
        }
        let shown = if readable { property.values.iter().map(|v| quote::for_shell(v)).collect() } else { Vec::new() };
        let values = shown.join(" ");
        lines.push(match (values_only, full) {
            (true, _) => values,
            (_, true) => format!("{entity}/:properties/{pg}/{name} {} {values}", property.ty),
            (_, false) => format!("{pg}/{name} {} {values}", property.ty),
        });
    };
    if wanted.is_empty() {
        for (pg, group) in groups {
            group.properties.iter().for_each(|(name, property)| one(pg, group, name, property, false));
        }
    }
    let mut absent = Vec::new();
    for Wanted { pg, prop } in wanted {
        match (groups.get(pg), prop) {
            (None, _) => absent.push(format!("Couldn't find property group `{pg}' for {kind} `{entity}'.")),
            (Some(group), None) => {
                group.properties.iter().for_each(|(name, property)| one(pg, group, name, property, false));
            }
            (Some(group), Some(prop)) => match group.properties.get(prop) {
                Some(property) => one(pg, group, prop, property, true),
                None if target.pg.is_some() => absent
                    .push(format!("Couldn't find property `{prop}' in property group `{entity}/:properties/{pg}'.")),
                None => absent.push(format!("Couldn't find property `{pg}/{prop}' for {kind} `{entity}'.")),
            },
        }
    }
    misses.extend(absent);
    if !quiet {
        lines.iter().for_each(|line| tool.print(line));
    }
    if !quiet || options.has('v') {
        misses.iter().for_each(|message| tool.complain(message));
    }
    call.missed |= !misses.is_empty();
}

/// Waits until the property group asked for changes. As in the real one, only the caller bounds it.
fn wait_for_change(tool: &Tool, call: &Call) -> bool {
    let operand = &call.options.operands[0];
    let look = || -> Option<(Vec<Target>, Option<Group>)> {
        let store = tool.read()?;
        let targets = find(&store, operand);
        let group = match targets.as_slice() {
            [Target { entity, pg, .. }] => {
                let groups = view(&store, entity, &call.options).ok()?;
                let pg = pg.clone().or(call.wanted.first().map(|w| w.pg.clone()))?;
                groups.get(&pg).cloned()
            }
            _ => None,
        };
        Some((targets, group))
    };
    let Some((targets, first)) = look() else { return false };
    if targets.len() > 1 {
        let list: String = targets.iter().map(|t| format!("\n\t{}", t.entity)).collect();
        tool.complain(format!("Pattern '{operand}' matches multiple instances:{list}"));
        return false;
    }
    // Something that is not there cannot change: the ordinary messages say so.
    let Some(first) = first else { return true };
    loop {
        thread::sleep(Duration::from_millis(5));
        match look() {
            Some((_, Some(now))) if now == first => {}
            Some((_, Some(_))) => return true,
            _ => {
                tool.complain("Not found.");
                return false;
            }
        }
    }
}
