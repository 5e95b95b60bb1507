//! Tokens in a method's command: `%i`, `%{pg/prop}` and their kin.

use crate::smf::fmri::{Fmri, InstanceName};
use crate::smf::model::{Groups, composed};
use crate::smf::quote::escaped;
use crate::smf::repository::Store;

/// Expands a command for a method of an instance whose running data is `groups`.
pub fn expand(
    command: &str,
    method: &str,
    name: &InstanceName,
    groups: &Groups,
    store: &Store,
) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = command;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let token = rest.chars().next().ok_or("incomplete sequence at end of string")?;
        rest = &rest[token.len_utf8()..];
        match token {
            '%' => out.push('%'),
            'r' => out.push_str("svc.startd"),
            'm' => out.push_str(method),
            's' => out.push_str(&escaped(&name.service)),
            'i' => out.push_str(&escaped(&name.instance)),
            'f' => out.push_str(&escaped(&name.to_string())),
            '{' => {
                let (inside, after) = rest.split_once('}').ok_or("missing `}'")?;
                rest = after;
                out.push_str(&property(inside, groups, store)?);
            }
            other => return Err(format!("unknown method token `%{other}'")),
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn property(inside: &str, groups: &Groups, store: &Store) -> Result<String, String> {
    let (reference, separator) = match inside.strip_suffix([',', ':']) {
        Some(reference) => (reference, &inside[inside.len() - 1..]),
        None => (inside, " "),
    };
    let missing = || format!("property \"{reference}\" not found");
    let foreign;
    let (groups, pg, prop) = match Fmri::parse(reference) {
        Some(Fmri { service, instance, pg: Some(pg), prop: Some(prop) }) => {
            let own =
                instance.and_then(|instance| store.instance(&InstanceName { service: service.clone(), instance }));
            foreign = composed(&own.unwrap_or_default(), &store.service(&service).unwrap_or_default());
            (&foreign, pg, prop)
        }
        _ => {
            let (pg, prop) = reference.split_once('/').unwrap_or(("application", reference));
            (groups, pg.to_string(), prop.to_string())
        }
    };
    let property = groups.get(&pg).and_then(|g| g.properties.get(&prop)).ok_or_else(missing)?;
    Ok(property.values.iter().map(|v| escaped(v)).collect::<Vec<_>>().join(separator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::model::{Group, Property, Type};

    #[test]
    fn tokens_become_escaped_values() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("smf")).unwrap();
        Store::create(root.path()).unwrap();
        let store = Store::read(root.path()).unwrap();
        let mut vm = Group::new("application");
        let values = vec!["a b".to_string(), "$c".to_string()];
        vm.properties.insert("many".into(), Property { ty: Type::Astring, values });
        vm.set("empty", Type::Astring, "");
        let groups = Groups::from([("vm".into(), vm)]);
        let name = InstanceName::new("site/xvm/vbox", "win");
        let expand = |command: &str| expand(command, "start", &name, &groups, &store);
        assert_eq!(
            expand("/m %m %i %f %s %r %%").unwrap(),
            "/m start win svc:/site/xvm/vbox:win site/xvm/vbox svc.startd %"
        );
        assert_eq!(expand("%{vm/many} %{vm/many,}|%{vm/empty}|").unwrap(), "a\\ b $c a\\ b,$c||");
        assert!(expand("%{vm/none}").unwrap_err().contains("not found"));
        assert!(expand("%x").is_err() && expand("100%").is_err() && expand("%{vm/many").is_err());
    }
}
