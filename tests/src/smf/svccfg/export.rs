//! `svccfg export`: a service as a manifest that can be imported again. Templates and dependents are left out.

use std::fmt::Write as _;
use std::fs;

use super::{Done, Engine, Failure};
use crate::smf::fmri::Entity;
use crate::smf::model::{Group, Groups, value};

const HEAD: &str =
    "<?xml version='1.0'?>\n<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>\n";

impl Engine<'_, '_> {
    pub(super) fn export(&mut self, operand: &str, file: Option<&str>) -> Done {
        let store = self.store()?;
        let service = match self.resolve(&store, operand)? {
            Entity::Service(service) => service,
            Entity::Instance(_) => return Err(format!("\"{operand}\" is not a service.").into()),
        };
        let mut out = format!("{HEAD}<service_bundle type='manifest' name='export'>\n");
        let _ = writeln!(out, "  <service name='{service}' type='service' version='0'>");
        write_groups(&mut out, &store.service(&service).unwrap_or_default(), "    ");
        for name in store.instances(&service) {
            let groups = store.instance(&crate::smf::fmri::InstanceName::new(&service, &name)).unwrap_or_default();
            let enabled = value(&groups, "general", "enabled").unwrap_or("false");
            let _ = writeln!(out, "    <instance name='{name}' enabled='{enabled}'>");
            write_groups(&mut out, &groups, "      ");
            out.push_str("    </instance>\n");
        }
        out.push_str("  </service>\n</service_bundle>\n");
        match file {
            None => self.tool.out.push_str(&out),
            Some(path) => fs::write(path, out).map_err(|e| Failure(format!("Could not open \"{path}\": {e}")))?,
        }
        Ok(())
    }
}

fn write_groups(out: &mut String, groups: &Groups, indent: &str) {
    let of = |ty: &'static str| groups.iter().filter(move |(_, g)| g.ty == ty && !g.nonpersistent);
    for (name, group) in of("dependency").filter(|(_, g)| g.value("external") != Some("true")) {
        let get = |p| escape(group.value(p).unwrap_or_default());
        let (grouping, restart_on, ty) = (get("grouping"), get("restart_on"), get("type"));
        let _ = writeln!(
            out,
            "{indent}<dependency name='{name}' grouping='{grouping}' restart_on='{restart_on}' type='{ty}'>"
        );
        for entity in group.values("entities") {
            let _ = writeln!(out, "{indent}  <service_fmri value='{}'/>", escape(entity));
        }
        let _ = writeln!(out, "{indent}</dependency>");
    }
    for (name, group) in of("method") {
        let get = |p| escape(group.value(p).unwrap_or_default());
        let _ = writeln!(
            out,
            "{indent}<exec_method type='method' name='{name}' exec='{}' timeout_seconds='{}'>",
            get("exec"),
            get("timeout_seconds")
        );
        write_properties(out, group, &["type", "exec", "timeout_seconds"], indent);
        let _ = writeln!(out, "{indent}</exec_method>");
    }
    for (name, group) in groups.iter().filter(|(name, g)| is_plain(name, g)) {
        let _ = writeln!(out, "{indent}<property_group name='{name}' type='{}'>", group.ty);
        write_properties(out, group, if name == "general" { &["enabled"] } else { &[] }, indent);
        let _ = writeln!(out, "{indent}</property_group>");
    }
}

fn is_plain(name: &str, group: &Group) -> bool {
    let special = ["dependency", "method"].contains(&group.ty.as_str()) || group.ty.starts_with("template");
    let bare_general = name == "general" && group.properties.keys().all(|p| p == "enabled");
    !special && !group.nonpersistent && name != "manifestfiles" && !bare_general
}

fn write_properties(out: &mut String, group: &Group, without: &[&str], indent: &str) {
    for (name, property) in group.properties.iter().filter(|(name, _)| !without.contains(&name.as_str())) {
        let ty = property.ty;
        if let [value] = property.values.as_slice() {
            let _ = writeln!(out, "{indent}  <propval name='{name}' type='{ty}' value='{}'/>", escape(value));
            continue;
        }
        let _ = writeln!(out, "{indent}  <property name='{name}' type='{ty}'>");
        if !property.values.is_empty() {
            let nodes = property.values.iter().map(|v| format!("<value_node value='{}'/>", escape(v)));
            let _ = writeln!(out, "{indent}    <{ty}_list>{}</{ty}_list>", nodes.collect::<String>());
        }
        let _ = writeln!(out, "{indent}  </property>");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&apos;").replace('\n', "&#10;")
}
