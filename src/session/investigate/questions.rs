//! The runs that tell what kind a failure is.

use crate::finding::Origin;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::judge::verdict::{PassedIn, Verdict};
use crate::judge::{Evidence, Facts, Next, Question, decide};
use crate::limits::{BELIEVED_IF_CONSTANT, SILENT_RUNS};
use crate::plan::Plan;
use crate::run::{Job, RunError};
use crate::session::lab::{Lab, alone, serial, serial_of_worker};
use crate::session::stress::draws::Seen;
use crate::session::suspect::{Suspect, suspects};
use crate::suite::TestIndex;
use crate::trial::Trial;

/// What a suspect was judged to be.
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) evidence: Evidence,
    /// Whether one and the same plan shows the failure at several places.
    pub(crate) moves: bool,
    /// The question that was given up, as its runs gave no answer.
    pub(crate) silent: Option<Question>,
    /// How the test failed alone, if it did.
    pub(crate) alone: Option<Suspect>,
    /// The runs of the test alone, each with a random seed of its own.
    pub(crate) varying: Vec<Seen>,
}

/// Why no claim is made where a question had no answer.
pub(crate) fn no_answer(question: Question) -> &'static str {
    match question {
        Question::Alone | Question::AloneWherePassed => {
            "it is skipped, or not run, alone, so that nothing tells whether other tests make it fail"
        }
        Question::Again | Question::Serial => "when its plan was run again, it was skipped, or not run",
        Question::PassedAgain => {
            "when the plan in which it had passed was run again, it was skipped, or not run"
        }
    }
}

pub(crate) fn judge(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    reference: Option<&Plan>,
    assume_deterministic: bool,
) -> Result<Judgement, RunError> {
    let plan = &suspect.plan;
    let passed_in = match reference {
        None => PassedIn::Nothing,
        Some(passing) if passing.hash_seed == plan.hash_seed => PassedIn::SameHashSeed,
        Some(_) => PassedIn::OtherHashSeed,
    };
    let facts = Facts { parallel: plan.workers.len() > 1, passed_in, assume_deterministic };
    let any = FailureMatcher::Failure(suspect.signature.test);
    let anywhere = FailureMatcher::any(&suspect.signature, suspect.failure.as_ref());
    let loosely = wanted(suspect, if facts.parallel { Verdict::Race } else { Verdict::Victim });
    let mut same = exactly(suspect, &loosely);
    know_alone(lab, plan, suspect.signature.test)?;
    let mut evidence = Evidence::default();
    let mut failed_alone = None;
    let (mut silent, mut varying) = (0, Vec::new());
    let mut moves = false;
    loop {
        let (question, times) = match decide(facts, &evidence) {
            Next::Done(verdict) => {
                return Ok(Judgement {
                    verdict,
                    evidence,
                    silent: None,
                    alone: failed_alone,
                    varying,
                    moves,
                });
            }
            Next::Ask(question, _) if lab.out_of_time() || silent >= SILENT_RUNS => {
                let silent = (silent >= SILENT_RUNS).then_some(question);
                let verdict = Verdict::Unreproduced;
                return Ok(Judgement { verdict, evidence, silent, alone: failed_alone, varying, moves });
            }
            Next::Ask(question, times) => (question, times),
        };
        let runs = evidence.tally(question).runs..times;
        let by_chance = evidence.alone.failed > 0 && !evidence.alone.always();
        let asked = |run| {
            let plan = question_plan(lab, question, suspect, reference, run);
            // Under one random seed it may be that alone which decides.
            let reseeds = by_chance && matches!(question, Question::Again | Question::Serial);
            if reseeds { plan.reseeded(run) } else { plan }
        };
        let plans: Vec<Plan> = runs.map(asked).collect();
        let jobs: Vec<Job<'_>> = plans.iter().map(Job::of).collect();
        let trials = lab.probes(&jobs)?;
        for (plan, trial) in plans.into_iter().zip(trials) {
            if question == Question::Alone && failed_alone.is_none() {
                failed_alone = suspects(Origin::Alone, &plan, &trial).into_iter().next();
            }
            if question == Question::Again && observe(&trial, &same) == Observation::Other {
                moves |= observe(&trial, &loosely) == Observation::Same;
            }
            if moves {
                same = loosely.clone();
            }
            let looked_for = match question {
                Question::Again | Question::Serial if by_chance => &any,
                Question::Again | Question::Serial => &same,
                Question::PassedAgain => &anywhere,
                Question::Alone | Question::AloneWherePassed => &any,
            };
            let Some(failed) = observe(&trial, looked_for).shown() else {
                silent += 1;
                continue;
            };
            evidence.add(question, failed);
            if matches!(question, Question::Alone | Question::AloneWherePassed) {
                varying.push(Seen { plan, fresh: false, failed });
            }
        }
    }
}

/// Finds out how a test fares alone in a fork, if it would be run in one and it is not known.
pub(crate) fn know_alone(lab: &mut Lab<'_>, plan: &Plan, test: TestIndex) -> Result<(), RunError> {
    let in_fork = lab.in_forks(&alone(plan, lab.suite, test, plan.random_seed));
    if lab.forks(&in_fork) && lab.history.failed_alone(test, plan.hash_seed).is_none() {
        lab.probe(&in_fork)?;
    }
    Ok(())
}

/// Why no claim is made of what fails in any worker.
pub(crate) const AS_A_WORKER: &str = "it fails alone as well where it runs in the only worker of pytest-xdist, and not where it \
     runs without: it depends on being in a worker, and on no other test";

/// Whether a test that passes alone fails so in the only worker of the plan's mode: then no other worker is to blame.
///
/// # Errors
/// Those of the engine.
pub(crate) fn fails_as_the_only_worker(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<bool, RunError> {
    let alone = serial(&suspect.plan, vec![suspect.signature.test]);
    let plan = Plan { mode: suspect.plan.mode, ..alone };
    for run in 0..SILENT_RUNS {
        let trial = lab.probe(&plan.reseeded(run))?;
        if observe(&trial, &suspect.wanted()) != Observation::Same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether so many runs of a plan as constancy is believed for all show something, each under another random seed.
///
/// # Errors
/// Those of the engine.
pub(crate) fn shows_each_time(
    lab: &mut Lab<'_>,
    plan: &Plan,
    shows: impl Fn(&Trial) -> bool,
) -> Result<bool, RunError> {
    let plans: Vec<Plan> = (0..BELIEVED_IF_CONSTANT).map(|run| plan.reseeded(run)).collect();
    Ok(lab.probes(&plans.iter().map(Job::of).collect::<Vec<_>>())?.iter().all(shows))
}

pub(crate) fn question_plan(
    lab: &Lab<'_>,
    question: Question,
    suspect: &Suspect,
    reference: Option<&Plan>,
    run: u32,
) -> Plan {
    let (plan, test) = (&suspect.plan, suspect.signature.test);
    let random_seed = plan.random_seed.wrapping_add(run);
    match question {
        Question::Alone => lab.alone(plan, test, random_seed),
        Question::Again => as_far_as(suspect, plan.clone()),
        Question::Serial => as_far_as(suspect, serial_of_worker(plan, suspect.worker)),
        Question::AloneWherePassed => lab.alone(reference.unwrap_or(plan), test, random_seed),
        Question::PassedAgain => as_far_as(suspect, reference.unwrap_or(plan).clone()),
    }
}

/// A plan of one worker without what comes long after the last run of the suspected test, as that says nothing of it. The
/// next test stays: it decides which fixtures are torn down with the suspected one. As it is where the last test is charged
/// with a teardown.
fn as_far_as(suspect: &Suspect, mut plan: Plan) -> Plan {
    if let ([list], None) = (plan.workers.as_mut_slice(), suspect.fixture_torn_down())
        && let Some(last) = list.iter().rposition(|&test| test == suspect.signature.test)
    {
        list.truncate(last + 2);
    }
    plan
}

pub(crate) fn wanted(suspect: &Suspect, verdict: Verdict) -> FailureMatcher {
    match suspect.fixture() {
        Some(fixture) if verdict == Verdict::Race => {
            FailureMatcher::Fixture(fixture.clone(), suspect.signature.crash.clone())
        }
        _ => suspect.wanted(),
    }
}

/// What a suspect is told from other failures of its test by, so that shrinking does not slip to another: the
/// lines too, unless these change from run to run. Values in its message may change with what runs before.
pub(crate) fn exactly(suspect: &Suspect, wanted: &FailureMatcher) -> FailureMatcher {
    match (wanted, &suspect.site) {
        (FailureMatcher::Signature(signature), Some(site)) => {
            FailureMatcher::At(signature.clone(), site.lines)
        }
        _ => wanted.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Origin;
    use crate::judge::Signature;
    use crate::plan::WorkerId;
    use crate::session::fake_engine::{failed, name, plan, test};
    use crate::suite::{Fixture, Phase};
    use crate::trial::{Failure, Outcome};

    fn suspect(lists: &str, shared_teardown: bool) -> Suspect {
        let Outcome::Failed(failure) = failed("KeyError") else { unreachable!() };
        let fixture = shared_teardown.then(|| Fixture {
            name: "server".into(),
            scope: "module".into(),
            file: "conftest.py".into(),
            phase: Phase::Teardown,
        });
        let phase = if shared_teardown { Phase::Teardown } else { failure.phase };
        let failure = Failure { fixture, phase, ..failure };
        Suspect {
            signature: Signature::of(test('v'), &Outcome::Failed(failure.clone())).unwrap(),
            charged: test('v'),
            site: None,
            again: false,
            failure: Some(failure),
            origin: Origin::Trial(0),
            plan: plan(lists),
            worker: WorkerId(0),
        }
    }

    #[test]
    fn what_comes_long_after_the_last_run_of_a_test_is_not_run_again_for_it() {
        let rows = [
            ("abvcd", "abvc"),
            ("abv", "abv"),
            ("avbvcd", "avbvc"),
            ("abcd", "abcd"),
            ("abvcd|efg", "abvcd|efg"),
        ];
        for (of, left) in rows {
            let plan = as_far_as(&suspect(of, false), plan(of));
            let lists =
                plan.workers.iter().map(|list| list.iter().map(|&test| name(test)).collect::<String>());
            assert_eq!(lists.collect::<Vec<_>>().join("|"), left, "{of}");
        }
        let shared = suspect("abvcd", true);
        assert_eq!(as_far_as(&shared, plan("abvcd")), plan("abvcd"), "another test may be charged");
    }
}
