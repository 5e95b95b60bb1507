//! The subcommands of svccfg that show and change property groups, properties and values of the selected entity.

use super::commands::{io, unquoted};
use super::lex::Token;
use super::{DENIED, Done, Engine, Failure};
use crate::smf::fmri::{Entity, glob};
use crate::smf::model::{Group, Groups, Property, Type, is_name};
use crate::smf::repository::Store;

const SYNTAX: &str = "Syntax error.";
const NO_SLASH: &str = "Property names must contain a `/'.";

impl Engine<'_, '_> {
    pub(super) fn groups(&self, store: &Store) -> Result<Groups, Failure> {
        match self.selected()? {
            Entity::Service(service) => store.service(&service),
            Entity::Instance(name) => store.instance(&name),
        }
        .ok_or_else(|| Failure("The selected entity has been deleted.".into()))
    }

    fn put(&mut self, store: &Store, groups: &Groups) -> Done {
        match self.selected()? {
            Entity::Service(service) => store.put_service(&service, groups),
            Entity::Instance(name) => {
                let done = store.put_instance(&name, groups);
                self.touched.push(name);
                done
            }
        }
        .map_err(io)
    }

    pub(super) fn list_groups(&mut self, pattern: Option<&str>) -> Done {
        let groups = self.groups(&self.store()?)?;
        let shown: Vec<_> =
            groups.iter().filter(|(n, _)| pattern.is_none_or(|p| glob(p.as_bytes(), n.as_bytes()))).collect();
        let width = shown.iter().map(|(n, _)| n.len()).max().unwrap_or(0);
        let widest_type = shown.iter().map(|(_, g)| g.ty.len()).max().unwrap_or(0);
        for (name, group) in shown {
            let flags = if group.nonpersistent { "  NONPERSISTENT" } else { "" };
            self.tool.print(format!("{name:width$}  {:widest_type$}{flags}", group.ty).trim_end());
        }
        Ok(())
    }

    pub(super) fn add_group(&mut self, name: &str, ty: &str, flags: Option<&str>) -> Done {
        let store = self.store()?;
        let mut groups = self.groups(&store)?;
        let nonpersistent = match flags {
            None => false,
            Some(flags) if flags.bytes().all(|b| matches!(b, b'P' | b'p')) => true,
            Some(flags) => return Err(format!("Invalid property group flag \"{flags}\".").into()),
        };
        if !is_name(name) || !is_name(ty) {
            return Err("Name or type invalid for property group.".into());
        }
        if groups.contains_key(name) {
            return Err("Property group already exists.".into());
        }
        if !self.caller.may_add_group(ty) {
            return Err(DENIED.into());
        }
        groups.insert(name.into(), Group { nonpersistent, ..Group::new(ty) });
        self.put(&store, &groups)
    }

    pub(super) fn delete_group(&mut self, name: &str) -> Done {
        let store = self.store()?;
        let mut groups = self.groups(&store)?;
        let Some(group) = groups.remove(name) else {
            return Err(format!("No such property group \"{name}\".").into());
        };
        if !self.caller.may_add_group(&group.ty) {
            return Err(DENIED.into());
        }
        self.put(&store, &groups)
    }

    /// `delprop pg/prop`; `delprop pg` deletes the group.
    pub(super) fn delete_property(&mut self, name: &str) -> Done {
        let Some((pg, prop)) = name.split_once('/') else { return self.delete_group(name) };
        let store = self.store()?;
        let mut groups = self.groups(&store)?;
        let group = groups.get_mut(pg).ok_or_else(|| Failure(format!("No such property group \"{pg}\".")))?;
        if group.properties.remove(prop).is_none() {
            return Err(format!("No such property {pg}/{prop}.").into());
        }
        if !self.caller.may_reshape(Some(group), &group.ty) {
            return Err(DENIED.into());
        }
        self.put(&store, &groups)
    }

    /// The selected entity's own properties: not composed.
    pub(super) fn list_properties(&mut self, pattern: Option<&str>) -> Done {
        let groups = self.groups(&self.store()?)?;
        for (line, ..) in self.listing(&groups, pattern) {
            self.tool.print(line);
        }
        Ok(())
    }

    /// A line for each group and property that fits the pattern, in columns, and what it is about.
    pub(super) fn listing<'g>(
        &self,
        groups: &'g Groups,
        pattern: Option<&str>,
    ) -> Vec<(String, &'g str, Option<&'g str>)> {
        let (pg_pattern, prop_pattern) = match pattern.map(|p| p.split_once('/')) {
            None => (None, None),
            Some(None) => (pattern, None),
            Some(Some((pg, prop))) => (Some(pg), Some(prop)),
        };
        let fits = |pattern: Option<&str>, name: &str| pattern.is_none_or(|p| glob(p.as_bytes(), name.as_bytes()));
        let mut rows = Vec::new();
        for (pg, group) in groups.iter().filter(|(n, _)| fits(pg_pattern, n)) {
            let about = (pg.as_str(), None);
            if prop_pattern.is_none() {
                let flags = if group.nonpersistent { "NONPERSISTENT" } else { "" };
                rows.push((pg.clone(), group.ty.clone(), flags.to_string(), about));
            }
            for (prop, property) in group.properties.iter().filter(|(n, _)| fits(prop_pattern, n)) {
                let readable = self.caller.may_read(group);
                let values = if readable { shown_values(property) } else { String::new() };
                rows.push((format!("{pg}/{prop}"), property.ty.to_string(), values, (pg, Some(prop.as_str()))));
            }
        }
        let width = rows.iter().map(|(n, ..)| n.len()).max().unwrap_or(0);
        let widest_type = rows.iter().map(|(_, t, ..)| t.len()).max().unwrap_or(0);
        let line = |(name, ty, values, (pg, prop))| {
            (format!("{name:width$}  {ty:widest_type$}  {values}").trim_end().to_string(), pg, prop)
        };
        rows.into_iter().map(line).collect()
    }

    pub(super) fn change_values(&mut self, verb: &str, arguments: &[Token]) -> Done {
        let Some((Token::Word(target), rest)) = arguments.split_first() else { return Err(SYNTAX.into()) };
        let assignment = match verb {
            "setprop" => Assignment::parse(rest)?,
            _ => Assignment::parse_operand(verb, rest)?,
        };
        let store = self.store()?;
        let mut groups = self.groups(&store)?;
        let (pg, prop) = target.split_once('/').ok_or(NO_SLASH)?;
        let group = groups.get_mut(pg).ok_or_else(|| Failure(format!("No such property group \"{pg}\".")))?;
        if !is_name(prop) {
            return Err(format!("Invalid property name \"{prop}\".").into());
        }
        let known = group.properties.get(prop);
        if verb == "delpropvalue" {
            let pattern = assignment.values.first().map(|(v, _)| v.as_str()).unwrap_or_default();
            let mut property = known.cloned().ok_or_else(|| Failure(format!("No such property {pg}/{prop}.")))?;
            property.values.retain(|v| !glob(pattern.as_bytes(), v.as_bytes()));
            return self.replace(&store, groups, pg, prop, property);
        }
        let ty = match &assignment.ty {
            Some(word) => word
                .strip_suffix(':')
                .and_then(Type::from_word)
                .ok_or_else(|| Failure(format!("Unknown type \"{word}\".")))?,
            None => known
                .map(|p| p.ty)
                .or_else(|| self.inherited_type(&store, pg, prop))
                .ok_or("Type required for new properties.")?,
        };
        let mut values = Vec::new();
        for (text, quoted) in &assignment.values {
            if assignment.is_list && !quoted && matches!(ty, Type::Astring | Type::Ustring) {
                return Err("Multiple string values or string values with spaces must be quoted with '\"'.".into());
            }
            values.push(ty.canonical(text).ok_or_else(|| Failure(format!("Invalid \"{ty}\" value \"{text}\".")))?);
        }
        if verb == "addpropvalue" {
            if let Some(property) = known.filter(|p| p.ty == ty) {
                values = property.values.iter().cloned().chain(values).collect();
            } else if known.is_some() {
                return Err("Property is not of this type.".into());
            }
        }
        self.replace(&store, groups, pg, prop, Property { ty, values })
    }

    /// The type that the instance's service gives the property.
    fn inherited_type(&self, store: &Store, pg: &str, prop: &str) -> Option<Type> {
        let Some(Entity::Instance(name)) = &self.selection else { return None };
        Some(store.service(&name.service)?.get(pg)?.properties.get(prop)?.ty)
    }

    fn replace(&mut self, store: &Store, mut groups: Groups, pg: &str, prop: &str, new: Property) -> Done {
        let Some(group) = groups.get_mut(pg) else { return Ok(()) };
        // A new property, and a new type, are more than a new value.
        let only_value = group.properties.get(prop).is_some_and(|old| old.ty == new.ty);
        let allowed = match only_value {
            true => self.caller.may_change(Some(group), &group.ty),
            false => self.caller.may_reshape(Some(group), &group.ty),
        };
        if !allowed {
            return Err(DENIED.into());
        }
        group.properties.insert(prop.into(), new);
        self.put(store, &groups)
    }
}

/// The right side of a `setprop`.
struct Assignment {
    ty: Option<String>,
    /// Each value, and whether it was a string.
    values: Vec<(String, bool)>,
    is_list: bool,
}

impl Assignment {
    fn parse(tokens: &[Token]) -> Result<Assignment, Failure> {
        let Some((Token::Equals, rest)) = tokens.split_first() else { return Err(SYNTAX.into()) };
        let (ty, list) = match rest {
            [Token::Open, list @ ..] => (None, list),
            [Token::Word(ty), Token::Open, list @ ..] => (Some(ty.clone()), list),
            one => return Assignment::parse_operand("setprop", one),
        };
        let Some((Token::Close, list)) = list.split_last() else { return Err(SYNTAX.into()) };
        let values = list.iter().map(string).collect::<Option<Vec<_>>>().ok_or(SYNTAX)?;
        Ok(Assignment { ty, values, is_list: true })
    }

    fn parse_operand(verb: &str, tokens: &[Token]) -> Result<Assignment, Failure> {
        let (ty, value) = match tokens {
            [value] => (None, value),
            [Token::Word(ty), value] if verb != "delpropvalue" => (Some(ty.clone()), value),
            _ => return Err(SYNTAX.into()),
        };
        Ok(Assignment { ty, values: vec![string(value).ok_or(SYNTAX)?], is_list: false })
    }
}

fn string(token: &Token) -> Option<(String, bool)> {
    match token {
        Token::Word(word) => Some((word.clone(), false)),
        Token::Text(text) => Some((unquoted(text).to_string(), true)),
        _ => None,
    }
}

fn shown_values(property: &Property) -> String {
    let stringy = matches!(property.ty, Type::Astring | Type::Ustring);
    let quote = |value: &String| {
        let needs = value.is_empty() || value.contains([' ', '\t', '\n', '"', '(', ')']);
        if needs || (stringy && property.values.len() > 1) {
            format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        } else {
            value.clone()
        }
    };
    property.values.iter().map(quote).collect::<Vec<_>>().join(" ")
}
