//! Whether what is seen of a VM is what the model says.

use super::model::{Service, Vm};
use super::seen::Seen;

impl Service {
    fn word(self) -> &'static str {
        match self {
            Service::Online => "online",
            Service::Disabled => "disabled",
            Service::Maintenance => "maintenance",
        }
    }
}

/// Everything in which the two differ; nothing where all is as it must be.
pub fn differences(must: &Vm, seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |holds: bool, what: String| found.extend((!holds).then_some(what));
    let service = (must.service.word(), "none");
    let (state, next) = &seen.service;
    expect((state.as_str(), next.as_str()) == service, format!("SMF says {state} (next {next}), not {}", service.0));
    expect(seen.enabled == must.enabled, format!("general/enabled is {}, not {}", seen.enabled, must.enabled));
    let words = must.state.words();
    expect(words.contains(&seen.word.as_str()), format!("VirtualBox says {}, not {words:?}", seen.word));
    let processes = usize::from(must.state.is_up());
    expect(seen.processes.len() == processes, format!("VM processes {:?}, not {processes} of them", seen.processes));
    let monitors = usize::from(must.watched);
    expect(seen.monitors.len() == monitors, format!("monitors {:?}, not {monitors} of them", seen.monitors));
    expect(seen.commands.is_empty(), format!("commands under way {:?}", seen.commands));
    expect(seen.starts == must.starts, format!("{} starts of the VM in all, not {}", seen.starts, must.starts));
    expect(seen.leftovers.is_empty(), format!("files left in the run folder {:?}", seen.leftovers));
    if must.watched {
        let recorded = (seen.monitors.first().copied(), seen.processes.first().copied());
        expect(seen.recorded == recorded, format!("the pid file says {:?}, not {recorded:?}", seen.recorded));
        expect(seen.restarts == must.restarts, format!("{} restarts counted, not {}", seen.restarts, must.restarts));
    }
    found
}
