//! What a session came to, in one line: the last one of the report, and the heading of the page.

use std::collections::BTreeSet;
use std::fmt;

use crate::report::words;
use crate::session::SessionResult;
use crate::suite::TestIndex;

/// How a conclusion is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// All was judged, and there is no isolation failure.
    Good,
    /// Something is open, or all that was found is known.
    Doubtful,
    /// There are isolation failures that are not known.
    Bad,
}

/// The conclusion of a session. Displayed as one line without an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conclusion {
    pub(super) tone: Tone,
    /// What was found.
    pub(super) found: String,
    /// That it is not all, if something has ended the session.
    pub(super) ended: &'static str,
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.found, self.ended)
    }
}

impl Conclusion {
    pub(super) fn of(outline: &SessionResult) -> Self {
        let ended = match &outline.error {
            _ if outline.interrupted => "; interrupted, so this is not all",
            Some(_) => "; ended by an error, so this is not all",
            None => "",
        };
        let (tone, found) = found(outline);
        Self { tone, found, ended }
    }
}

fn found(outline: &SessionResult) -> (Tone, String) {
    let failures = || outline.findings.iter().filter(|finding| finding.kind.is_isolation_failure());
    let (found, known) = (failures().count(), failures().filter(|finding| finding.known.is_some()).count());
    let errors = outline.collected.suite.errors.len();
    let not = outline.findings.iter().filter(|finding| finding.unjudged);
    let not: usize = not.map(|finding| 1 + finding.also.len()).sum();
    let talking: BTreeSet<TestIndex> =
        outline.outside.iter().flat_map(|server| &server.tests).copied().collect();
    let talking = talking.len();
    let open = match (found, errors) {
        (0, 0) if outline.collected.suite.tests.is_empty() => match outline.collected.suite.deselected {
            0 => format!(
                "no test was collected in {}: name its tests, or give their folder with --rootdir",
                outline.collected.interpreter.rootdir
            ),
            deselected => {
                format!("no test was collected: {} deselected", words::count(deselected as usize, "test"))
            }
        },
        (0, 0) if !outline.unjudged.is_empty() => format!(
            "no isolation failure in what was looked into; {} not",
            match outline.unjudged.len() {
                1 => "1 failure was".to_owned(),
                more => format!("{more} failures were"),
            }
        ),
        (0, 0) if not > 0 => format!(
            "no isolation failure in what could be judged; {} not",
            if not == 1 { "1 failing test could".to_owned() } else { format!("{not} failing tests could") }
        ),
        (0, 0) if talking > 0 => format!(
            "no isolation failure in what could be judged; {} to a server outside of the trials",
            if talking == 1 { "1 test talks".to_owned() } else { format!("{talking} tests talk") }
        ),
        (0, 0) => return (Tone::Good, "no isolation failure".to_owned()),
        (0, _) => format!(
            "no isolation failure in what could be collected; the rest is hidden by {}",
            words::count(errors, "collection error")
        ),
        _ if known == found => words::failures(found, known),
        _ => return (Tone::Bad, words::failures(found, known)),
    };
    (Tone::Doubtful, open)
}
