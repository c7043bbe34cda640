//! Which of the places that have changed is the cause: one at a time, then several together.

use crate::limits::{MOST_SINGLE_PLACES, SINGLE_PLACES};
use crate::shrink::Stopped;
use crate::shrink::search::search;
use crate::state::{Place, StateKind};

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

/// The places in the order in which they are tried: those that nothing speaks against first, then those that change in many
/// healthy suites or whose restoring may disturb others, what libraries hold for themselves, what a test that does not make
/// the victim fail leaves in the same way, and last what is left to the garbage collector, as most tests leave something.
pub(crate) fn tiers(places: &[Place], settled: &[bool]) -> Vec<Vec<usize>> {
    let tier = |at: usize| match &places[at] {
        place if place.kind == StateKind::Uncollected => 4,
        _ if settled.get(at) == Some(&true) => 3,
        place if place.in_library => 2,
        place => usize::from(place.low_confidence),
    };
    let restorable = || (0..places.len()).filter(|&at| places[at].restorable && !places[at].told_by_items);
    (0..5).map(|of| restorable().filter(|&at| tier(at) == of).collect()).collect()
}

fn is_item(place: &Place, of: &Place) -> bool {
    place.name.strip_prefix(&of.name).is_some_and(|rest| rest.starts_with('['))
}

/// The one place that holds all of a joint cause, if putting that back undoes the failure as well.
///
/// # Errors
/// Those of the experiment.
pub(crate) fn as_a_whole(
    places: &[Place],
    cause: Cause,
    experiment: &mut dyn Experiment,
) -> Result<Cause, Stopped> {
    let holds_all = |at: &usize| {
        places[*at].restorable && cause.places.iter().all(|&item| is_item(&places[item], &places[*at]))
    };
    let holder = (0..places.len()).filter(holds_all).max_by_key(|&at| places[at].name.len());
    match holder.filter(|_| cause.jointly) {
        Some(holder) if experiment.answer(&[holder])? == Answer::Undone => {
            Ok(Cause { places: vec![holder], jointly: false, ..cause })
        }
        _ => Ok(cause),
    }
}

/// Finds the places whose restoring undoes a failure, tier by tier and then in all of them together. None if none of those
/// that can be restored does.
///
/// # Errors
/// Those of the experiment.
pub fn find(tiers: &[Vec<usize>], experiment: &mut dyn Experiment) -> Result<Option<Cause>, Stopped> {
    // What does harm when it is restored alone says nothing when it is restored with others.
    let mut harmful = Vec::new();
    let mut tried = Vec::new();
    for candidates in tiers {
        tried.extend_from_slice(candidates);
        if let Some((found, jointly)) = among(candidates, &mut harmful, experiment)? {
            return Ok(Some(shown_against(&tried, found, jointly, &harmful, experiment)?));
        }
    }
    if tiers.iter().filter(|candidates| !candidates.is_empty()).count() < 2 {
        return Ok(None);
    }
    // It may take some of several tiers.
    tried.retain(|at| !harmful.contains(at));
    let Some((found, jointly)) = together(&tried, experiment)? else {
        return Ok(None);
    };
    shown_against(&tried, found, jointly, &harmful, experiment).map(Some)
}

/// The cause, with how many of the other places that were tried do not undo the failure.
fn shown_against(
    tried: &[usize],
    found: Vec<usize>,
    jointly: bool,
    harmful: &[usize],
    experiment: &mut dyn Experiment,
) -> Result<Cause, Stopped> {
    let is_other = |at: &usize| !found.contains(at) && !harmful.contains(at);
    let others: Vec<usize> = tried.iter().copied().filter(is_other).collect();
    let stays = !others.is_empty() && experiment.answer(&others)? == Answer::Stays;
    Ok(Cause { places: found, jointly, others: if stays { others.len() } else { 0 } })
}

/// A smallest set of the places that undoes the failure together, if all of them do.
fn together(
    places: &[usize],
    experiment: &mut dyn Experiment,
) -> Result<Option<(Vec<usize>, bool)>, Stopped> {
    if experiment.answer(places)? != Answer::Undone {
        return Ok(None);
    }
    let mut sorted = places.to_vec();
    sorted.sort_unstable();
    let found = search(&sorted, true, &mut |set| Ok(experiment.answer(set)? == Answer::Undone))?;
    Ok(found.map(|found| {
        let jointly = found.kept.len() > 1;
        (found.kept, jointly)
    }))
}

/// The places that each undo the failure, or a smallest set that does so together.
fn among(
    candidates: &[usize],
    harmful: &mut Vec<usize>,
    experiment: &mut dyn Experiment,
) -> Result<Option<(Vec<usize>, bool)>, Stopped> {
    let harmless = |harmful: &[usize]| -> Vec<usize> {
        candidates.iter().copied().filter(|at| !harmful.contains(at)).collect()
    };
    let known = harmful.len();
    let many = candidates.len() > SINGLE_PLACES;
    if many && let Some(found) = together(&harmless(harmful), experiment)? {
        return Ok(Some(found));
    }
    let first = &candidates[..candidates.len().min(MOST_SINGLE_PLACES)];
    let found = singles(first, harmful, experiment)?;
    if !found.is_empty() {
        return Ok(Some((found, false)));
    }
    if candidates.len() < 2 || many && harmful.len() == known {
        return Ok(None);
    }
    together(&harmless(harmful), experiment)
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
            in_library: false,
            told_by_items: false,
            written: None,
            no_line: None,
            read: None,
            recipe: None,
            along: None,
        };
        (0..count).map(place).collect()
    }

    fn find_in(places: &[Place], experiment: &mut dyn Experiment) -> Option<Cause> {
        find(&tiers(places, &[]), experiment).unwrap()
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
            let found = find_in(&places(count, |_| false), &mut experiment);
            prop_assert_eq!(found, Some(Cause { places: vec![cause], jointly: false, others: count - 1 }));
            prop_assert!(experiment.asked <= SINGLE_PLACES + 3);
        }

        #[test]
        fn what_is_named_undoes_the_failure_and_all_of_it_is_needed((places, mut experiment) in suites(60)) {
            let Some(cause) = find_in(&places, &mut experiment) else { return Ok(()) };
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
        fn what_the_places_hold_is_found((places, mut experiment) in suites(MOST_SINGLE_PLACES)) {
            let harmless: Vec<usize> = (0..places.len()).filter(|at| !experiment.harmful.contains(at)).collect();
            let reachable = experiment.undoes(&harmless);
            let found = find_in(&places, &mut experiment);
            prop_assert_eq!(found.is_some(), reachable, "{:?}", experiment);
        }

        #[test]
        fn of_the_others_is_told_what_they_show((places, experiment) in suites(60)) {
            let mut experiment = Simulated { harmful: Vec::new(), ..experiment };
            let cause = find_in(&places, &mut experiment).expect("all of them together undo it");
            let strong: Vec<usize> = (0..places.len()).filter(|&at| !places[at].low_confidence).collect();
            let needs_more = cause.places.iter().any(|at| !strong.contains(at));
            let of = |at: &usize| (needs_more || strong.contains(at)) && !cause.places.contains(at);
            let others: Vec<usize> = (0..places.len()).filter(of).collect();
            prop_assert_eq!(cause.others, if experiment.undoes(&others) { 0 } else { others.len() });
        }

        #[test]
        fn that_the_others_do_not_help_was_seen((places, experiment) in suites(60)) {
            let mut asked = Asked { of: experiment, seen: Vec::new() };
            let Some(cause) = find_in(&places, &mut asked) else { return Ok(()) };
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
        let found = find_in(&places(1, |_| false), &mut Simulated::new(vec![vec![0]]));
        assert_eq!(found, Some(Cause { places: vec![0], jointly: false, others: 0 }));
    }

    #[test]
    fn what_does_harm_is_put_back_with_no_others() {
        let found = |count: usize, cause: &[usize], harmful: usize| {
            let causes = cause.iter().map(|&at| vec![at]).collect();
            let mut experiment = Simulated { harmful: vec![harmful], ..Simulated::new(causes) };
            find_in(&places(count, |_| false), &mut experiment)
        };
        let cause =
            |places: &[usize], others| Cause { places: places.to_vec(), jointly: places.len() > 1, others };
        assert_eq!(found(4, &[0], 1), Some(cause(&[0], 2)));
        assert_eq!(found(4, &[0, 2], 1), Some(cause(&[0, 2], 1)));
        assert_eq!(found(SINGLE_PLACES + 6, &[0], 1), Some(cause(&[0], SINGLE_PLACES + 4)));
        assert_eq!(found(SINGLE_PLACES + 6, &[0, 2], 1), Some(cause(&[0, 2], SINGLE_PLACES + 3)));
        assert_eq!(found(2, &[0], 1), Some(cause(&[0], 0)), "no other could be put back");
    }

    #[test]
    fn entries_that_matter_together_are_told_by_what_holds_them() {
        let mut all = places(4, |_| false);
        for (place, name) in all.iter_mut().zip(["m.d", r#"m.d["a"]"#, r#"m.d["b"]"#, "m.other"]) {
            place.name = name.into();
        }
        all[0].told_by_items = true;
        assert_eq!(tiers(&all, &[])[0], [1, 2, 3]);
        // The holder puts both entries back.
        let mut experiment = Simulated::new(vec![vec![1, 0], vec![2, 0]]);
        let cause = find_in(&all, &mut experiment).unwrap();
        assert_eq!(cause, Cause { places: vec![1, 2], jointly: true, others: 1 });
        let whole = as_a_whole(&all, cause, &mut experiment);
        assert_eq!(whole, Ok(Cause { places: vec![0], jointly: false, others: 1 }));
        let single = Cause { places: vec![1], jointly: false, others: 2 };
        assert_eq!(as_a_whole(&all, single.clone(), &mut experiment), Ok(single));
    }

    #[test]
    fn what_takes_places_of_several_sorts_is_found_after_each_of_them() {
        let mut all = places(9, |at| at > 2);
        all[6].in_library = true;
        let mut experiment = Simulated::new(vec![vec![0], vec![4], vec![6]]);
        let found = find_in(&all, &mut experiment);
        assert_eq!(found, Some(Cause { places: vec![0, 4, 6], jointly: true, others: 6 }));
    }

    #[test]
    fn what_a_harmless_test_leaves_as_well_is_tried_last() {
        let mut all = places(4, |at| at == 1);
        all[2].in_library = true;
        let settled = [true, false, false, false];
        assert_eq!(tiers(&all, &settled), vec![vec![3], vec![1], vec![2], vec![0], vec![]]);
        let mut experiment = Simulated::new(vec![vec![0, 3]]);
        let found = find(&tiers(&all, &settled), &mut experiment);
        assert_eq!(found, Ok(Some(Cause { places: vec![3], jointly: false, others: 0 })));
    }

    #[test]
    fn what_cannot_be_restored_is_never_named() {
        let mut all = places(3, |_| false);
        all[1].restorable = false;
        let mut experiment = Simulated::new(vec![vec![1]]);
        assert_eq!(find_in(&all, &mut experiment), None);
    }
}
