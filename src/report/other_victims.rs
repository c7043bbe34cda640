//! The other victims of a finding's polluter, for people.

use std::io::{self, Write};

use crate::finding::Finding;
use crate::finding::other_victims::OtherVictim;
use crate::judge::Signature;
use crate::report::{Verbosity, words};
use crate::suite::Suite;

/// Writes one under a label: whether it fails otherwise, and, for who wants more, its command.
///
/// # Errors
/// Those of the writer.
pub(super) fn one(
    out: &mut dyn Write,
    finding: &Finding,
    label: &str,
    victim: &Signature,
    suite: &Suite,
    verbosity: Verbosity,
) -> io::Result<()> {
    let id = words::test(suite, victim.test);
    let other = finding.other_victims().find(|other| other.signature == victim);
    let polluter = finding.polluting_test();
    let after = other.and_then(|other| other.after).filter(|&after| Some(after) != polluter);
    let after = after.map_or_else(String::new, |after| format!(", after {}", words::test(suite, after)));
    let otherwise = if finding.is_otherwise(victim, suite) {
        format!(", fails otherwise: {}", words::crash(&victim.crash))
    } else {
        String::new()
    };
    let enough = finding.explanation.as_ref().and_then(|it| it.related_tests.enough.get(&victim.test));
    let enough = enough.map_or_else(String::new, |places| format!(", for {} alone", places.join(" and ")));
    writeln!(out, "  {label:<13} {id}{after}{enough}{otherwise}")?;
    let command = other.filter(|_| verbosity == Verbosity::Verbose);
    let Some(command) = command.and_then(|other| finding.command_for(other, suite)) else {
        return Ok(());
    };
    let untried = if command.shown { "" } else { "  (not tried)" };
    writeln!(out, "  {:<13} {}{untried}", "", command.text)
}

/// Writes how the commands of those that fail after the polluter come of that of the finding, and how far that was tried.
///
/// # Errors
/// Those of the writer.
pub(super) fn commands(out: &mut dyn Write, finding: &Finding, suite: &Suite) -> io::Result<()> {
    let polluter = finding.polluting_test();
    let after_polluter = |other: &OtherVictim<'_>| other.after == polluter;
    let others: Vec<OtherVictim<'_>> = finding.other_victims().filter(after_polluter).collect();
    if others.iter().all(|&other| finding.command_for(other, suite).is_none()) {
        return Ok(());
    }
    let tried = others.iter().filter_map(|other| finding.other_commands.get(&other.signature.test));
    let (all, tried, shown) = (others.len(), tried.clone().count(), tried.flatten().count());
    let how_far = match tried {
        0 => "tried for none".to_owned(),
        _ if tried == shown => format!("tried for {tried} of {all}, each of which showed its failure"),
        _ => format!("tried for {tried} of {all}, of which {shown} showed the failure"),
    };
    writeln!(
        out,
        "  {:<13} as this with another last test, for each of the others; {how_far} (-v has all)",
        "commands"
    )
}
