//! Where a seed comes from: given, or the same for all who ask on one day or in one run of a pipeline.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use sha2::{Digest, Sha256};

use crate::cli::values::UsageError;
use crate::plan::Seed;

/// What `--seed` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedFrom {
    /// This number.
    Number(u64),
    /// Today's date in UTC: 20260131.
    Date,
    /// The run of the pipeline, as continuous integration numbers it; a retried job is of the same run.
    RunId,
}

/// How systems name the run of a pipeline, all its jobs and their retries.
const RUNS: [(&str, &str); 8] = [
    ("GitHub Actions", "GITHUB_RUN_ID"),
    ("GitLab", "CI_PIPELINE_ID"),
    ("Buildkite", "BUILDKITE_BUILD_ID"),
    ("CircleCI", "CIRCLE_WORKFLOW_ID"),
    ("Azure Pipelines", "BUILD_BUILDID"),
    ("Jenkins", "BUILD_TAG"),
    ("Slurm", "SLURM_ARRAY_JOB_ID"),
    ("Slurm", "SLURM_JOB_ID"),
];

/// A seed, and where it is from if it was not given as a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The seed.
    pub seed: Seed,
    /// `the date`, `GITHUB_RUN_ID=163`.
    pub from: Option<String>,
}

impl SeedFrom {
    /// The seed, on this day and in this environment.
    ///
    /// # Errors
    /// No run of a pipeline is known by the environment.
    pub fn resolve(self) -> Result<Resolved, UsageError> {
        self.resolve_with(SystemTime::now(), |name| std::env::var(name).ok())
    }

    fn resolve_with(
        self,
        now: SystemTime,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Resolved, UsageError> {
        let (seed, from) = match self {
            Self::Number(seed) => (seed, None),
            Self::Date => (day(now), Some("the date".to_owned())),
            Self::RunId => {
                let known = RUNS.iter().find_map(|(_, name)| Some((name, variable(name)?)));
                let (name, run) = known.filter(|(_, run)| !run.is_empty()).ok_or_else(unknown_run)?;
                (number_of(&run), Some(format!("{name}={run}")))
            }
        };
        Ok(Resolved { seed: Seed(seed), from })
    }
}

fn unknown_run() -> UsageError {
    let mut systems: Vec<&str> = RUNS.iter().map(|(system, _)| *system).collect();
    systems.dedup();
    UsageError(format!(
        "--seed run-id: no run of {} is known here. Give --seed date, or a number",
        systems.join(", ")
    ))
}

/// The day in UTC, as a number that people read as a date.
fn day(now: SystemTime) -> u64 {
    let written = humantime::format_rfc3339_seconds(now).to_string();
    written.chars().take(10).filter_map(|c| c.to_digit(10)).fold(0, |day, digit| day * 10 + u64::from(digit))
}

/// A run's number; of a name that is none, the first eight bytes of its SHA-256.
fn number_of(run: &str) -> u64 {
    run.parse().unwrap_or_else(|_| {
        Sha256::digest(run).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    })
}

impl From<u64> for SeedFrom {
    fn from(seed: u64) -> Self {
        Self::Number(seed)
    }
}

impl FromStr for SeedFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "date" => Ok(Self::Date),
            "run-id" => Ok(Self::RunId),
            _ => text
                .parse()
                .map(Self::Number)
                .map_err(|_| "give a whole number from 0 to 2^64-1, `date` or `run-id`".into()),
        }
    }
}

impl<'de> Deserialize<'de> for SeedFrom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrWord;
        impl Visitor<'_> for NumberOrWord {
            type Value = SeedFrom;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a u64, \"date\" or \"run-id\"")
            }
            fn visit_u64<E: Error>(self, seed: u64) -> Result<SeedFrom, E> {
                Ok(SeedFrom::Number(seed))
            }
            fn visit_i64<E: Error>(self, seed: i64) -> Result<SeedFrom, E> {
                let seed = u64::try_from(seed);
                seed.map(SeedFrom::Number)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Other("a negative number"), &self))
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<SeedFrom, E> {
                word.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(NumberOrWord)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_day_has_one_seed_that_reads_as_its_date() {
        let seed = |seconds| SeedFrom::Date.resolve_with(at(seconds), |_| None).unwrap().seed;
        let midnight = 1_769_817_600;
        assert_eq!(seed(midnight), Seed(20_260_131));
        assert_eq!(seed(midnight + 86_399), Seed(20_260_131));
        assert_eq!(seed(midnight + 86_400), Seed(20_260_201));
    }

    #[test]
    fn a_run_has_one_seed_on_every_system() {
        let seed = |name: &'static str, value: &'static str| {
            let variable = move |asked: &str| (asked == name).then(|| value.to_owned());
            SeedFrom::RunId.resolve_with(at(0), variable)
        };
        for (_, name) in RUNS {
            assert_eq!(seed(name, "163").unwrap().seed, Seed(163), "{name}");
        }
        let named = seed("CIRCLE_WORKFLOW_ID", "5c5f8a4e-0e6d").unwrap();
        assert_eq!(
            named,
            seed("BUILD_TAG", "5c5f8a4e-0e6d")
                .map(|tag| Resolved { seed: tag.seed, ..named.clone() })
                .unwrap()
        );
        assert_eq!(named.from.as_deref(), Some("CIRCLE_WORKFLOW_ID=5c5f8a4e-0e6d"));
        assert!(seed("HOME", "/").unwrap_err().0.contains("GitHub Actions"));
        assert!(seed("GITHUB_RUN_ID", "").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            if let Ok(SeedFrom::Number(seed)) = text.parse::<SeedFrom>() {
                prop_assert_eq!(text.parse(), Ok(seed));
            }
        }

        #[test]
        fn a_given_number_is_the_seed(seed: u64) {
            let resolved = SeedFrom::from(seed).resolve_with(at(0), |_| None);
            prop_assert_eq!(resolved, Ok(Resolved { seed: Seed(seed), from: None }));
        }
    }
}
