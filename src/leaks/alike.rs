//! Places that are alike: the same tests, fixtures or imports leave them, and only numbers tell the names and the values of one
//! from those of another. A few of them are left a second time, and what these show is told of all.

use std::collections::{BTreeMap, BTreeSet};

use crate::leaks::{Leak, Owner};
use crate::limits::{LEAK_ALIKE, LEAK_LINES};
use crate::state::StateKind;

/// Leaks that are alike, by their positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alike {
    /// Those whose owners are asked to leave them again.
    pub(crate) asked: Vec<usize>,
    /// The others.
    others: Vec<usize>,
    /// Whether as many are asked as tell of the others.
    tells: bool,
}

/// A name without the numbers that code may count what it makes by: these go on in a second run.
pub(crate) fn unnumbered(name: &str) -> String {
    let mut found = String::new();
    for part in name.split(|letter: char| letter.is_ascii_digit()).filter(|part| !part.is_empty()) {
        found.push_str(part);
        found.push('#');
    }
    found
}

/// Whether the second of two executions in one process tells whether the first leaves a place, or the first use of something
/// does: nobody puts back what was left.
pub(crate) fn tells_twice(leak: &Leak) -> bool {
    match leak.kind {
        StateKind::Random | StateKind::ChildProcess | StateKind::Descriptor => true,
        StateKind::Thread => leak.new == BY_OTHERS,
        _ => leak.place == AT_EXIT,
    }
}

/// What the harness says of a thread that no line of the project has started.
const BY_OTHERS: &str = "runs";
/// How many functions are called when the process ends.
const AT_EXIT: &str = "atexit._ncallbacks()";

/// The leaks that are not settled, those together that are alike. The first [`LEAK_ALIKE`] of each are asked, up to
/// [`LEAK_LINES`] in all.
pub(crate) fn alike(leaks: &[Leak]) -> Vec<Alike> {
    let mut groups: Vec<Alike> = Vec::new();
    let mut known: BTreeMap<(String, StateKind, bool, BTreeSet<&Owner>), usize> = BTreeMap::new();
    let mut asked = 0;
    for (at, leak) in leaks.iter().enumerate().filter(|(_, leak)| !leak.settled) {
        let shown = unnumbered(&format!("{} {} {}", leak.place, leak.old, leak.new));
        let key = (shown, leak.kind, tells_twice(leak), leak.owners.iter().collect());
        let group = *known.entry(key).or_insert_with(|| {
            groups.push(Alike { asked: Vec::new(), others: Vec::new(), tells: false });
            groups.len() - 1
        });
        let group = &mut groups[group];
        if group.asked.len() < LEAK_ALIKE && asked < LEAK_LINES {
            group.asked.push(at);
            asked += 1;
        } else {
            group.others.push(at);
        }
        group.tells = group.asked.len() == LEAK_ALIKE;
    }
    groups
}

/// Settles leaks as far as their owners did not leave them again: `settled` has these by the leaks that were asked. Owners of
/// which none of those asked was left again are settled of those that are alike as well.
pub(crate) fn settle(leaks: &mut Vec<Leak>, groups: &[Alike], mut settled: BTreeMap<usize, Vec<Owner>>) {
    for group in groups.iter().filter(|group| group.tells) {
        for &at in &group.others {
            let all = leaks[at].owners.iter();
            let is_settled = |owner: &&Owner| {
                group
                    .asked
                    .iter()
                    .all(|asked| settled.get(asked).is_some_and(|owners| owners.contains(owner)))
            };
            let owners: Vec<Owner> = all.filter(is_settled).cloned().collect();
            if !owners.is_empty() {
                settled.insert(at, owners);
            }
        }
    }
    for (at, owners) in settled {
        let leak = &mut leaks[at];
        leak.owners.retain(|owner| !owners.contains(owner));
        if leak.owners.is_empty() {
            (leak.settled, leak.first_use, leak.owners) = (true, false, owners);
        } else {
            let leak = Leak { settled: true, first_use: false, owners, written: None, ..leak.clone() };
            leaks.push(leak);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::leaks::grouped;
    use crate::state::{Left, Place};
    use crate::suite::TestIndex;

    /// Leaks of these places, each left by the tests of these numbers.
    fn leaks(places: &[(&str, &[u32])]) -> Vec<Leak> {
        let list: Vec<TestIndex> = (0..10).map(TestIndex).collect();
        let told = places.iter().flat_map(|&(place, tests)| {
            tests.iter().map(move |&position| Left {
                position: Some(position),
                fixture: None,
                file: None,
                line: None,
                places: vec![Place::example(place)],
                settled: Vec::new(),
                first_use: Vec::new(),
                written: Vec::new(),
            })
        });
        grouped(&told.collect::<Vec<_>>(), &list)
    }

    fn tests(numbers: &[u32]) -> Vec<Owner> {
        numbers.iter().map(|&number| Owner::Test(TestIndex(number))).collect()
    }

    /// Of each leak its place, whether it is settled, and its tests.
    fn shown(leaks: &[Leak]) -> Vec<(&str, bool, Vec<u32>)> {
        let of = |leak: &Leak| leak.tests().map(|test| test.0).collect();
        leaks.iter().map(|leak| (leak.place.as_str(), leak.settled, of(leak))).collect()
    }

    #[test]
    fn of_places_that_only_numbers_tell_apart_three_are_asked_where_the_same_leave_them() {
        let mut places = leaks(&[
            ("a[0].x", &[0]),
            ("a[1].x", &[0]),
            ("a[2].x", &[0, 1]),
            ("a[3].y", &[0]),
            ("a[4].x", &[0]),
            ("a[5].x", &[0]),
            ("a[6].x", &[1, 0]),
            ("a[7].x", &[0]),
            ("a[8].x", &[0]),
        ]);
        places[7].settled = true;
        let groups = alike(&places);
        let asked: Vec<_> = groups.iter().map(|group| (group.asked.as_slice(), group.tells)).collect();
        assert_eq!(asked, [(&[0, 1, 4][..], true), (&[2, 6], false), (&[3], false)]);
        assert_eq!(groups[0].others, [5, 8]);
    }

    #[test]
    fn places_whose_values_differ_in_more_than_numbers_are_not_alike() {
        let groups = |new: [&str; 2]| {
            let mut leaks = leaks(&[("CODES[200]", &[0]), ("CODES[404]", &[0])]);
            leaks.iter_mut().zip(new).for_each(|(leak, new)| leak.new = new.into());
            alike(&leaks).len()
        };
        assert_eq!(groups(["<Code n=200>", "<Code n=404>"]), 1);
        assert_eq!(groups(["'fine'", "'gone'"]), 2);
    }

    #[test]
    fn no_more_are_asked_than_lines_are_looked_for() {
        let letters =
            |number: usize| number.to_string().bytes().map(|digit| char::from(digit + 49)).collect();
        let names: Vec<String> = (0..LEAK_LINES + 7).map(letters).collect();
        let places: Vec<(&str, &[u32])> = names.iter().map(|name| (name.as_str(), &[0][..])).collect();
        let groups = alike(&leaks(&places));
        assert_eq!(groups.iter().map(|group| group.asked.len()).sum::<usize>(), LEAK_LINES);
        assert_eq!(groups.iter().map(|group| group.others.len()).sum::<usize>(), 7);
    }

    #[test]
    fn what_three_show_is_told_of_those_alike() {
        let places: &[(&str, &[u32])] = &[("a1", &[4]), ("a2", &[4]), ("a3", &[4]), ("a4", &[4])];
        for (settled, expected) in [(vec![0, 1, 2], true), (vec![0, 1], false), (vec![], false)] {
            let mut leaks = leaks(places);
            let groups = alike(&leaks);
            settle(&mut leaks, &groups, settled.into_iter().map(|at| (at, tests(&[4]))).collect());
            assert_eq!(shown(&leaks)[3], ("a4", expected, vec![4]));
        }
    }

    #[test]
    fn an_owner_is_settled_of_those_alike_that_left_none_again() {
        let both: &[u32] = &[4, 5];
        let mut leaks = leaks(&[("a1", both), ("a2", both), ("a3", both), ("a4", both)]);
        let groups = alike(&leaks);
        let settled = [(0, tests(&[4])), (1, tests(&[4, 5])), (2, tests(&[4]))];
        settle(&mut leaks, &groups, settled.into());
        let expected = [
            ("a1", false, vec![5]),
            ("a2", true, vec![4, 5]),
            ("a3", false, vec![5]),
            ("a4", false, vec![5]),
            ("a1", true, vec![4]),
            ("a3", true, vec![4]),
            ("a4", true, vec![4]),
        ];
        assert_eq!(shown(&leaks), expected);
    }

    proptest! {
        #[test]
        fn no_owner_is_lost_or_invented(
            left in proptest::collection::vec((0..3_u32, 1..12_u32), 0..40),
            settled in proptest::collection::btree_map(0..40_usize, 1..12_u32, 0..40),
        ) {
            let of = |bits: u32| (0..4).filter(|bit| bits >> bit & 1 == 1).collect::<Vec<u32>>();
            let named: Vec<(String, Vec<u32>)> =
                left.iter().enumerate().map(|(at, (name, bits))| (format!("{}{at}", ["a", "b", "c"][*name as usize]), of(*bits))).collect();
            let places: Vec<(&str, &[u32])> = named.iter().map(|(name, tests)| (name.as_str(), tests.as_slice())).collect();
            let mut leaks = leaks(&places);
            let groups = alike(&leaks);
            let asked: BTreeSet<usize> = groups.iter().flat_map(|group| group.asked.iter().copied()).collect();
            let settled = settled.into_iter().filter(|(at, _)| asked.contains(at)).filter_map(|(at, bits)| {
                let owners: Vec<Owner> = tests(&of(bits)).into_iter().filter(|owner| leaks[at].owners.contains(owner)).collect();
                (!owners.is_empty()).then_some((at, owners))
            });
            let settled: BTreeMap<usize, Vec<Owner>> = settled.collect();
            settle(&mut leaks, &groups, settled);
            let mut found: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
            for leak in &leaks {
                prop_assert!(!leak.owners.is_empty());
                found.entry(&leak.place).or_default().extend(leak.tests().map(|test| test.0));
            }
            found.values_mut().for_each(|tests| tests.sort_unstable());
            let expected: BTreeMap<&str, Vec<u32>> = named.iter().map(|(name, tests)| (name.as_str(), tests.clone())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
