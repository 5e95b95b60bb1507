//! svcs(1): lists instances and their states.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use super::fmri::{InstanceName, instances};
use super::getopt::{self, Parsed};
use super::model::{Groups, value};
use super::repository::Store;
use super::startd::contract::members;
use super::tool::Tool;

const USAGE_TEXT: &str = "Usage: svcs [-aHpv] [-o col[,col ... ]] [-R restarter] [-sS col] [-Z | -z zone ]\n            [<service> ...]\n       svcs -d | -D [-Hpv] [-o col[,col ... ]] [-sS col] [-Z | -z zone ]\n            [<service> ...]\n       svcs [-l | -L] [-Z | -z zone] <service> ...\n       svcs -x [-v] [-Z | -z zone] [<service> ...]\n       svcs -?";

/// An instance as the columns see it.
pub struct Row {
    pub name: InstanceName,
    /// The live data, composed.
    pub groups: Groups,
}

impl Row {
    pub fn restarter(&self, prop: &str) -> &str {
        value(&self.groups, "restarter", prop).unwrap_or_default()
    }

    pub fn state(&self) -> &str {
        self.restarter("state")
    }

    /// The state it is on its way to.
    fn next_state(&self) -> Option<&str> {
        Some(self.restarter("next_state")).filter(|s| !s.is_empty() && *s != "none")
    }

    pub fn is_enabled(&self) -> bool {
        let own = value(&self.groups, "general_ovr", "enabled").or(value(&self.groups, "general", "enabled"));
        own == Some("true")
    }

    pub fn is_temporary(&self) -> bool {
        value(&self.groups, "general_ovr", "enabled").is_some()
    }

    fn contracts(&self) -> &[String] {
        self.groups.get("restarter").map_or(&[], |g| g.values("contract"))
    }

    fn description(&self) -> &str {
        value(&self.groups, "tm_common_name", "C").unwrap_or_default()
    }

    fn since(&self) -> Option<Timestamp> {
        let seconds = self.restarter("state_timestamp").split('.').next()?.parse().ok()?;
        Timestamp::from_second(seconds).ok()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Ctid,
    Desc,
    Fmri,
    Inst,
    N,
    Nsta,
    Nstate,
    S,
    Scope,
    Sn,
    Svc,
    Sta,
    State,
    Stime,
    Zone,
}

impl Column {
    const ALL: [(Column, &'static str, usize); 15] = [
        (Column::Ctid, "CTID", 6),
        (Column::Desc, "DESC", 100),
        (Column::Fmri, "FMRI", 50),
        (Column::Inst, "INST", 20),
        (Column::N, "N", 1),
        (Column::Nsta, "NSTA", 4),
        (Column::Nstate, "NSTATE", 13),
        (Column::S, "S", 2),
        (Column::Scope, "SCOPE", 20),
        (Column::Sn, "SN", 2),
        (Column::Svc, "SVC", 20),
        (Column::Sta, "STA", 4),
        (Column::State, "STATE", 15),
        (Column::Stime, "STIME", 9),
        (Column::Zone, "ZONE", 16),
    ];

    fn named(word: &str) -> Option<Column> {
        Column::ALL.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(word)).map(|(c, ..)| *c)
    }

    fn heading(self) -> &'static str {
        Column::ALL.iter().find(|(c, ..)| *c == self).map_or("", |(_, name, _)| name)
    }

    /// Pads to the column's width, with a blank after it even at the end of the line.
    fn pad(self, text: &str) -> String {
        let width = Column::ALL.iter().find(|(c, ..)| *c == self).map_or(0, |(.., width)| *width);
        if self == Column::Ctid { format!("{text:>width$} ") } else { format!("{text:<width$} ") }
    }

    /// The columns that show where a transition leads, which spares the others their asterisk.
    fn shows_next(self) -> bool {
        matches!(self, Column::N | Column::Nsta | Column::Nstate | Column::Sn)
    }

    fn text(self, row: &Row, starred: bool) -> String {
        let star = if starred && row.next_state().is_some() { "*" } else { "" };
        let text = match self {
            Column::Ctid => match row.contracts() {
                [] => "-".into(),
                [one] => one.clone(),
                [one, ..] => format!("{one}*"),
            },
            Column::Desc => row.description().into(),
            Column::Fmri => row.name.to_string(),
            Column::Inst => row.name.instance.clone(),
            Column::Svc => row.name.service.clone(),
            Column::Scope => "localhost".into(),
            Column::State => with_star(row.state(), star),
            Column::Sta | Column::S => with_star(short(row.state(), self == Column::S), star),
            Column::Nstate => row.next_state().unwrap_or("-").into(),
            Column::Nsta => row.next_state().map_or("-", |s| short(s, false)).into(),
            Column::N => row.next_state().map_or("-", |s| short(s, true)).into(),
            Column::Sn => format!("{}{}", short(row.state(), true), row.next_state().map_or("-", |s| short(s, true))),
            Column::Stime => row.since().map(|t| short_time(t, Timestamp::now())).unwrap_or_default(),
            Column::Zone => "global".into(),
        };
        if text.is_empty() { "-".into() } else { text }
    }
}

fn with_star(state: &str, star: &str) -> String {
    if state.is_empty() { "-".into() } else { format!("{state}{star}") }
}

/// The abbreviations of one and of three letters.
fn short(state: &str, one_letter: bool) -> &'static str {
    let (three, one) = match state {
        "uninitialized" => ("UN", "u"),
        "offline" => ("OFF", "0"),
        "online" => ("ON", "1"),
        "maintenance" => ("MNT", "m"),
        "disabled" => ("DIS", "d"),
        "degraded" => ("DGD", "D"),
        "legacy_run" => ("LRC", "L"),
        _ => ("?", "?"),
    };
    if one_letter { one } else { three }
}

fn short_time(then: Timestamp, now: Timestamp) -> String {
    let age = now.as_second() - then.as_second();
    let pattern = match age {
        ..86_400 => "%k:%M:%S",
        86_400..31_104_000 => "%b_%d",
        _ => "%Y",
    };
    then.to_zoned(TimeZone::UTC).strftime(pattern).to_string()
}

pub fn long_time(then: Timestamp) -> String {
    then.to_zoned(TimeZone::UTC).strftime("%a %b %e %H:%M:%S %Y").to_string()
}

pub fn run(tool: &mut Tool, args: &[String]) -> u8 {
    let Some(options) = getopt::parse("aHpvno:R:s:S:dDlL?xZz:", args) else { return tool.usage(USAGE_TEXT) };
    if options.has('?') {
        return tool.usage(USAGE_TEXT);
    }
    let mut columns = Vec::new();
    for word in options.values('o').flat_map(|list| list.split(',')) {
        match Column::named(word) {
            Some(column) => columns.push(column),
            None => {
                tool.complain(format!("Unknown column \"{word}\"."));
                return 1;
            }
        }
    }
    let Some(store) = tool.read() else { return 1 };
    if options.has('a') && !options.operands.is_empty() {
        tool.complain("-a ignored when used with arguments.");
    }
    let (mut rows, missed) = gather(tool, &store, &options);
    if options.has('d') || options.has('D') {
        rows = related(&store, &rows, options.has('D'));
    }
    match () {
        () if options.has('x') => super::svcs_long::explain(tool, &rows, options.has('v')),
        () if options.has('l') => super::svcs_long::details(tool, &store, &rows),
        () if options.has('L') => rows.iter().for_each(|r| tool.print(r.restarter("logfile"))),
        () => table(tool, &options, columns, rows),
    }
    u8::from(missed)
}

fn gather(tool: &Tool, store: &Store, options: &Parsed) -> (Vec<Row>, bool) {
    let mut found = BTreeMap::new();
    let mut missed = false;
    let row = |name: InstanceName| Row { groups: store.live_composed(&name).unwrap_or_default(), name };
    if options.operands.is_empty() {
        let everything = options.has('a') || options.has('x') || options.has('d') || options.has('D');
        for name in store.all_instances() {
            let row = row(name);
            if everything || row.is_enabled() {
                found.insert(row.name.clone(), row);
            }
        }
    }
    for operand in &options.operands {
        let (_, names) = instances(store, operand);
        if names.is_empty() {
            tool.complain(format!("Pattern '{operand}' doesn't match any instances"));
            missed = true;
        }
        found.extend(names.into_iter().map(|name| (name.clone(), row(name))));
    }
    (found.into_values().collect(), missed)
}

/// What the rows depend on, or with `dependents` what depends on them.
fn related(store: &Store, rows: &[Row], dependents: bool) -> Vec<Row> {
    let all: Vec<Row> = store
        .all_instances()
        .into_iter()
        .map(|name| Row { groups: store.live_composed(&name).unwrap_or_default(), name })
        .collect();
    let needs = |a: &Row, b: &Row| {
        let entities = a.groups.values().filter(|g| g.ty == "dependency").flat_map(|g| g.values("entities"));
        let service = format!("svc:/{}", b.name.service);
        entities.into_iter().any(|e| *e == service || *e == b.name.to_string())
    };
    let wanted = |row: &Row| rows.iter().any(|r| if dependents { needs(row, r) } else { needs(r, row) });
    all.into_iter().filter(wanted).collect()
}

fn table(tool: &mut Tool, options: &Parsed, mut columns: Vec<Column>, mut rows: Vec<Row>) {
    if columns.is_empty() {
        columns = match options.has('v') {
            true => vec![Column::State, Column::Nstate, Column::Stime, Column::Ctid, Column::Fmri],
            false => vec![Column::State, Column::Stime, Column::Fmri],
        };
    }
    if !options.has('H') {
        tool.print(columns.iter().map(|c| c.pad(c.heading())).collect::<String>());
    }
    sort(&mut rows, options);
    let starred = !columns.iter().any(|c| c.shows_next());
    for row in rows {
        tool.print(columns.iter().map(|c| c.pad(&c.text(&row, starred))).collect::<String>());
        if options.has('p') {
            let contracts = row.contracts().iter().filter_map(|c| c.parse().ok());
            for process in contracts.flat_map(members) {
                let name: String = process.command.chars().take(16).collect();
                tool.print(format!("{:15}{:>9} {:>8} {name}", "", process.started(), process.pid));
            }
        }
    }
}

fn sort(rows: &mut [Row], options: &Parsed) {
    let order = |state: &str| {
        ["legacy_run", "disabled", "uninitialized", "online", "degraded", "offline", "maintenance"]
            .iter()
            .position(|s| *s == state)
    };
    let keys: Vec<(bool, Column)> = options
        .options
        .iter()
        .filter(|(o, _)| matches!(o, 's' | 'S'))
        .filter_map(|(o, v)| Some((*o == 'S', Column::named(v.as_deref()?)?)))
        .collect();
    rows.sort_by(|a, b| {
        for (reverse, column) in &keys {
            let by = match column {
                Column::State | Column::Sta | Column::S => order(a.state()).cmp(&order(b.state())),
                Column::Stime => a.since().cmp(&b.since()),
                _ => column.text(a, false).cmp(&column.text(b, false)),
            };
            let by = if *reverse { by.reverse() } else { by };
            if by.is_ne() {
                return by;
            }
        }
        (order(a.state()), a.since(), &a.name).cmp(&(order(b.state()), b.since(), &b.name))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::model::{Group, Type};

    fn row(state: &str, next: &str) -> Row {
        let mut restarter = Group::nonpersistent("framework");
        restarter.set("state", Type::Astring, state);
        restarter.set("next_state", Type::Astring, next);
        Row { name: InstanceName::new("site/a", "b"), groups: Groups::from([("restarter".into(), restarter)]) }
    }

    #[test]
    fn states_carry_an_asterisk_only_in_a_transition() {
        assert_eq!(Column::State.text(&row("online", "none"), true), "online");
        assert_eq!(Column::State.text(&row("online", "offline"), true), "online*");
        assert_eq!(Column::State.text(&row("online", "offline"), false), "online");
        assert_eq!(Column::Nstate.text(&row("online", "none"), true), "-");
        assert_eq!(Column::Sta.text(&row("offline", "online"), true), "OFF*");
        assert_eq!(Column::State.text(&row("", ""), true), "-");
    }

    #[test]
    fn every_column_is_padded_and_followed_by_a_blank() {
        assert_eq!(Column::State.pad("online"), format!("{:<15} ", "online"));
        assert_eq!(Column::Ctid.pad("12"), "    12 ");
        assert_eq!(Column::Fmri.pad(&"x".repeat(60)), format!("{} ", "x".repeat(60)));
    }

    #[test]
    fn the_start_time_is_shorter_the_older_it_is() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let ago = |s: i64| short_time(Timestamp::from_second(1_700_000_000 - s).unwrap(), now);
        assert_eq!(ago(0), "22:13:20");
        assert_eq!(ago(60 * 60 * 16), " 6:13:20");
        assert_eq!(ago(86_400 * 10), "Nov_04");
        assert_eq!(ago(86_400 * 400), "2022");
    }
}
