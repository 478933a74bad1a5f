//! The page of a long run.

use std::fmt::Write as _;

use super::run::Outcome;

/// The figures of one target on a line.
pub fn line(o: &Outcome) -> String {
    format!(
        "{}: {} cases in {:.0} s ({} accepted, {} refused), slowest {} ms, seed {}, {} findings",
        o.target,
        o.cases,
        o.took.as_secs_f64(),
        o.accepted,
        o.refused,
        o.slowest.as_millis(),
        o.seed,
        o.findings.len()
    )
}

/// The page as Markdown; `today` and `named` say when, and by which command.
///
/// # Errors
/// Never: a text takes what is written to it.
pub fn page(outcomes: &[Outcome], named: &str, today: &str) -> Result<String, std::fmt::Error> {
    let mut page = String::from("# Fuzzing\n\n");
    let cases: u64 = outcomes.iter().map(|o| o.cases).sum();
    let findings: usize = outcomes.iter().map(|o| o.findings.len()).sum();
    writeln!(
        page,
        "Written by `{named}` on {today}: {cases} inputs, {findings} findings. Each target begins with its corpus \
         (`tests/fuzz-corpus`), among it every input that once broke something, and goes on with mutations of it. \
         What holds for every case stands in `tests/src/fuzz`; `make test` runs the same for seconds.\n"
    )?;
    writeln!(
        page,
        "| target | corpus | cases | accepted | refused | slowest, ms | seconds | findings | seed |"
    )?;
    writeln!(page, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
    for o in outcomes {
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {:.0} | {} | {} |",
            o.target,
            o.kept,
            o.cases,
            o.accepted,
            o.refused,
            o.slowest.as_millis(),
            o.took.as_secs_f64(),
            o.findings.len(),
            o.seed
        )?;
    }
    for o in outcomes.iter().filter(|o| !o.findings.is_empty()) {
        writeln!(page, "\n## {}", o.target)?;
        for finding in &o.findings {
            let what = finding.fault.to_string().replace(['\n', '|'], " ");
            writeln!(page, "- {what}")?;
        }
    }
    Ok(page)
}
