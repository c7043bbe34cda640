//! A minimal failure as a small JSON file, meant for version control.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::explain::RelatedTests;
use crate::finding::known::{Identity, Recorded, RecordedPlan, places};
use crate::finding::{Finding, Kind};
use crate::formats::FAILURE_FILE_VERSION;
use crate::judge::observation::FailureMatcher;
use crate::judge::signature::FailureLocation;
use crate::judge::{Signature, Tally};
use crate::parse::{object, reason};
use crate::plan::Imports;
use crate::plan::document::PlanDocument;
use crate::record::atomic_file;
use crate::record::kept_fix::KeptEdit;
use crate::suite::{Fixture, Suite, TestId, TestIndex};
use crate::trial::Collected;

/// A failure file is small; what is larger is something else.
const MOST_BYTES: u64 = 64 << 20;

/// What is needed to show a failure again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureFile {
    /// [`FAILURE_FILE_VERSION`].
    pub version: u32,
    /// What it is.
    pub kind: Kind,
    /// The test that fails.
    pub test: TestId,
    /// How it fails.
    pub crash: FailureLocation,
    /// The fixture that fails, where it is an accident to which test pytest charges that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixture: Option<Fixture>,
    /// How often it failed in the runs that confirmed it; unknown to files of the first jostle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Tally>,
    /// The places of shared state that were shown to be the cause, or the resource that is raced for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// pytest's version when it was found: ids of parametrised tests differ between versions.
    pub pytest: String,
    /// The smallest plan that shows what it is: the one that fails, or in which a brittle test passes. For an
    /// unstable collection, suite order under one hash seed.
    pub minimal: PlanDocument,
    /// The plan that first showed it. For an unstable collection, suite order under another hash seed.
    pub original: PlanDocument,
    /// Other victims of the same polluter and place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Victim>,
    /// Of a victim that is skipped alone: the tests after which it passes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes_after: Vec<TestId>,
    /// The fix that was tried and holds, if there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fix: Vec<KeptEdit>,
}

/// A test that fails if it takes the place of the recorded one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Victim {
    /// The test.
    pub test: TestId,
    /// How it fails.
    pub crash: FailureLocation,
    /// The test that makes it fail, where it is the recorded polluter itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<TestId>,
}

/// A failure file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read or written.
    #[error("cannot {what} {path}: {source}. Give a file that jostle can {what}")]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is none.
    #[error(
        "there is no {0}: give a failure file, or a folder of them as `jostle stress --failures DIR` writes it"
    )]
    Missing(String),
    /// It holds something else.
    #[error("{path} is not a failure file of jostle: {why}. `jostle stress --failures DIR` writes them")]
    Content {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// It holds no plan of a night.
    #[error("{path} is not the plan of a night: {why}. Write one with `jostle plan --out FILE`")]
    ShardPlan {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// `jostle leaks` has not written it.
    #[error("{path} is not what `jostle leaks` writes: {why}. Write it with `jostle leaks --json=FILE`")]
    LeaksReport {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// It holds no leaks that are known.
    #[error(
        "{path} is not a baseline of `jostle leaks`: {why}. Write one with `jostle leaks --write-baseline FILE`"
    )]
    LeaksBaseline {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// It holds no times.
    #[error(
        "{path} is not a baseline of `jostle speedup`: {why}. Write one with `jostle speedup --save FILE`"
    )]
    Baseline {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl FailureFile {
    /// The file of a finding; none if it is no shrunk isolation failure of a test.
    pub fn new(finding: &Finding, collected: &Collected) -> Option<Self> {
        Self::of(finding, &collected.suite, &collected.interpreter.pytest)
    }

    /// The name of the file that a finding has, if it has one.
    pub(crate) fn name_for(finding: &Finding, suite: &Suite) -> Option<String> {
        // No version of pytest is part of the name.
        Self::of(finding, suite, "").map(|file| file.file_name())
    }

    fn of(finding: &Finding, suite: &Suite, pytest: &str) -> Option<Self> {
        let (shrunk, signature) = (finding.shrunk.as_ref()?, finding.signature.as_ref()?);
        let id = |test: TestIndex| suite.test(test).id.clone();
        let victim = |signature: &Signature, after: Option<TestIndex>| Victim {
            test: id(signature.test),
            crash: signature.crash.clone(),
            after: after.map(id),
        };
        let also = finding.explanation.iter().flat_map(|explanation| {
            let RelatedTests { victims, in_turn, .. } = &explanation.related_tests;
            let victims = victims.iter().map(|signature| victim(signature, None));
            victims.chain(in_turn.iter().map(|turn| victim(&turn.victim, Some(turn.after))))
        });
        let also = also.chain(finding.same_polluter.victims.iter().map(|signature| victim(signature, None)));
        Some(Self {
            version: FAILURE_FILE_VERSION,
            kind: finding.kind,
            test: suite.test(signature.test).id.clone(),
            crash: signature.crash.clone(),
            fixture: match finding.wanted()? {
                FailureMatcher::Fixture(fixture, _) => Some(fixture),
                _ => finding.fixture().filter(|_| finding.kind == Kind::Race).cloned(),
            },
            failed: Some(if finding.kind == Kind::Brittle { finding.without } else { finding.with }),
            places: places(finding),
            pytest: pytest.to_owned(),
            minimal: PlanDocument::new(&shrunk.plan, suite),
            original: PlanDocument::new(finding.plan.as_ref()?, suite),
            also: also.collect(),
            passes_after: finding
                .passes_after
                .iter()
                .flatten()
                .map(|&test| suite.test(test).id.clone())
                .collect(),
            fix: finding
                .explanation
                .iter()
                .flat_map(|explanation| &explanation.fix)
                .flat_map(|fix| fix.edits.iter().map(KeptEdit::of))
                .collect(),
        })
    }

    /// The file as it would be for each of its victims alone, its own first. How often another one failed is
    /// not known, nor another plan of it than the minimal one.
    pub(crate) fn of_each_victim(mut self) -> Vec<Self> {
        let others = std::mem::take(&mut self.also);
        let of = |other: Victim| {
            let mut plan = PlanDocument { imports: Imports::All, ..self.minimal.clone() };
            let Victim { test, crash, after } = other;
            for place in plan.workers.iter_mut().flatten() {
                match &after {
                    _ if *place == self.test => *place = test.clone(),
                    // The polluter is the victim in its turn.
                    Some(after) if *place == test => *place = after.clone(),
                    _ => {}
                }
            }
            Self { test, crash, failed: None, minimal: plan.clone(), original: plan, ..self.clone() }
        };
        let others: Vec<Self> = others.into_iter().map(of).collect();
        std::iter::once(self).chain(others).collect()
    }

    /// Whether another file tells of the same test, which fails in the same way for the same plan.
    fn is_of_the_same_failure(&self, other: &Self) -> bool {
        (&self.kind, &self.test, &self.crash, &self.minimal.workers)
            == (&other.kind, &other.test, &other.crash, &other.minimal.workers)
    }

    /// Every test that it names.
    pub fn tests(&self) -> impl Iterator<Item = &TestId> {
        let planned = self.minimal.workers.iter().chain(&self.original.workers).flatten();
        let others = self.also.iter().map(|victim| &victim.test).chain(&self.passes_after);
        planned.chain([&self.test]).chain(others)
    }

    /// The smallest plan of the file in which the test fails.
    pub fn failing(&self) -> &PlanDocument {
        if self.kind == Kind::Brittle { &self.original } else { &self.minimal }
    }

    /// What the failure is recognised by; nothing if its test is not collected.
    pub fn wanted(&self, suite: &Suite) -> Option<FailureMatcher> {
        let crash = self.crash.clone();
        Some(match &self.fixture {
            Some(fixture) => FailureMatcher::Fixture(fixture.clone(), crash),
            None => FailureMatcher::Signature(Signature { test: suite.find(&self.test)?, crash }),
        })
    }

    /// What it is compared by with what is found later.
    pub fn identity(&self) -> Identity {
        let (test, crash) = (self.test.clone(), self.crash.clone());
        let identity =
            Identity::new(self.kind, test, crash, &self.minimal, self.places.iter().cloned(), true);
        Identity { also: self.also.iter().map(|victim| victim.test.clone()).collect(), ..identity }
    }

    /// What a session recognises it by, under the name of its file.
    pub(crate) fn recorded(self, file: String) -> Recorded {
        let identity = self.identity();
        let plan = |Self { test, crash, minimal: plan, .. }| RecordedPlan { test, crash, plan };
        Recorded { file, identity, plans: self.of_each_victim().into_iter().map(plan).collect() }
    }

    /// A name that two different failures do not share: kind, test function and eight digits of a hash
    /// over the test, the crash and the tests of the minimal plan.
    pub fn file_name(&self) -> String {
        let function = self.test.node_id.rsplit("::").next().unwrap_or_default();
        let plain: String =
            function.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
        let identity =
            serde_json::to_vec(&(&self.test, &self.crash, &self.minimal.workers)).unwrap_or_default();
        let digest: String =
            Sha256::digest(identity).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{plain}-{digest}.json", self.kind.name())
    }

    /// Writes the file into a folder, which is made if it does not exist. The file appears whole or
    /// not at all.
    ///
    /// # Errors
    /// The folder or file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, RecordError> {
        let path = folder.join(self.file_name());
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            atomic_file::write(&path, &text)
        };
        write().map_err(|source| RecordError::Io {
            what: "write",
            path: path.display().to_string(),
            source,
        })?;
        Ok(path)
    }

    /// Reads the files (`*.json`) of a folder, in the order of their names.
    ///
    /// # Errors
    /// The folder or one of its files cannot be read, or is no failure file.
    pub(crate) fn read_folder(folder: &Path) -> Result<Vec<(PathBuf, Self)>, RecordError> {
        let paths = || -> std::io::Result<Vec<PathBuf>> {
            let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
            entries.collect()
        };
        let mut paths = paths().map_err(|source| RecordError::Io {
            what: "read",
            path: format!("the folder {}", folder.display()),
            source,
        })?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        paths.into_iter().map(|path| Self::read(&path).map(|file| (path, file))).collect()
    }

    /// Reads a file, or those of a folder.
    ///
    /// # Errors
    /// There is none, or it is as for [`FailureFile::read_folder`].
    pub(crate) fn read_all(path: &Path) -> Result<Vec<(PathBuf, Self)>, RecordError> {
        match path.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(RecordError::Missing(path.display().to_string()))
            }
            Ok(metadata) if metadata.is_dir() => Self::read_folder(path),
            _ => Self::read(path).map(|file| vec![(path.to_owned(), file)]),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no failure file of this version.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let name = path.display().to_string();
        let io = |source| RecordError::Io { what: "read", path: name.clone(), source };
        let bytes = atomic_file::read(path, MOST_BYTES).map_err(io)?;
        Self::parse(&bytes).map_err(|why| RecordError::Content { path: name, why })
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// They are no failure file of this version; the text says why.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            version: Option<u32>,
        }
        match object::<Versioned>(bytes)?.version {
            Some(FAILURE_FILE_VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "it has version {version}, and this jostle reads version {FAILURE_FILE_VERSION}"
                ));
            }
            None => return Err("it has no version".into()),
        }
        let file: Self = object(bytes)?;
        for plan in [&file.minimal, &file.original] {
            plan.check().map_err(|error| reason(&error.to_string()))?;
        }
        if !file.failing().workers.iter().flatten().any(|test| *test == file.test) {
            return Err(reason(&format!("the plan of its failure does not run {}", file.test)));
        }
        if !file.also.is_empty() && file.kind != Kind::Victim {
            return Err(reason("only the polluter of a victim can have other victims"));
        }
        match file.fix.iter().find_map(KeptEdit::fault) {
            Some(fault) => Err(reason(&fault)),
            None => Ok(file),
        }
    }
}

/// The failures of some files, each once: those that the files are of, and then other victims that they name. A file of its
/// own tells more of a failure than one that names it as well.
pub(crate) fn each_failure(files: Vec<(PathBuf, FailureFile)>) -> Vec<(PathBuf, FailureFile)> {
    let (mut own, mut also) = (Vec::new(), Vec::new());
    for (path, file) in files {
        let mut victims = file.of_each_victim().into_iter().map(|file| (path.clone(), file));
        own.extend(victims.next());
        also.extend(victims);
    }
    for one in also {
        if !own.iter().any(|(_, file): &(PathBuf, FailureFile)| file.is_of_the_same_failure(&one.1)) {
            own.push(one);
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn test(name: &str) -> TestId {
        TestId { node_id: format!("test_a.py::{name}"), occurrence: 0 }
    }

    /// A file of the victim `v`, whose polluter `p` has the victim `w`, and is one after `v` itself.
    fn of_three_victims() -> FailureFile {
        let text = r#"{
            "version": 1, "kind": "victim", "test": {"node_id": "test_a.py::v"}, "pytest": "8.4.2",
            "crash": {"phase": "call", "exception": "KeyError", "file": "a.py", "function": "f"},
            "failed": {"runs": 4, "failed": 4},
            "also": [{
                "test": {"node_id": "test_a.py::w"},
                "crash": {"phase": "setup", "exception": "OSError", "file": "a.py", "function": "g"}
            }, {
                "test": {"node_id": "test_a.py::p"},
                "crash": {"phase": "call", "exception": "KeyError", "file": "a.py", "function": "h"},
                "after": {"node_id": "test_a.py::v"}
            }],
            "minimal": PLAN, "original": PLAN
        }"#;
        let plan = r#"{
            "version": 1, "seed": 1, "index": 2, "fingerprint": "0", "order": "explicit", "mode": "no",
            "hash_seed": 3, "random_seed": 4, "imports": {"only": ["test_a.py"]}, "interleaving": "free",
            "workers": [[{"node_id": "test_a.py::p"}, {"node_id": "test_a.py::v"}]]
        }"#;
        FailureFile::parse(text.replace("PLAN", plan).as_bytes()).unwrap()
    }

    #[test]
    fn each_victim_takes_the_place_of_the_recorded_one() {
        let file = of_three_victims();
        let files = file.clone().of_each_victim();
        assert_eq!(files.len(), 3);
        assert_eq!(files[0], FailureFile { also: Vec::new(), ..file });
        assert_eq!((&files[1].test, files[1].crash.function.as_str()), (&test("w"), "g"));
        assert_eq!(files[1].minimal.workers, vec![vec![test("p"), test("w")]]);
        assert_eq!(files[2].minimal.workers, vec![vec![test("v"), test("p")]], "the polluter in its turn");
        assert_eq!((&files[1].minimal.imports, files[1].failed), (&Imports::All, None));
        let brittle = FailureFile { kind: Kind::Brittle, ..of_three_victims() };
        let text = serde_json::to_vec(&brittle).unwrap();
        assert!(FailureFile::parse(&text).unwrap_err().contains("other victims"));
    }

    #[test]
    fn a_failure_that_several_files_tell_of_is_looked_at_once_as_in_the_file_of_its_own() {
        let file = of_three_victims();
        let of_w = file.clone().of_each_victim().remove(1);
        let own = FailureFile { failed: Some(Tally { runs: 8, failed: 8 }), ..of_w.clone() };
        let looked_at = |files: &[&FailureFile]| -> Vec<(String, Option<u32>)> {
            let named =
                (0..).zip(files).map(|(at, &file)| (PathBuf::from(format!("{at}.json")), file.clone()));
            let each = each_failure(named.collect());
            let of = |(path, mut file): (PathBuf, FailureFile)| {
                let runs = file.failed.map(|failed| failed.runs);
                (format!("{} of {}", file.test.node_id.split_off(11), path.display()), runs)
            };
            each.into_iter().map(of).collect()
        };
        let as_told = |at, test: &str, runs| (format!("{test} of {at}.json"), runs);
        let p = |at| as_told(at, "p", None);
        assert_eq!(looked_at(&[&file]), [as_told(0, "v", Some(4)), as_told(0, "w", None), p(0)]);
        assert_eq!(looked_at(&[&file, &own]), [as_told(0, "v", Some(4)), as_told(1, "w", Some(8)), p(0)]);
        let fails_otherwise = FailureFile { crash: file.crash.clone(), ..own };
        assert_eq!(looked_at(&[&file, &fails_otherwise]).len(), 4, "another failure of the test");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(FailureFile::parse(&bytes).is_err());
        }
    }

    #[test]
    fn a_file_of_another_version_says_so() {
        assert!(FailureFile::parse(b"{\"version\": 2}").unwrap_err().contains("version 2"));
        assert!(FailureFile::parse(b"{}").unwrap_err().contains("no version"));
    }
}
