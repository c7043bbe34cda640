//! Shards: which trials of a night are whose.
//!
//! Trial i belongs to shard k of n when i mod n = k - 1. Engines that run jobs side by side name a job's
//! place in environment variables, some from 0 and some from 1; people write `k/n` from 1.

use std::fmt;

/// One shard of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shard {
    /// Which, from 1.
    pub(crate) number: u32,
    /// Of how many.
    pub(crate) of: u32,
}

/// How an engine names a job's place.
struct Convention {
    engine: &'static str,
    index: &'static str,
    /// The variable for how many jobs there are, if it can be trusted: Slurm's count shrinks when a part of
    /// an array is submitted again, and others have none.
    count: Option<&'static str>,
    first: u32,
}

const CONVENTIONS: [Convention; 6] = [
    Convention { engine: "Slurm", index: "SLURM_ARRAY_TASK_ID", count: None, first: 0 },
    Convention { engine: "Kubernetes", index: "JOB_COMPLETION_INDEX", count: None, first: 0 },
    Convention { engine: "GitLab", index: "CI_NODE_INDEX", count: Some("CI_NODE_TOTAL"), first: 1 },
    Convention {
        engine: "Buildkite",
        index: "BUILDKITE_PARALLEL_JOB",
        count: Some("BUILDKITE_PARALLEL_JOB_COUNT"),
        first: 0,
    },
    Convention { engine: "CircleCI", index: "CIRCLE_NODE_INDEX", count: Some("CIRCLE_NODE_TOTAL"), first: 0 },
    Convention { engine: "AWS Batch", index: "AWS_BATCH_JOB_ARRAY_INDEX", count: None, first: 0 },
];

impl Shard {
    /// Reads `k/n`, or `k` where it is known how many there are.
    ///
    /// # Errors
    /// It is neither, or there is no such shard; the text says which.
    pub(crate) fn parse(text: &str, known: Option<u32>) -> Result<Self, String> {
        let number =
            |part: &str| part.parse::<u32>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()));
        let shard = match (text.split_once('/'), known) {
            (Some((shard, of)), _) => number(shard).zip(number(of)),
            (None, Some(of)) => number(text).map(|shard| (shard, of)),
            (None, None) => None,
        };
        let (shard, of) = shard.ok_or_else(|| format!("`{text}` is no shard: write k/n, like 2/4"))?;
        Self::new(shard, of)
            .ok_or_else(|| format!("there is no shard {text}: they are numbered from 1 to {of}"))
    }

    /// The shard that the environment names; none if no engine is known by it.
    ///
    /// # Errors
    /// The engine names none of the night's shards; the text says what to do.
    pub(crate) fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
        known: Option<u32>,
    ) -> Result<Option<Self>, String> {
        let present = CONVENTIONS.iter().find_map(|one| variable(one.index).map(|index| (one, index)));
        let Some((Convention { engine, index: name, count, first }, index)) = present else {
            return Ok(None);
        };
        let of = known.or_else(|| variable((*count)?)?.parse().ok()).ok_or_else(|| {
            format!("{engine} does not say how many shards there are: give them to `jostle plan --shards N`")
        })?;
        let shard = index.parse::<u32>().ok().and_then(|index| index.checked_sub(*first));
        let found = shard.and_then(|index| Self::new(index.checked_add(1)?, of));
        let last = first + of.saturating_sub(1);
        found.map(Some).ok_or_else(|| {
            format!("{engine} says {name}={index}, and {of} shards are numbered from {first} to {last} there")
        })
    }

    fn new(number: u32, of: u32) -> Option<Self> {
        (1..=of).contains(&number).then_some(Self { number, of })
    }

    /// Whether a trial is of this shard.
    pub(crate) fn has(self, trial: u64) -> bool {
        trial % u64::from(self.of) == u64::from(self.number - 1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn engines_are_understood() {
        type Variables = &'static [(&'static str, &'static str)];
        type Expected = Result<Option<(u32, u32)>, &'static str>;
        let table: [(Variables, Option<u32>, Expected); 12] = [
            (&[("SLURM_ARRAY_TASK_ID", "0"), ("SLURM_ARRAY_TASK_COUNT", "1")], Some(4), Ok(Some((1, 4)))),
            (&[("SLURM_ARRAY_TASK_ID", "4")], Some(4), Err("from 0 to 3")),
            (&[("SLURM_ARRAY_TASK_ID", "2")], None, Err("--shards N")),
            (&[("JOB_COMPLETION_INDEX", "3")], Some(4), Ok(Some((4, 4)))),
            (&[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "3")], None, Ok(Some((1, 3)))),
            (&[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "3")], None, Err("from 1 to 3")),
            (
                &[("BUILDKITE_PARALLEL_JOB", "0"), ("BUILDKITE_PARALLEL_JOB_COUNT", "2")],
                None,
                Ok(Some((1, 2))),
            ),
            (&[("CIRCLE_NODE_INDEX", "1"), ("CIRCLE_NODE_TOTAL", "2")], None, Ok(Some((2, 2)))),
            (&[("AWS_BATCH_JOB_ARRAY_INDEX", "7")], Some(8), Ok(Some((8, 8)))),
            (&[("AWS_BATCH_JOB_ARRAY_INDEX", "4294967295")], Some(8), Err("from 0 to 7")),
            (&[("AWS_BATCH_JOB_ARRAY_INDEX", "x")], Some(8), Err("from 0 to 7")),
            (&[("HOME", "/")], Some(8), Ok(None)),
        ];
        for (variables, known, expected) in table {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            match (Shard::from_environment(variable, known), expected) {
                (Ok(found), Ok(wanted)) => {
                    assert_eq!(found.map(|shard| (shard.number, shard.of)), wanted, "{variables:?}");
                }
                (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
                (found, _) => panic!("{variables:?}: {found:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn every_trial_is_of_one_shard(trial: u64, of in 1_u32..50) {
            let shards = (1..=of).filter_map(|number| Shard::new(number, of));
            prop_assert_eq!(shards.filter(|shard| shard.has(trial)).count(), 1);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>(), known: Option<u32>) {
            if let Ok(shard) = Shard::parse(&text, known) {
                prop_assert!(shard.number >= 1 && shard.number <= shard.of);
                prop_assert_eq!(Shard::parse(&shard.to_string(), None), Ok(shard));
            }
        }
    }
}
