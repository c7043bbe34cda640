//! Which of the places that have changed is the cause: one at a time, then several together.

use crate::limits::{MOST_SINGLE_PLACES, SINGLE_PLACES};
use crate::shrink::Stopped;
use crate::shrink::search::search;
use crate::state::Place;

/// What the last test showed after some places were restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The opposite: the victim passes, the brittle test fails.
    Undone,
    /// What it shows when nothing is restored.
    Stays,
    /// Another failure, or none of it was run: nothing can be said.
    Unclear,
}

/// Runs the tests before the last, restores places, and looks at the last.
pub(crate) trait Experiment {
    /// Makes an experiment for each of these sets of places, which are put back before the last test; the answers are in
    /// the sets' order.
    ///
    /// # Errors
    /// There will be no more answers.
    fn answers(&mut self, sets: &[Vec<usize>]) -> Result<Vec<Answer>, Stopped>;

    /// Makes one.
    ///
    /// # Errors
    /// As those of [`Experiment::answers`].
    fn answer(&mut self, restored: &[usize]) -> Result<Answer, Stopped> {
        self.answers(&[restored.to_vec()])?.first().copied().ok_or(Stopped)
    }
}

/// What was found; indices of the places that have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The places whose restoring undoes the failure; the likeliest first.
    pub(crate) places: Vec<usize>,
    /// Whether it takes all of them together; else each one does.
    pub(crate) jointly: bool,
    /// How many other places were put back together, with which the failure stayed as it is; 0 if that was
    /// not seen.
    pub(crate) others: usize,
}

/// Finds the places whose restoring undoes a failure. None if none of those that can be restored does.
///
/// The places that change in many healthy suites, or whose restoring may disturb others, are tried
/// after all others.
///
/// # Errors
/// Those of the experiment.
pub fn find(places: &[Place], experiment: &mut dyn Experiment) -> Result<Option<Cause>, Stopped> {
    let of = |low: bool| -> Vec<usize> {
        (0..places.len()).filter(|&at| places[at].restorable && places[at].low_confidence == low).collect()
    };
    let (likely, unlikely) = (of(false), of(true));
    // What does harm when it is restored alone says nothing when it is restored with others.
    let mut harmful = Vec::new();
    for candidates in [&likely, &unlikely] {
        if let Some((found, jointly)) = among(candidates, &mut harmful, experiment)? {
            let others: Vec<usize> =
                likely.iter().copied().filter(|at| !found.contains(at) && !harmful.contains(at)).collect();
            let stays = !others.is_empty() && experiment.answer(&others)? == Answer::Stays;
            return Ok(Some(Cause { places: found, jointly, others: if stays { others.len() } else { 0 } }));
        }
    }
    Ok(None)
}

/// The places that each undo the failure, or a smallest set that does so together.
fn among(
    candidates: &[usize],
    harmful: &mut Vec<usize>,
    experiment: &mut dyn Experiment,
) -> Result<Option<(Vec<usize>, bool)>, Stopped> {
    if candidates.is_empty() {
        return Ok(None);
    }
    if candidates.len() <= SINGLE_PLACES {
        let found = singles(candidates, harmful, experiment)?;
        if !found.is_empty() || candidates.len() == 1 {
            return Ok((!found.is_empty()).then_some((found, false)));
        }
    }
    let together: Vec<usize> = candidates.iter().copied().filter(|at| !harmful.contains(at)).collect();
    if experiment.answer(&together)? != Answer::Undone {
        let found = if candidates.len() > SINGLE_PLACES {
            singles(&candidates[..candidates.len().min(MOST_SINGLE_PLACES)], harmful, experiment)?
        } else {
            Vec::new()
        };
        return Ok((!found.is_empty()).then_some((found, false)));
    }
    let found = search(&together, true, &mut |set| Ok(experiment.answer(set)? == Answer::Undone))?;
    Ok(found.map(|found| {
        let jointly = found.kept.len() > 1;
        (found.kept, jointly)
    }))
}

/// Those of the places that undo the failure each alone.
fn singles(
    candidates: &[usize],
    harmful: &mut Vec<usize>,
    experiment: &mut dyn Experiment,
) -> Result<Vec<usize>, Stopped> {
    let mut found = Vec::new();
    let sets: Vec<Vec<usize>> = candidates.iter().map(|&at| vec![at]).collect();
    for (&at, answer) in candidates.iter().zip(experiment.answers(&sets)?) {
        match answer {
            Answer::Undone => found.push(at),
            Answer::Stays => {}
            Answer::Unclear => harmful.push(at),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::StateKind;

    /// A victim that fails until one place of each cause is put back; where a harmful one is put back, it fails
    /// in another way.
    #[derive(Clone, Debug)]
    struct Simulated {
        causes: Vec<Vec<usize>>,
        harmful: Vec<usize>,
        asked: usize,
    }

    impl Simulated {
        fn new(causes: Vec<Vec<usize>>) -> Self {
            Self { causes, harmful: Vec::new(), asked: 0 }
        }

        fn undoes(&self, restored: &[usize]) -> bool {
            self.causes.iter().all(|cause| cause.iter().any(|at| restored.contains(at)))
        }

        fn harms(&self, restored: &[usize]) -> bool {
            restored.iter().any(|at| self.harmful.contains(at))
        }
    }

    impl Experiment for Simulated {
        fn answers(&mut self, sets: &[Vec<usize>]) -> Result<Vec<Answer>, Stopped> {
            self.asked += sets.len();
            let answer = |restored: &Vec<usize>| match (self.harms(restored), self.undoes(restored)) {
                (true, _) => Answer::Unclear,
                (false, true) => Answer::Undone,
                (false, false) => Answer::Stays,
            };
            Ok(sets.iter().map(answer).collect())
        }
    }

    fn places(count: usize, low: impl Fn(usize) -> bool) -> Vec<Place> {
        let place = |at: usize| Place {
            name: format!("m.p{at}"),
            kind: StateKind::Global,
            old: "0".into(),
            new: "1".into(),
            restorable: true,
            low_confidence: low(at),
            written: None,
            read: None,
            recipe: None,
            along: None,
        };
        (0..count).map(place).collect()
    }

    /// Places of which some are of low confidence, and a victim with causes among them and harmful ones beside these.
    fn suites(most: usize) -> impl Strategy<Value = (Vec<Place>, Simulated)> {
        let seeds = prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 1..3), 1..4);
        let low = prop::collection::vec(any::<bool>(), most);
        let harmful = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
        (2..most, seeds, low, harmful).prop_map(|(count, seeds, low, harmful)| {
            let causes: Vec<Vec<usize>> =
                seeds.iter().map(|cause| cause.iter().map(|seed| seed.index(count)).collect()).collect();
            let mut harmful: Vec<usize> = harmful.iter().map(|seed| seed.index(count)).collect();
            harmful.retain(|at| !causes.iter().flatten().any(|of| of == at));
            (places(count, |at| low[at]), Simulated { causes, harmful, asked: 0 })
        })
    }

    proptest! {
        #[test]
        fn a_single_cause_is_found_whole_and_nothing_else_is(count in 1_usize..80, seed: prop::sample::Index) {
            let cause = seed.index(count);
            let mut experiment = Simulated::new(vec![vec![cause]]);
            let found = find(&places(count, |_| false), &mut experiment).unwrap();
            prop_assert_eq!(found, Some(Cause { places: vec![cause], jointly: false, others: count - 1 }));
            prop_assert!(experiment.asked <= SINGLE_PLACES + 3);
        }

        #[test]
        fn what_is_named_undoes_the_failure_and_all_of_it_is_needed((places, mut experiment) in suites(60)) {
            let Some(cause) = find(&places, &mut experiment).unwrap() else { return Ok(()) };
            prop_assert!(!cause.places.is_empty());
            if cause.jointly {
                prop_assert_eq!(experiment.answer(&cause.places), Ok(Answer::Undone));
                for skipped in 0..cause.places.len() {
                    let mut fewer = cause.places.clone();
                    fewer.remove(skipped);
                    prop_assert_eq!(experiment.answer(&fewer), Ok(Answer::Stays));
                }
            } else {
                for &place in &cause.places {
                    prop_assert_eq!(experiment.answer(&[place]), Ok(Answer::Undone));
                }
            }
        }

        #[test]
        fn what_the_places_of_one_sort_hold_is_found((places, mut experiment) in suites(MOST_SINGLE_PLACES)) {
            let reachable = [false, true].into_iter().any(|low| {
                let of: Vec<usize> = (0..places.len()).filter(|&at| places[at].low_confidence == low).collect();
                let harmless: Vec<usize> =
                    of.iter().copied().filter(|at| !experiment.harmful.contains(at)).collect();
                // Of many, those that do harm are known only once each was tried alone.
                let together = of.len() <= SINGLE_PLACES || harmless.len() == of.len();
                let alone = harmless.iter().any(|&at| experiment.undoes(&[at]));
                alone || together && experiment.undoes(&harmless)
            });
            let found = find(&places, &mut experiment).unwrap();
            prop_assert_eq!(found.is_some(), reachable, "{:?}", experiment);
        }

        #[test]
        fn of_the_others_is_told_what_they_show((places, experiment) in suites(60)) {
            let mut experiment = Simulated { harmful: Vec::new(), ..experiment };
            let Some(cause) = find(&places, &mut experiment).unwrap() else {
                prop_assert!(places.iter().any(|place| place.low_confidence), "all of one sort undo it together");
                return Ok(());
            };
            let of = |at: &usize| !places[*at].low_confidence && !cause.places.contains(at);
            let others: Vec<usize> = (0..places.len()).filter(of).collect();
            prop_assert_eq!(cause.others, if experiment.undoes(&others) { 0 } else { others.len() });
        }

        #[test]
        fn that_the_others_do_not_help_was_seen((places, experiment) in suites(60)) {
            let mut asked = Asked { of: experiment, seen: Vec::new() };
            let Some(cause) = find(&places, &mut asked).unwrap() else { return Ok(()) };
            let seen = |(restored, answer): &(Vec<usize>, Answer)| {
                let others = restored.iter().all(|at| !cause.places.contains(at));
                others && restored.len() == cause.others && *answer == Answer::Stays
            };
            prop_assert!(cause.others == 0 || asked.seen.last().is_some_and(seen));
        }
    }

    /// Keeps what was asked and answered.
    struct Asked {
        of: Simulated,
        seen: Vec<(Vec<usize>, Answer)>,
    }

    impl Experiment for Asked {
        fn answers(&mut self, sets: &[Vec<usize>]) -> Result<Vec<Answer>, Stopped> {
            let answers = self.of.answers(sets)?;
            self.seen.extend(sets.iter().cloned().zip(answers.iter().copied()));
            Ok(answers)
        }
    }

    #[test]
    fn where_nothing_else_has_changed_nothing_is_said_of_it() {
        let found = find(&places(1, |_| false), &mut Simulated::new(vec![vec![0]]));
        assert_eq!(found, Ok(Some(Cause { places: vec![0], jointly: false, others: 0 })));
    }

    #[test]
    fn what_does_harm_is_put_back_with_no_others() {
        let found = |count: usize, cause: &[usize], harmful: usize| {
            let causes = cause.iter().map(|&at| vec![at]).collect();
            let mut experiment = Simulated { harmful: vec![harmful], ..Simulated::new(causes) };
            find(&places(count, |_| false), &mut experiment).unwrap()
        };
        let cause =
            |places: &[usize], others| Cause { places: places.to_vec(), jointly: places.len() > 1, others };
        assert_eq!(found(4, &[0], 1), Some(cause(&[0], 2)));
        assert_eq!(found(4, &[0, 2], 1), Some(cause(&[0, 2], 1)));
        assert_eq!(found(SINGLE_PLACES + 6, &[0], 1), Some(cause(&[0], SINGLE_PLACES + 4)));
        assert_eq!(found(SINGLE_PLACES + 6, &[0, 2], 1), None, "all of them at once tell nothing");
        assert_eq!(found(2, &[0], 1), Some(cause(&[0], 0)), "no other could be put back");
    }

    #[test]
    fn what_cannot_be_restored_is_never_named() {
        let mut all = places(3, |_| false);
        all[1].restorable = false;
        let mut experiment = Simulated::new(vec![vec![1]]);
        assert_eq!(find(&all, &mut experiment), Ok(None));
    }
}
