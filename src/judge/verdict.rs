//! One failure under suspicion: which runs tell what kind it is.

use crate::judge::statistics::Tally;
use crate::limits::{BELIEVED_IF_CONSTANT, COMPARED_RUNS, OPEN_FAILURES, OPEN_RUNS, RATE_DOUBT, RATE_RUNS};

/// What is known of a suspected failure before anything is run for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Whether the failing plan has several workers.
    pub(crate) parallel: bool,
    /// What is known of a plan in which the test passed.
    pub(crate) passed_in: PassedIn,
    /// Whether to take it for granted that the failing plan fails each time, as its runs are dear. A victim
    /// is then one by presumption, until a smaller plan is seen to fail each time.
    pub(crate) assume_deterministic: bool,
}

/// Whether the test has been seen to pass in a plan with other tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassedIn {
    /// It has not.
    Nothing,
    /// Under the same hash seed as the failing plan's.
    SameHashSeed,
    /// Only under another hash seed.
    OtherHashSeed,
}

/// A run that helps to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// The test alone, one worker, hash seed of the failing plan; each time another random seed.
    Alone,
    /// The test alone under the hash seed of the plan it passed in.
    AloneWherePassed,
    /// The failing plan again.
    Again,
    /// Only the failing worker's list of a plan with several, as a plan with one.
    Serial,
    /// The plan the test passed in again.
    PassedAgain,
}

/// What the runs said. A run fails [`Question::Alone`], [`Question::AloneWherePassed`] and
/// [`Question::PassedAgain`] by any failure of the test, the others only by the failure with the
/// suspected signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Answers to [`Question::Alone`].
    pub(crate) alone: Tally,
    /// Answers to [`Question::AloneWherePassed`].
    pub(crate) alone_where_passed: Tally,
    /// Answers to [`Question::Again`].
    pub(crate) again: Tally,
    /// Answers to [`Question::Serial`].
    pub(crate) serial: Tally,
    /// Answers to [`Question::PassedAgain`].
    pub(crate) passed_again: Tally,
}

impl Evidence {
    /// The answers to a question.
    pub(crate) fn tally(&self, question: Question) -> Tally {
        match question {
            Question::Alone => self.alone,
            Question::AloneWherePassed => self.alone_where_passed,
            Question::Again => self.again,
            Question::Serial => self.serial,
            Question::PassedAgain => self.passed_again,
        }
    }

    /// Counts an answer in.
    pub(crate) fn add(&mut self, question: Question, failed: bool) {
        let tally = match question {
            Question::Alone => &mut self.alone,
            Question::AloneWherePassed => &mut self.alone_where_passed,
            Question::Again => &mut self.again,
            Question::Serial => &mut self.serial,
            Question::PassedAgain => &mut self.passed_again,
        };
        tally.add(failed);
    }
}

/// What a suspected failure turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Passes alone, fails in the failing worker's list alone; or fails alone at times, and in that list each time.
    Victim,
    /// Passes alone and in its worker's list, fails while other workers run.
    Race,
    /// Fails alone, passes in the plan it passed in: something there sets state it needs.
    Brittle,
    /// Fails alone under one hash seed and passes alone under another.
    HashSeed,
    /// Passes and fails alone, or in a plan in which it passed, in runs that differ by their random seed at most.
    Nod,
    /// Fails alone and wherever it was run.
    Broken,
    /// Failed once; too rarely since for any claim.
    Unreproduced,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Run this until it was answered so many times in all.
    Ask(Question, u32),
    /// Enough is known.
    Done(Verdict),
}

/// Decides what to run next, or what the failure is.
pub(crate) fn decide(facts: Facts, evidence: &Evidence) -> Next {
    let alone = evidence.alone;
    if alone.runs < BELIEVED_IF_CONSTANT {
        Next::Ask(Question::Alone, BELIEVED_IF_CONSTANT)
    } else if alone.never() {
        passes_alone(facts, evidence)
    } else if alone.always() {
        fails_alone(facts, evidence)
    } else {
        varies_alone(facts, evidence)
    }
}

/// A test that fails by chance may fail each time after some other test as well: then it is a victim of that.
fn varies_alone(facts: Facts, evidence: &Evidence) -> Next {
    if let Some(next) = at_least(Question::Alone, RATE_RUNS, evidence) {
        return next;
    }
    let question = if facts.parallel { Question::Serial } else { Question::Again };
    let tally = evidence.tally(question);
    if tally.failed < tally.runs {
        return Next::Done(Verdict::Nod);
    }
    // Few runs tell most of those that fail by chance alone.
    let times = if tally.runs < BELIEVED_IF_CONSTANT { BELIEVED_IF_CONSTANT } else { RATE_RUNS };
    at_least(question, times, evidence).unwrap_or_else(|| {
        let more = tally.chance_against(evidence.alone) <= RATE_DOUBT;
        Next::Done(if more { Verdict::Victim } else { Verdict::Nod })
    })
}

/// Asks on until a question was answered often enough.
fn at_least(question: Question, times: u32, evidence: &Evidence) -> Option<Next> {
    (evidence.tally(question).runs < times).then_some(Next::Ask(question, times))
}

fn fails_alone(facts: Facts, evidence: &Evidence) -> Next {
    if facts.passed_in == PassedIn::Nothing {
        return Next::Done(Verdict::Broken);
    }
    if facts.passed_in == PassedIn::OtherHashSeed {
        if let Some(next) = at_least(Question::AloneWherePassed, BELIEVED_IF_CONSTANT, evidence) {
            return next;
        }
        let there = evidence.alone_where_passed;
        if there.never() {
            return Next::Done(Verdict::HashSeed);
        }
        if !there.always() {
            return Next::Done(Verdict::Nod);
        }
    }
    let settled = at_least(Question::PassedAgain, BELIEVED_IF_CONSTANT, evidence);
    let verdict = match evidence.passed_again {
        tally if tally.never() => Verdict::Brittle,
        tally if tally.always() => Verdict::Broken,
        _ => Verdict::Nod,
    };
    settled.unwrap_or(Next::Done(verdict))
}

fn passes_alone(facts: Facts, evidence: &Evidence) -> Next {
    if facts.assume_deterministic && !facts.parallel {
        return Next::Done(Verdict::Victim);
    }
    if let Some(next) = at_least(Question::Again, BELIEVED_IF_CONSTANT, evidence) {
        return next;
    }
    let serial = evidence.serial;
    let varies = !evidence.again.always() || serial.failed > 0 && !serial.always();
    let (runs, alone_runs) =
        if varies { (RATE_RUNS, COMPARED_RUNS) } else { (BELIEVED_IF_CONSTANT, BELIEVED_IF_CONSTANT) };
    if let Some(next) = at_least(Question::Again, runs, evidence) {
        return next;
    }
    // Even if the test passed in all of its runs alone, a failure this rare would prove nothing.
    let at_best = Tally { runs: alone_runs, failed: 0 };
    if varies && evidence.again.chance_against(at_best) > RATE_DOUBT {
        let runs = match evidence.again.failed {
            0 => RATE_RUNS,
            1..OPEN_FAILURES => COMPARED_RUNS,
            _ => OPEN_RUNS,
        };
        return at_least(Question::Again, runs, evidence).unwrap_or(Next::Done(Verdict::Unreproduced));
    }
    let measured = at_least(Question::Alone, alone_runs, evidence)
        .or_else(|| if facts.parallel { at_least(Question::Serial, runs, evidence) } else { None });
    if let Some(next) = measured {
        return next;
    }
    let real = |tally: Tally| tally.always() || tally.chance_against(evidence.alone) <= RATE_DOUBT;
    Next::Done(match facts.parallel {
        true if real(serial) => Verdict::Victim,
        true if real(evidence.again) && evidence.again.chance_against(serial) <= RATE_DOUBT => {
            // A victim that fails at times may have passed by luck whenever other workers were left out.
            let runs = if serial.failed == 0 { RATE_RUNS } else { COMPARED_RUNS };
            return at_least(Question::Serial, runs, evidence).unwrap_or(Next::Done(Verdict::Race));
        }
        false if real(evidence.again) => Verdict::Victim,
        true if varies => {
            let more = at_least(Question::Serial, COMPARED_RUNS, evidence);
            let more = more.or_else(|| at_least(Question::Again, COMPARED_RUNS, evidence));
            return more.unwrap_or(Next::Done(Verdict::Unreproduced));
        }
        _ => Verdict::Unreproduced,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A test that fails at these rates, answered by a fixed sequence.
    fn judge(facts: Facts, mut fails: impl FnMut(Question, u32) -> bool) -> (Verdict, Evidence) {
        let mut evidence = Evidence::default();
        for _ in 0..200 {
            match decide(facts, &evidence) {
                Next::Done(verdict) => return (verdict, evidence),
                Next::Ask(question, _) => {
                    let run = evidence.tally(question).runs;
                    evidence.add(question, fails(question, run));
                }
            }
        }
        panic!("no verdict after 200 runs: {evidence:?}")
    }

    const SERIAL: Facts =
        Facts { parallel: false, passed_in: PassedIn::SameHashSeed, assume_deterministic: false };
    const PARALLEL: Facts = Facts { parallel: true, ..SERIAL };

    #[test]
    fn each_kind_is_told_from_the_others() {
        use Question::{Again, Alone, AloneWherePassed, PassedAgain, Serial};
        let nowhere = Facts { passed_in: PassedIn::Nothing, ..SERIAL };
        let elsewhere = Facts { passed_in: PassedIn::OtherHashSeed, ..SERIAL };
        let kind = |facts, fails: fn(Question, u32) -> bool| judge(facts, fails).0;
        assert_eq!(kind(SERIAL, |q, _| q == Again), Verdict::Victim);
        assert_eq!(kind(SERIAL, |q, n| q == Again && n % 2 == 0), Verdict::Victim);
        assert_eq!(kind(SERIAL, |q, _| q == Alone), Verdict::Brittle);
        assert_eq!(kind(elsewhere, |q, _| q == Alone), Verdict::HashSeed);
        assert_eq!(kind(elsewhere, |q, _| matches!(q, Alone | AloneWherePassed)), Verdict::Brittle);
        assert_eq!(kind(nowhere, |q, _| q == Alone), Verdict::Broken);
        assert_eq!(kind(SERIAL, |q, _| matches!(q, Alone | PassedAgain)), Verdict::Broken);
        assert_eq!(kind(SERIAL, |q, n| q == Alone && n == 1), Verdict::Nod);
        assert_eq!(kind(SERIAL, |q, n| q == Again || q == Alone && n == 1), Verdict::Victim);
        assert_eq!(kind(PARALLEL, |q, n| q == Serial || q == Alone && n == 1), Verdict::Victim);
        assert_eq!(kind(PARALLEL, |q, n| q == Again || q == Alone && n == 1), Verdict::Nod);
        assert_eq!(kind(SERIAL, |q, n| q == Again && n != 4 || q == Alone && n == 1), Verdict::Nod);
        assert_eq!(
            kind(SERIAL, |q, n| q == Again || q == Alone && n != 1),
            Verdict::Nod,
            "chance explains it"
        );
        assert_eq!(
            kind(SERIAL, |q, n| matches!(q, Alone | PassedAgain) && n == 0 || q == Alone),
            Verdict::Nod
        );
        assert_eq!(kind(SERIAL, |_, _| false), Verdict::Unreproduced);
        assert_eq!(kind(PARALLEL, |q, _| q == Again), Verdict::Race);
        assert_eq!(kind(PARALLEL, |q, _| matches!(q, Again | Serial)), Verdict::Victim);
        assert_eq!(kind(PARALLEL, |q, n| q == Again && n == 0), Verdict::Unreproduced);
        let by_luck = |first: u32| {
            move |q, n| {
                q == Again && (n < BELIEVED_IF_CONSTANT || n % 2 == 0)
                    || q == Serial && n >= first && n % 2 == 0
            }
        };
        assert_eq!(judge(PARALLEL, by_luck(2)).0, Verdict::Victim);
        assert_eq!(judge(PARALLEL, by_luck(BELIEVED_IF_CONSTANT)).0, Verdict::Victim);
        let assume_deterministic =
            |fails: fn(Question, u32) -> bool| judge(Facts { assume_deterministic: true, ..SERIAL }, fails);
        assert_eq!(assume_deterministic(|q, _| q == Alone).0, Verdict::Brittle);
        let (verdict, evidence) = assume_deterministic(|_, _| false);
        assert_eq!(
            (verdict, evidence.again.runs, evidence.alone.runs),
            (Verdict::Victim, 0, BELIEVED_IF_CONSTANT)
        );
    }

    #[test]
    fn what_is_the_same_each_time_is_asked_few_times_and_what_varies_often() {
        use Question::{Again, Serial};
        let runs = |facts, fails: fn(Question, u32) -> bool| {
            let (verdict, Evidence { alone, again, serial, .. }) = judge(facts, fails);
            (verdict, [alone.runs, again.runs, serial.runs])
        };
        const FEW: u32 = BELIEVED_IF_CONSTANT;
        assert_eq!(runs(SERIAL, |q, _| q == Again), (Verdict::Victim, [FEW, FEW, 0]));
        assert_eq!(
            runs(SERIAL, |q, n| q == Again && n % 2 == 0),
            (Verdict::Victim, [COMPARED_RUNS, RATE_RUNS, 0])
        );
        assert_eq!(runs(SERIAL, |_, _| false), (Verdict::Unreproduced, [FEW, RATE_RUNS, 0]));
        assert_eq!(
            runs(SERIAL, |q, n| q == Again && n == 0),
            (Verdict::Unreproduced, [FEW, COMPARED_RUNS, 0])
        );
        // A few failures by chance are few of more runs; bad luck is not.
        assert_eq!(
            runs(SERIAL, |q, n| q == Again && [0, 4, 14].contains(&n)),
            (Verdict::Unreproduced, [FEW, OPEN_RUNS, 0])
        );
        assert_eq!(runs(SERIAL, |q, n| q == Again && ([0, 4, 14].contains(&n) || n > 19)).0, Verdict::Victim);
        assert_eq!(runs(PARALLEL, |q, _| matches!(q, Again | Serial)), (Verdict::Victim, [FEW, FEW, FEW]));
        assert_eq!(runs(PARALLEL, |q, _| q == Again), (Verdict::Race, [FEW, FEW, RATE_RUNS]));
        // In 7 of 20 runs, and in 3 of 20 on one worker: chance may explain the difference.
        assert_eq!(
            runs(PARALLEL, |q, n| q == Again && n % 3 == 0 || q == Serial && [0, 6, 12].contains(&n)),
            (Verdict::Unreproduced, [COMPARED_RUNS; 3])
        );
    }

    #[test]
    fn bad_luck_hides_few_victims_that_fail_half_of_the_time() {
        use rand::{Rng, SeedableRng};
        let mut coin = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut missed = |facts| {
            let verdicts = (0..2_000).map(|_| {
                judge(facts, |question, _| {
                    matches!(question, Question::Again | Question::Serial) && coin.next_u32() % 2 == 0
                })
                .0
            });
            verdicts.filter(|&verdict| verdict != Verdict::Victim).count()
        };
        assert!(missed(SERIAL) < 4);
        assert!(missed(PARALLEL) < 20);
    }

    proptest! {
        #[test]
        fn every_case_ends_and_no_isolation_failure_is_claimed_of_a_test_that_fails_alone_as_well(
            answers in proptest::collection::vec(any::<bool>(), 200), lucky in 0..40usize, parallel: bool,
        ) {
            // One that fails by chance alone, and then each time in its list, is rare among random answers.
            let mut answers = answers.into_iter().enumerate().map(|(at, fails)| fails || (RATE_RUNS as usize..RATE_RUNS as usize + lucky).contains(&at));
            let (verdict, evidence) = judge(Facts { parallel, ..SERIAL }, |_, _| answers.next().unwrap());
            if verdict == Verdict::Race {
                prop_assert!(evidence.alone.never());
            }
            if verdict == Verdict::Victim && !evidence.alone.never() {
                let with = if parallel { evidence.serial } else { evidence.again };
                prop_assert!(with.always() && with.chance_against(evidence.alone) <= RATE_DOUBT);
            }
            if verdict == Verdict::Brittle {
                prop_assert!(evidence.alone.always() && evidence.passed_again.never());
            }
        }
    }
}
