//! The JSON report. Its shape is fixed by `report.schema.json` beside this file.
//!
//! The same seed on the same suite writes the same bytes, but for what stands under `times`.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::explain::RelatedTests;
use crate::finding::group::{Group, groups};
use crate::finding::known::Known;
use crate::finding::{Finding, Kind, Origin};
use crate::formats::REPORT;
use crate::judge::signature::{FailureLocation, Signature};
use crate::judge::statistics::Tally;
use crate::plan::coverage::Shares;
use crate::plan::document::PlanDocument;
use crate::plan::schedule::Resource;
use crate::plan::{Axes, Plan, Seed, WorkerId};
use crate::race::operation::Operation;
use crate::race::servers::OutsideServer;
use crate::race::trace::{Trace, TracedCall};
use crate::report::explanation_document::ExplanationDocument;
use crate::report::given_up::GivenUpDocument;
use crate::report::tokens::Tokens;
use crate::report::{ReplayDocument, words};
use crate::session::SessionResult;
use crate::suite::triage::{Cause, by_cause};
use crate::suite::{CollectionError, Fingerprint, Fixture, Suite, TestId, TestIndex};
use crate::trial::Interpreter;

/// A report.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: &'static str,
    jostle: &'static str,
    seed: Seed,
    axes: Axes,
    suite: SuiteSummary,
    collection_errors: Vec<CauseGroup>,
    remarks: Vec<String>,
    /// Only if there are some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<TestId>,
    /// Only if tests talk to some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outside_servers: Vec<OutsideServerDocument>,
    alone: usize,
    trials: u64,
    schedules: u64,
    probes: u32,
    coverage: Shares,
    findings: Vec<FindingDocument>,
    causes: Vec<CauseOfFindings>,
    unjudged: Vec<Unjudged>,
    unseen: Vec<String>,
    interrupted: bool,
    /// Of `jostle replay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<ReplayDocument>,
    /// The error that ended the session.
    error: Option<String>,
    exit_code: u8,
    times: Times,
}

/// A server outside of the trials.
#[derive(Debug, Serialize)]
pub(crate) struct OutsideServerDocument {
    address: String,
    program: Option<String>,
    reached: bool,
    tests: Vec<TestId>,
}

/// What was collected, and by what.
#[derive(Debug, Serialize)]
pub(crate) struct SuiteSummary {
    fingerprint: Fingerprint,
    tests: usize,
    deselected: u32,
    #[serde(flatten)]
    interpreter: Interpreter,
    neutralised: Vec<String>,
    /// Who sorts the tests, whatever order is asked for.
    sorted_by: Vec<String>,
}

/// Collection errors with one cause.
#[derive(Debug, Serialize)]
pub(crate) struct CauseGroup {
    cause: Cause,
    errors: Vec<CollectionError>,
}

#[derive(Debug, Serialize)]
struct FindingDocument {
    kind: Kind,
    isolation_failure: bool,
    test: Option<TestId>,
    crash: Option<FailureLocation>,
    message: Option<String>,
    fixture: Option<Fixture>,
    origin: Origin,
    token: Option<String>,
    with: Rate,
    without: Rate,
    /// Runs of plain pytest as its users run it, if any tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    plain: Option<Rate>,
    culprits: Vec<TestId>,
    /// Of a victim that is skipped alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passes_after: Vec<TestId>,
    imports: Vec<String>,
    one_minimal: Option<bool>,
    shrink_calls: Option<u32>,
    minimal_plan: Option<PlanDocument>,
    original_plan: Option<PlanDocument>,
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_command: Option<String>,
    also: Vec<TestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_polluter: Option<SamePolluterDocument>,
    explanation: Option<ExplanationDocument>,
    related_tests: Option<RelatedDocument>,
    /// `related_tests` as version 0.1.0 calls it.
    circle: Option<RelatedDocument>,
    note: Option<String>,
    race: Option<RaceDocument>,
    known: Option<Known>,
    given_up: Option<GivenUpDocument>,
}

/// Other tests that fail after the polluter.
#[derive(Clone, Debug, Serialize)]
struct SamePolluterDocument {
    victims: Vec<VictimDocument>,
    fresh: Vec<TestId>,
}

/// Other tests that have to do with the place.
#[derive(Clone, Debug, Serialize)]
struct RelatedDocument {
    polluters: Vec<TestId>,
    victims: Vec<VictimDocument>,
    cleaners: Vec<TestId>,
    whole: bool,
    fresh: Vec<TestId>,
}

#[derive(Clone, Debug, Serialize)]
struct VictimDocument {
    test: TestId,
    crash: FailureLocation,
    /// The test after which the polluter fails in its turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<TestId>,
    otherwise: bool,
    /// The names of those of the places that are enough for it, if not all are needed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    enough: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<VictimCommand>,
}

/// A command of plain pytest for another victim.
#[derive(Clone, Debug, Serialize)]
struct VictimCommand {
    line: String,
    shown: bool,
}

/// A race whose interleaving was controlled.
#[derive(Debug, Serialize)]
struct RaceDocument {
    resource: Resource,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    calls: Vec<TracedCallDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<DelayDocument>,
    diverged: u32,
}

/// The time that the other worker takes.
#[derive(Debug, Serialize)]
struct DelayDocument {
    milliseconds: u32,
    passes: u32,
    after: String,
    before: String,
}

#[derive(Debug, Serialize)]
struct TracedCallDocument {
    worker: WorkerId,
    test: TestId,
    call: Operation,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    writes: bool,
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

#[derive(Debug, Serialize)]
struct Rate {
    runs: u32,
    failed: u32,
    interval: Option<(f64, f64)>,
}

/// A confirmed place of shared state, over all findings.
#[derive(Debug, Serialize)]
struct CauseOfFindings {
    place: String,
    polluters: Vec<TestId>,
    victims: Vec<TestId>,
    state_setters: Vec<TestId>,
    brittle: Vec<TestId>,
    cleaners: Vec<TestId>,
}

#[derive(Debug, Serialize)]
struct Unjudged {
    test: TestId,
    crash: FailureLocation,
    origin: Origin,
}

#[derive(Debug, Serialize)]
struct Times {
    seconds: f64,
}

impl SuiteSummary {
    /// What is told of a collected suite.
    pub(crate) fn new(collected: &crate::trial::Collected) -> Self {
        let suite = &collected.suite;
        Self {
            fingerprint: suite.fingerprint.clone(),
            tests: suite.tests.len(),
            deselected: suite.deselected,
            interpreter: collected.interpreter.clone(),
            neutralised: collected.neutralised.clone(),
            sorted_by: suite.sorting.sorted_by.clone(),
        }
    }
}

/// The collection errors of a suite by cause.
pub(crate) fn cause_groups(suite: &Suite) -> Vec<CauseGroup> {
    let group = |(cause, errors): (Cause, Vec<&CollectionError>)| CauseGroup {
        cause,
        errors: errors.into_iter().cloned().collect(),
    };
    by_cause(&suite.errors).into_iter().map(group).collect()
}

impl Document {
    /// The report of a session that ends with an exit code.
    pub(crate) fn new(outline: &SessionResult, exit_code: u8) -> Self {
        let suite = &outline.collected.suite;
        let finding = |finding| FindingDocument::new(finding, outline);
        Self {
            schema: REPORT,
            jostle: env!("CARGO_PKG_VERSION"),
            seed: outline.seed,
            axes: outline.axes.clone(),
            suite: SuiteSummary::new(&outline.collected),
            collection_errors: cause_groups(suite),
            remarks: outline.costs.iter().chain(&outline.remarks).cloned().collect(),
            left_out: outline.left_out.iter().map(|&test| suite.test(test).id.clone()).collect(),
            outside_servers: outline
                .outside
                .iter()
                .map(|server| OutsideServerDocument::new(server, suite))
                .collect(),
            alone: outline.alone,
            trials: outline.trials,
            schedules: outline.schedules,
            probes: outline.probes,
            coverage: outline.coverage,
            findings: outline.findings.iter().map(finding).collect(),
            causes: groups(&outline.findings, suite)
                .iter()
                .map(|group| CauseOfFindings::new(group, suite))
                .collect(),
            unjudged: outline
                .unjudged
                .iter()
                .map(|suspect| Unjudged {
                    test: suite.test(suspect.signature.test).id.clone(),
                    crash: suspect.signature.crash.clone(),
                    origin: suspect.origin,
                })
                .collect(),
            unseen: outline.unseen.clone(),
            interrupted: outline.interrupted,
            replay: None,
            error: outline.error.as_ref().map(ToString::to_string),
            exit_code,
            times: Times { seconds: outline.duration.as_secs_f64() },
        }
    }

    /// The same, of a replay whose runs showed this.
    #[must_use]
    pub(crate) fn of_replay(self, runs: ReplayDocument) -> Self {
        Self { replay: Some(runs), ..self }
    }
}

impl OutsideServerDocument {
    fn new(server: &OutsideServer, suite: &Suite) -> Self {
        let OutsideServer { at, tests } = server;
        Self {
            address: at.address(),
            program: at.program.clone(),
            reached: at.reached,
            tests: tests.iter().map(|&test| suite.test(test).id.clone()).collect(),
        }
    }
}

impl CauseOfFindings {
    fn new(group: &Group, suite: &Suite) -> Self {
        let [setters, sufferers] = group.sides();
        Self {
            place: group.place.clone(),
            polluters: ids(&setters, suite),
            victims: ids(&sufferers, suite),
            state_setters: ids(&group.state_setters, suite),
            brittle: ids(&group.brittle, suite),
            cleaners: ids(&group.cleaners, suite),
        }
    }
}

impl FindingDocument {
    fn new(finding: &Finding, outline: &SessionResult) -> Self {
        let suite = &outline.collected.suite;
        let id = |&test: &_| suite.test(test).id.clone();
        let document = |plan: &Plan| PlanDocument::new(plan, suite);
        let (culprits, imports) = finding.causes();
        let shrunk = finding.shrunk.as_ref();
        let confirmed = finding.explanation.as_ref().filter(|explanation| explanation.confirmed);
        let related_tests =
            confirmed.map(|explanation| RelatedDocument::new(finding, &explanation.related_tests, suite));
        Self {
            kind: finding.kind,
            isolation_failure: finding.kind.is_isolation_failure(),
            test: finding.test.as_ref().map(id),
            crash: finding.signature.as_ref().map(|signature| signature.crash.clone()),
            message: finding.failure.as_ref().map(|failure| failure.message.clone()),
            fixture: finding.fixture().cloned(),
            origin: finding.origin,
            token: Tokens::of(outline).token(finding.origin).map(|token| token.to_string()),
            with: Rate::new(finding.with),
            without: Rate::new(finding.without),
            plain: (finding.plain.runs > 0).then(|| Rate::new(finding.plain)),
            culprits: culprits.iter().map(id).collect(),
            passes_after: finding.passes_after.iter().flatten().map(id).collect(),
            imports: imports.to_vec(),
            one_minimal: shrunk.map(|minimal| minimal.one_minimal),
            shrink_calls: shrunk.map(|minimal| minimal.calls),
            minimal_plan: shrunk.map(|minimal| document(&minimal.plan)),
            original_plan: finding.plan.as_ref().map(document),
            command: finding.command.clone(),
            no_command: finding.no_command.map(|why| words::no_command(why, suite)),
            also: finding.also.iter().map(id).collect(),
            same_polluter: SamePolluterDocument::new(finding, suite),
            explanation: finding.explanation.as_ref().map(ExplanationDocument::new),
            circle: related_tests.clone(),
            related_tests,
            note: finding.note.clone(),
            race: finding.trace.as_ref().map(|trace| RaceDocument::new(trace, suite)),
            known: finding.known.clone(),
            given_up: finding.given_up.as_ref().map(|given_up| GivenUpDocument::new(given_up, suite)),
        }
    }
}

impl VictimDocument {
    fn new(finding: &Finding, victim: &Signature, suite: &Suite) -> Self {
        let id = |test: TestIndex| suite.test(test).id.clone();
        let other = finding.other_victims().find(|other| other.signature == victim);
        let command = other.and_then(|other| finding.command_for(other, suite));
        let related = finding.explanation.as_ref().map(|explanation| &explanation.related_tests);
        let enough = related.and_then(|related| related.enough.get(&victim.test));
        Self {
            test: id(victim.test),
            crash: victim.crash.clone(),
            after: None,
            otherwise: finding.is_otherwise(victim, suite),
            enough: enough.cloned().unwrap_or_default(),
            command: command.map(|command| VictimCommand { line: command.text, shown: command.shown }),
        }
    }
}

impl SamePolluterDocument {
    /// None if there are no such tests.
    fn new(finding: &Finding, suite: &Suite) -> Option<Self> {
        let told = &finding.same_polluter;
        let victims = told.victims.iter().map(|victim| VictimDocument::new(finding, victim, suite));
        let document = Self { victims: victims.collect(), fresh: ids(&told.fresh, suite) };
        (!document.victims.is_empty()).then_some(document)
    }
}

impl RelatedDocument {
    fn new(finding: &Finding, related_tests: &RelatedTests, suite: &Suite) -> Self {
        let victim = |victim: &Signature| VictimDocument::new(finding, victim, suite);
        let in_turn = related_tests.in_turn.iter().map(|turn| VictimDocument {
            after: Some(suite.test(turn.after).id.clone()),
            ..victim(&turn.victim)
        });
        Self {
            polluters: ids(&related_tests.polluters, suite),
            victims: related_tests.victims.iter().map(victim).chain(in_turn).collect(),
            cleaners: ids(&related_tests.cleaners, suite),
            whole: related_tests.whole,
            fresh: ids(&related_tests.fresh, suite),
        }
    }
}

fn ids(tests: &BTreeSet<TestIndex>, suite: &Suite) -> Vec<TestId> {
    tests.iter().map(|&test| suite.test(test).id.clone()).collect()
}

impl RaceDocument {
    fn new(trace: &Trace, suite: &Suite) -> Self {
        let call = |made: &TracedCall| TracedCallDocument {
            worker: made.worker,
            test: suite.test(made.test).id.clone(),
            call: made.call.operation,
            statement: made.call.statement.clone(),
            writes: made.call.writes,
            at: made.call.at.clone(),
            by: made.call.by.clone(),
        };
        Self {
            resource: trace.resource.clone(),
            folder: trace.folder.clone(),
            calls: trace.calls.iter().map(call).collect(),
            delay: trace.delay.as_ref().map(|delay| DelayDocument {
                milliseconds: delay.milliseconds,
                passes: delay.passes,
                after: delay.after.place(),
                before: delay.before.place(),
            }),
            diverged: trace.diverged,
        }
    }
}

impl Rate {
    fn new(tally: Tally) -> Self {
        let rounded = |value: f64| (value * 1e4).round() / 1e4;
        let interval =
            (tally.runs > 0).then(|| tally.interval()).map(|(low, high)| (rounded(low), rounded(high)));
        Self { runs: tally.runs, failed: tally.failed, interval }
    }
}
