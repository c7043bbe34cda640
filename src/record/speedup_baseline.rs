//! The times of a `jostle speedup` as a file, to compare later ones with.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::formats::SPEEDUP_BASELINE;
use crate::parse::{object, reason};
use crate::plan::{Configuration, Mode};
use crate::record::{RecordError, atomic_file};
use crate::speedup::Summary;
use crate::suite::{Fingerprint, Suite};
use crate::trial::Interpreter;

/// A baseline is small; what is larger is something else.
const MOST_BYTES: u64 = 16 << 20;

/// The times of a measurement, and what they depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeedupBaseline {
    /// [`SPEEDUP_BASELINE`].
    pub schema: String,
    /// Which tests were run.
    pub fingerprint: Fingerprint,
    /// How many.
    pub tests: usize,
    /// Python's version.
    pub python: String,
    /// pytest's version.
    pub pytest: String,
    /// How many cores there were.
    pub cores: u32,
    /// The configurations whose runs all did the same as the reference.
    pub configurations: Vec<Measured>,
}

/// The times of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Which.
    #[serde(flatten)]
    pub configuration: Configuration,
    /// Seconds of each run.
    pub seconds: Vec<f64>,
}

impl SpeedupBaseline {
    /// The baseline of a measurement.
    pub fn new(suite: &Suite, interpreter: &Interpreter, summary: &Summary) -> Self {
        let valid = summary.rows.iter().filter(|row| row.differing.runs == 0 && !row.seconds.is_empty());
        let measured = valid
            .map(|row| Measured { configuration: row.configuration, seconds: row.seconds.clone() })
            .collect();
        Self {
            schema: SPEEDUP_BASELINE.into(),
            fingerprint: suite.fingerprint.clone(),
            tests: suite.tests.len(),
            python: interpreter.python.clone(),
            pytest: interpreter.pytest.clone(),
            cores: summary.cores,
            configurations: measured,
        }
    }

    /// What is different now from when the baseline was made, so that times differ for it too.
    pub(crate) fn other_circumstances(
        &self,
        suite: &Suite,
        interpreter: &Interpreter,
        cores: u32,
    ) -> Vec<String> {
        let mut other = Vec::new();
        let mut differs = |what: &str, then: &str, now: &str| {
            if then != now {
                other.push(format!("{what} {then} then, {now} now"));
            }
        };
        differs("cores:", &self.cores.to_string(), &cores.to_string());
        differs("Python", &self.python, &interpreter.python);
        differs("pytest", &self.pytest, &interpreter.pytest);
        if self.fingerprint != suite.fingerprint {
            other.push(format!("other tests: {} then, {} now", self.tests, suite.tests.len()));
        }
        other
    }

    /// The times by configuration.
    pub fn times(&self) -> Vec<(Configuration, Vec<f64>)> {
        self.configurations.iter().map(|one| (one.configuration, one.seconds.clone())).collect()
    }

    /// Writes the file. It appears whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let write = || -> std::io::Result<()> {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            atomic_file::write(path, &text)
        };
        write().map_err(|source| RecordError::Io { what: "write", path: path.display().to_string(), source })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no baseline of this version.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let name = path.display().to_string();
        let io = |source| RecordError::Io { what: "read", path: name.clone(), source };
        let bytes = atomic_file::read(path, MOST_BYTES).map_err(io)?;
        Self::parse(&bytes).map_err(|why| RecordError::Baseline { path: name, why })
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// They are no baseline of this version; the text says why.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Named {
            schema: Option<String>,
        }
        match object::<Named>(bytes)?.schema.as_deref() {
            Some(SPEEDUP_BASELINE) => {}
            Some(other) => {
                return Err(reason(&format!("it says that it is {other}, and not {SPEEDUP_BASELINE}")));
            }
            None => return Err("it does not say what it is (`schema`)".into()),
        }
        let baseline: Self = object(bytes)?;
        check(&baseline)?;
        Ok(baseline)
    }
}

fn check(baseline: &SpeedupBaseline) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for Measured { configuration, seconds } in &baseline.configurations {
        let name = format!("{} workers, {}", configuration.workers, configuration.mode.name());
        let serial = *configuration == Configuration::REFERENCE;
        if configuration.workers == 0 || serial != (configuration.mode == Mode::No) {
            return Err(format!("there is no such combination: {name}"));
        }
        if !seen.insert(*configuration) {
            return Err(format!("it has {name} twice"));
        }
        if seconds.is_empty() || seconds.iter().any(|seconds| !seconds.is_finite() || *seconds <= 0.0) {
            return Err(format!("the seconds of {name} are not all above 0"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn baseline() -> SpeedupBaseline {
        let measured = |workers, mode| Measured {
            configuration: Configuration { workers, mode },
            seconds: vec![1.5, 1.25],
        };
        SpeedupBaseline {
            schema: SPEEDUP_BASELINE.into(),
            fingerprint: Fingerprint("0123".into()),
            tests: 3,
            python: "3.11.7".into(),
            pytest: "8.4.2".into(),
            cores: 2,
            configurations: vec![measured(1, Mode::No), measured(2, Mode::Load)],
        }
    }

    #[test]
    fn a_written_baseline_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base.json");
        baseline().write(&path).unwrap();
        assert_eq!(SpeedupBaseline::read(&path).unwrap(), baseline());
    }

    #[test]
    fn what_is_wrong_with_a_baseline_is_said() {
        let damaged = |change: &dyn Fn(&mut SpeedupBaseline)| {
            let mut baseline = baseline();
            change(&mut baseline);
            SpeedupBaseline::parse(&serde_json::to_vec(&baseline).unwrap()).unwrap_err()
        };
        assert!(damaged(&|it| it.schema = "jostle.speedup/1".into()).contains("jostle.speedup/1"));
        assert!(damaged(&|it| it.configurations[1].seconds.clear()).contains("2 workers, load"));
        assert!(damaged(&|it| it.configurations[0].seconds[0] = -1.0).contains("above 0"));
        assert!(damaged(&|it| it.configurations[1] = it.configurations[0].clone()).contains("twice"));
        assert!(damaged(&|it| it.configurations[0].configuration.workers = 4).contains("no such"));
        assert!(SpeedupBaseline::parse(b"[1]").is_err());
        assert!(SpeedupBaseline::parse(b"{}").unwrap_err().contains("schema"));
    }

    proptest! {
        #[test]
        fn no_damage_makes_the_reader_panic(at in 0_usize..400, byte: u8) {
            let mut text = serde_json::to_vec(&baseline()).unwrap();
            let at = at % text.len();
            text[at] = byte;
            let _ = SpeedupBaseline::parse(&text);
            prop_assert!(SpeedupBaseline::parse(&text[..at]).is_err());
        }
    }
}
