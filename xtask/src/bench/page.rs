//! `docs/measurements.md`, made of one run.

use super::{Outcome, Run, Verdict};

const PREAMBLE: &str = "\
# Measurements

Made by `cargo xtask bench --page`; not written by hand. The same command measures it all again, in some minutes; rows
marked † alone by `cargo bench -p simhost --bench runtime`, the others by `cargo bench -p xtask --bench packages`.

Nothing of this was measured on illumos. Those rows are of vboxsvc on a simulated host: SMF is a stand-in, and a stub
without guests stands in for VirtualBox. Only vboxsvc's own processes are counted, by what the kernel says of each; of the
stand-ins nothing is. The numbers of the shell tool are vbox.sh's, as they were measured before this program was written.
The others are of the toolkit's writers and readers, built with optimisation, on files in this machine's file system.
";

pub fn render(run: &Run) -> Result<String, String> {
    let outcomes = run.outcomes()?;
    let machine = &run.machine;
    let mut page = format!(
        "{PREAMBLE}\n{} of commit {}, on {} with {} cores, {}; the load when it began was {}.\n\n",
        run.day, run.commit, machine.cpu, machine.cores, machine.kernel, machine.load
    );
    page.push_str("| what | before | goal | now | | how |\n|---|---|---|---|---|---|\n");
    for outcome in &outcomes {
        page.push_str(&line(outcome));
    }
    let missed: Vec<&Outcome> = outcomes.iter().filter(|o| o.verdict() == Verdict::Missed).collect();
    page.push_str(if missed.is_empty() { "\nEvery goal is met.\n" } else { "\n## Goals that are missed\n\n" });
    for outcome in missed {
        let by = outcome.times().map_or("more than nothing".to_owned(), |times| format!("{times:.1} times the goal"));
        let why = match outcome.row.why {
            "" => "Not known why: it is to be looked into, on a quiet machine first.",
            why => why,
        };
        page.push_str(&format!("- **{}**: {by}. {why}\n", outcome.row.what));
    }
    Ok(page)
}

fn line(outcome: &Outcome) -> String {
    let row = outcome.row;
    let goal = match row.most {
        Some(most) if most > 0.0 => format!("≤ {}", quantity(most, row.unit)),
        Some(_) => "0".to_owned(),
        None => "–".to_owned(),
    };
    let mark = if row.simulated { " †" } else { "" };
    let verdict = match outcome.verdict() {
        Verdict::Met => "met",
        Verdict::Missed => "**missed**",
        Verdict::Told => "",
    };
    let now = quantity(outcome.measured.value, row.unit);
    format!("| {}{mark} | {} | {goal} | {now} | {verdict} | {} |\n", row.what, row.before, outcome.measured.how)
}

/// A number with as many digits as say something, and its unit.
fn quantity(value: f64, unit: &str) -> String {
    let number = match value.abs() {
        0.0 => "0".to_owned(),
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.').to_owned() } else { number };
    format!("{number} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{ROWS, tests};

    #[test]
    fn each_row_is_a_line_with_its_verdict_and_what_is_missed_is_explained() {
        let mut run = tests::run();
        run.measured.iter_mut().for_each(|measured| measured.value = 0.0);
        let page = render(&run).unwrap();
        assert_eq!(page.matches("| once |").count(), ROWS.len());
        assert!(page.contains("Every goal is met.") && page.contains("2 cores"), "{page}");
        run.measured[0].value = 100.0;
        let page = render(&run).unwrap();
        assert!(page.contains("| ≤ 50 ms | 100 ms | **missed** |") && page.contains("2.0 times the goal"), "{page}");
    }

    #[test]
    fn numbers_have_as_many_digits_as_they_are_worth() {
        let shown = [0.0, 0.123, 1.5, 3.0, 12.34, 1234.5].map(|value| quantity(value, "ms"));
        assert_eq!(shown, ["0 ms", "0.12 ms", "1.5 ms", "3 ms", "12.3 ms", "1234 ms"]);
    }
}
