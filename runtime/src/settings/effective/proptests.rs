//! Junk in, settings within bounds out.

use proptest::prelude::*;

use super::*;

/// Properties with names of the table and values that range from right to junk.
fn junk() -> impl Strategy<Value = Properties> {
    let names: Vec<String> = table::rows()
        .map(Row::property)
        .chain(["start/timeout_seconds", "stop/timeout_seconds", "start/user", "start/use_profile"].map(String::from))
        .collect();
    let value = prop_oneof![
        "\\PC{0,12}",
        "-?[0-9]{1,20}",
        prop::sample::select(vec!["", "true", "false", "/x", "auto", "-", "all", "hook", "0x7", "'", "0 1"])
            .prop_map(String::from),
    ];
    let kind = prop::sample::select(vec!["astring", "integer", "boolean"]);
    let property =
        (kind, prop::collection::vec(value, 0..3)).prop_map(|(kind, values)| Property { kind: kind.into(), values });
    prop::collection::vec((prop::sample::select(names), property), 0..30).prop_map(|list| list.into_iter().collect())
}

fn over(service: &Properties, own: &Properties) -> Properties {
    service.iter().chain(own.iter()).map(|(key, property)| (key, property.clone())).collect()
}

proptest! {
    #[test]
    fn junk_never_panics_and_always_gives_values_within_bounds(composed in junk(), own in junk()) {
        let effective = effective("vm1", &composed, &own);
        for entry in &effective.origins {
            if let (Domain::Integer { min, max }, Some(Value::Number(number))) = (&entry.row.domain, &entry.value) {
                prop_assert!((min..=max).contains(&number), "{}", entry.row.name);
            }
        }
        let settings = &effective.settings;
        prop_assert!((-20..=19).contains(&settings.nice));
        prop_assert!(settings.poll >= Duration::from_secs(1));
        prop_assert!(settings.hook.timeout >= Duration::from_secs(1));
        prop_assert!(settings.hook.method.as_ref().is_none_or(|path| path.is_absolute()));
        prop_assert!(!settings.vm.is_empty() && !settings.zfs.prefix.is_empty() && !settings.fg_signals.is_empty());
        prop_assert!(settings.stop_timeout != Some(Duration::ZERO));
        prop_assert_eq!(effective.origins.len(), table::rows().count());
        let mut told: Vec<_> = effective.warnings.iter().map(|warning| &warning.property).collect();
        let number = told.len();
        told.dedup();
        prop_assert_eq!(told.len(), number, "each property is told once");
    }

    #[test]
    fn the_second_reading_changes_nothing_where_it_is_not_needed(service in junk(), own in junk()) {
        let composed = over(&service, &own);
        if !needs_own(&composed) {
            let with_own = effective("vm1", &composed, &own);
            let without = effective("vm1", &composed, &Properties::default());
            prop_assert_eq!(with_own.settings, without.settings);
            prop_assert_eq!(with_own.warnings, without.warnings);
        }
    }
}
