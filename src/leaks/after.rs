//! Tests directly after those that leave what they name: from places that are left changed to short runs that show who fails
//! for them.
//!
//! Each test that has to do with such places is run by itself, after one test for each of them that leaves it. Nothing comes
//! between that could clean up, and all that the test looks at is changed at once: so a victim shows that fails only directly after
//! its polluter, or only after several. Orders of the whole suite show these late: a victim with k polluters and c cleaners
//! fails in k of k+c+1 of them, and one that needs two polluters and has three cleaners in one of fifteen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::suite::TestIndex;

/// A place that tests leave changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftPlace {
    /// Who leave it.
    pub(crate) left_by: Vec<TestIndex>,
    /// Other tests that run a line that names it.
    pub(crate) named_by: Vec<TestIndex>,
    /// Those of them that were seen to fail for it.
    pub(crate) victims: Vec<TestIndex>,
}

impl LeftPlace {
    /// Whether a test leaves it, or runs a line that names it.
    fn concerns(&self, test: TestIndex) -> bool {
        self.left_by.contains(&test) || self.named_by.contains(&test)
    }
}

/// The runs: lists of which the last test is the one that may fail. Those come first whose last test is known to be a
/// victim, then the others of the first turn, short ones first. In each further turn others of those who leave a place, or
/// the same the other way round, come before the test. They run so many tests in all at most.
pub(crate) fn runs(places: &[LeftPlace], turns: usize, most: usize) -> Vec<Vec<TestIndex>> {
    let mut seen: BTreeSet<Vec<TestIndex>> = BTreeSet::new();
    let mut runs = Vec::new();
    let mut tests = 0;
    let concerned = concerned(places);
    for turn in 0..turns {
        let of_turn = concerned.iter().filter_map(|(&last, of)| {
            let known = of.iter().any(|&at| places[at].victims.contains(&last));
            let before = before(places, last, of, turn);
            (!before.is_empty()).then(|| (Reverse(known), [before, vec![last]].concat()))
        });
        let mut of_turn: Vec<_> = of_turn.collect();
        of_turn.sort_by_key(|(known, list)| (*known, list.len()));
        for (_, list) in of_turn {
            if tests + list.len() > most {
                return runs;
            }
            if seen.insert(list.clone()) {
                tests += list.len();
                runs.push(list);
            }
        }
    }
    runs
}

/// The tests that have to do with places, each with the numbers of these.
fn concerned(places: &[LeftPlace]) -> BTreeMap<TestIndex, Vec<usize>> {
    let mut concerned: BTreeMap<TestIndex, Vec<usize>> = BTreeMap::new();
    for (at, place) in places.iter().enumerate() {
        let tests: BTreeSet<TestIndex> = place.left_by.iter().chain(&place.named_by).copied().collect();
        tests.into_iter().for_each(|test| concerned.entry(test).or_default().push(at));
    }
    concerned
}

/// Who comes before a test in a turn: for each of its places one of those who leave it. Who may clean up another's place, as it
/// names that as well, comes before the other.
fn before(places: &[LeftPlace], last: TestIndex, of: &[usize], turn: usize) -> Vec<TestIndex> {
    let chosen = of.iter().filter_map(|&at| {
        let others: Vec<TestIndex> =
            places[at].left_by.iter().copied().filter(|&test| test != last).collect();
        others.get(turn % others.len().max(1)).copied()
    });
    let mut chosen: Vec<TestIndex> = chosen.collect();
    chosen.sort_unstable();
    chosen.dedup();
    if turn % 2 == 1 {
        chosen.reverse();
    }
    chosen.sort_by_key(|&test| Reverse(of.iter().filter(|&&at| places[at].concerns(test)).count()));
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{LEAK_SUITES, LEAK_TURNS};
    use crate::plan::keyed::{Purpose, Stream};
    use crate::plan::{Axes, Seed, TrialIndex, plan};
    use crate::suite::{Suite, Test, TestId};

    fn place(left_by: &[u32], named_by: &[u32], victims: &[u32]) -> LeftPlace {
        let tests = |list: &[u32]| list.iter().copied().map(TestIndex).collect();
        LeftPlace { left_by: tests(left_by), named_by: tests(named_by), victims: tests(victims) }
    }

    fn lists(places: &[LeftPlace], turns: usize, most: usize) -> Vec<Vec<u32>> {
        runs(places, turns, most)
            .into_iter()
            .map(|list| list.into_iter().map(|test| test.0).collect())
            .collect()
    }

    #[test]
    fn a_test_comes_directly_after_those_that_leave_what_it_names() {
        let one = [place(&[1], &[5, 3], &[])];
        assert_eq!(lists(&one, 3, 99), [[1, 3], [1, 5]]);
        let joint = [place(&[1], &[5], &[]), place(&[2], &[5, 3], &[])];
        assert_eq!(lists(&joint, 1, 99), [vec![2, 3], vec![1, 2, 5]]);
        assert_eq!(lists(&joint, 2, 99), [vec![2, 3], vec![1, 2, 5], vec![2, 1, 5]]);
    }

    #[test]
    fn known_victims_come_first_and_who_may_clean_up_does_so_before_the_others() {
        let places = [place(&[1], &[5, 2], &[]), place(&[2], &[5, 3], &[5])];
        assert_eq!(lists(&places, 1, 99), [vec![2, 1, 5], vec![1, 2], vec![2, 3]]);
    }

    #[test]
    fn those_who_leave_one_place_come_after_each_other_and_in_turns() {
        let places = [place(&[1, 2, 4], &[3], &[])];
        assert_eq!(lists(&places, 1, 99), [[2, 1], [1, 2], [1, 3], [1, 4]]);
        assert_eq!(lists(&places, 2, 99)[4..], [[4, 1], [4, 2], [2, 3], [2, 4]]);
        assert_eq!(lists(&places, 2, 5), [[2, 1], [1, 2]]);
    }

    /// A test that fails once some places are all changed: each is left by tests, and put back by others.
    struct Victim {
        what: &'static str,
        test: u32,
        places: Vec<Truth>,
    }

    struct Truth {
        polluters: Vec<u32>,
        cleaners: BTreeSet<u32>,
    }

    impl Victim {
        fn fails(&self, list: &[TestIndex]) -> bool {
            let Some(end) = list.iter().rposition(|test| test.0 == self.test) else { return false };
            self.places.iter().all(|place| {
                let last = |is: &dyn Fn(u32) -> bool| list[..end].iter().rposition(|test| is(test.0));
                let polluted = last(&|test| place.polluters.contains(&test));
                polluted.is_some() && polluted > last(&|test| place.cleaners.contains(&test))
            })
        }
    }

    struct Generated {
        suite: Suite,
        victims: Vec<Victim>,
        places: Vec<LeftPlace>,
    }

    /// Places with how many polluters and cleaners, of which how many polluters leave a value that hurts; by the size of
    /// the suite.
    type Shape = fn(u32) -> Vec<(usize, usize)>;

    const SHAPES: [(&str, Shape); 8] = [
        ("one polluter", |_| vec![(1, 0)]),
        ("one of 20 tests cleans up", |n| vec![(1, n as usize / 20)]),
        ("one of 5 cleans up", |n| vec![(1, n as usize / 5)]),
        ("every second cleans up", |n| vec![(1, n as usize / 2)]),
        ("two polluters needed", |_| vec![(1, 0); 2]),
        ("two needed, 3 cleaners each", |_| vec![(1, 3); 2]),
        ("two needed, 10 cleaners each", |_| vec![(1, 10); 2]),
        ("three needed, 3 cleaners each", |_| vec![(1, 3); 3]),
    ];

    const HIDDEN: &str = "5 cleaners, and its line does not name the place";

    /// A suite with a victim of each shape, one that does not name what it fails for, and 20 places that hurt nobody. Who
    /// cleans up names the place, and so do five others.
    fn generated(tests: u32, seed: u64) -> Generated {
        let mut stream = Stream::new(Seed(seed), Purpose::Neighbourhood, 0);
        let mut some = |count: usize| -> Vec<u32> {
            let mut drawn: Vec<u32> = Vec::new();
            while drawn.len() < count {
                let test = stream.below(u64::from(tests)) as u32;
                if !drawn.contains(&test) {
                    drawn.push(test);
                }
            }
            drawn
        };
        let (mut victims, mut places) = (Vec::new(), Vec::new());
        let shapes = SHAPES.iter().copied().chain([(HIDDEN, (|_| vec![(1, 5)]) as Shape)]);
        for (what, shape) in shapes {
            let test = some(1)[0];
            let mut truths = Vec::new();
            for (polluters, cleaners) in shape(tests) {
                let mut drawn = some(polluters + cleaners + 6);
                drawn.retain(|&other| other != test);
                let (left_by, others) = drawn.split_at(polluters);
                let names: Vec<u32> =
                    others.iter().copied().chain((what != HIDDEN).then_some(test)).collect();
                places.push(place(left_by, &names, &[]));
                let cleaners = others[..cleaners].iter().copied().collect();
                truths.push(Truth { polluters: left_by.to_vec(), cleaners });
            }
            victims.push(Victim { what, test, places: truths });
        }
        for number in 0..20_usize {
            let drawn = some(1 + number % 4 + 1 + number * 2);
            let (left_by, named_by) = drawn.split_at(1 + number % 4);
            places.push(place(left_by, named_by, &[]));
        }
        let test = |number: u32| Test {
            id: TestId { node_id: format!("test_{}.py::test_{number:03}", number / 10), occurrence: 0 },
            file: format!("test_{}.py", number / 10),
            line: None,
            group: None,
            rank: 0,
        };
        Generated { suite: Suite::new((0..tests).map(test).collect(), Vec::new(), 0), victims, places }
    }

    /// How much is run until each victim was seen to fail, in runs of the whole suite, and what the short runs take of it.
    fn until_found(generated: &Generated, seed: u64, turns: usize, most: u64) -> (Vec<f64>, f64) {
        let suite = &generated.suite;
        let mut found = vec![None; generated.victims.len()];
        let mut ran = 0;
        let mut look = |ran: usize, lists: &[Vec<TestIndex>]| {
            for (victim, found) in generated.victims.iter().zip(&mut found) {
                if found.is_none() && lists.iter().any(|list| victim.fails(list)) {
                    *found = Some(ran as f64 / suite.tests.len() as f64);
                }
            }
            found.iter().all(Option::is_some)
        };
        look(0, std::slice::from_ref(&suite.collected));
        for list in runs(&generated.places, turns, LEAK_SUITES * suite.tests.len()) {
            ran += list.len();
            look(ran, &[list]);
        }
        let short = ran as f64 / suite.tests.len() as f64;
        for index in 0..most {
            let plan = plan(Seed(seed), TrialIndex(index), suite, &Axes::default());
            ran += plan.len();
            if look(ran, &plan.workers) {
                break;
            }
        }
        (found.into_iter().map(|found| found.unwrap_or(f64::INFINITY)).collect(), short)
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    /// Of a sort of victims: what it is, and without and with what is known the medians and the shares that 20 runs find.
    type Row = (&'static str, [f64; 2], [f64; 2]);

    /// For each victim the medians without and with what is known, and the shares that 20 runs of the suite find.
    fn measured(tests: u32, seeds: u64, most: u64) -> (Vec<Row>, f64) {
        let (mut blind, mut informed, mut short) = (Vec::new(), Vec::new(), Vec::new());
        for seed in 0..seeds {
            let generated = generated(tests, seed);
            blind.push(until_found(&generated, seed, 0, most).0);
            let (found, took) = until_found(&generated, seed, LEAK_TURNS, most);
            informed.push(found);
            short.push(took);
        }
        let names: Vec<&str> = generated(tests, 0).victims.iter().map(|victim| victim.what).collect();
        let row = |(at, what)| {
            let of = |all: &[Vec<f64>]| all.iter().map(|found| found[at]).collect::<Vec<f64>>();
            let within =
                |all: Vec<f64>| all.iter().filter(|&&found| found <= 20.0).count() as f64 / all.len() as f64;
            let medians = [median(of(&blind)), median(of(&informed))];
            (what, medians, [within(of(&blind)), within(of(&informed))])
        };
        (names.into_iter().enumerate().map(row).collect(), median(short))
    }

    #[test]
    fn who_fails_next_to_its_polluter_or_for_several_is_found_earlier_and_others_little_later() {
        let (rows, short) = measured(100, 12, 60);
        assert!(short <= LEAK_SUITES as f64);
        for (what, [blind, informed], [within_blind, within]) in rows {
            assert!(informed <= blind + short, "{what}: {informed} after {blind}");
            assert!(within + 0.1 >= within_blind, "{what}: {within} after {within_blind}");
            if what.contains("clean") && what != HIDDEN && !what.starts_with("one of 20") {
                assert!(informed * 2.0 < blind && within > within_blind, "{what}: {informed} after {blind}");
            }
        }
    }

    /// Prints the table of the book.
    #[test]
    #[ignore = "takes minutes without optimisation"]
    fn how_much_is_run_until_a_victim_is_found() {
        for tests in [100, 300, 500] {
            let (rows, short) = measured(tests, 100, 300);
            println!("{tests} tests; the short runs take {short:.1}");
            for (what, [blind, informed], [within_blind, within]) in rows {
                println!(
                    "| {what} | {blind:.1} | {informed:.1} | {:.0} % | {:.0} % |",
                    within_blind * 100.0,
                    within * 100.0
                );
            }
        }
    }
}
