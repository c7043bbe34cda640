//! What is written for continuous integration: files that are asked for, and what the system at hand shows.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rustix::fs::{FileType, fstat};
use serde::Serialize;

use crate::cli::result_options::ResultOptions;
use crate::cli::values::UsageError;
use crate::record::atomic_file;
use crate::report::entry::{Entry, entries};
use crate::report::gitlab::Sections;
use crate::report::{Again, code_quality, github, junit, sarif};
use crate::session::SessionResult;
use crate::trial::Collected;

/// Writes whatever the options ask for and the system at hand understands. What cannot be written keeps nothing else
/// from it: there is a result for each.
pub(crate) fn write(
    options: &ResultOptions,
    outline: &SessionResult,
    again: Again<'_>,
) -> [anyhow::Result<()>; 4] {
    let entries = entries(outline, options.strict, again);
    let rootdir = Path::new(&outline.collected.interpreter.rootdir);
    let repository = repository();
    [
        write_junit(options, outline, &entries),
        write_code_quality(options.code_quality.as_deref(), &entries, rootdir, repository.as_deref()),
        write_sarif(options, &entries, rootdir, repository.as_deref()),
        write_for_github(outline, &entries, rootdir, repository.as_deref()),
    ]
}

fn write_junit(options: &ResultOptions, outline: &SessionResult, entries: &[Entry]) -> anyhow::Result<()> {
    let Some(path) = &options.junit else { return Ok(()) };
    let xml = junit::report(outline, entries).context("cannot write the results as JUnit XML")?;
    Ok(whole("--junit", path, xml.as_bytes())?)
}

/// Writes what tests leave changed: to files that are asked for, and as annotations in a job of GitHub's.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write_leaks(
    junit: Option<&Path>,
    code_quality: Option<&Path>,
    collected: &Collected,
    entries: &[Entry],
) -> anyhow::Result<()> {
    let rootdir = Path::new(&collected.interpreter.rootdir);
    let repository = repository();
    if let Some(path) = junit {
        let xml = junit::report_of("leaks", &collected.suite, entries);
        whole("--junit", path, xml.context("cannot write the results as JUnit XML")?.as_bytes())?;
    }
    write_code_quality(code_quality, entries, rootdir, repository.as_deref())?;
    if is_github() {
        anstream::eprint!("{}", github::annotations(entries, rootdir, repository.as_deref()));
    }
    Ok(())
}

fn write_code_quality(
    path: Option<&Path>,
    entries: &[Entry],
    rootdir: &Path,
    repository: Option<&Path>,
) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let issues = code_quality::issues(entries, rootdir, repository);
    Ok(whole("--code-quality", path, &json(&issues)?)?)
}

fn write_sarif(
    options: &ResultOptions,
    entries: &[Entry],
    rootdir: &Path,
    repository: Option<&Path>,
) -> anyhow::Result<()> {
    let Some(path) = &options.sarif else { return Ok(()) };
    Ok(whole("--sarif", path, &json(&sarif::log(entries, rootdir, repository))?)?)
}

fn json(results: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(results).context("cannot write the results as JSON")?;
    json.push(b'\n');
    Ok(json)
}

fn write_for_github(
    outline: &SessionResult,
    entries: &[Entry],
    rootdir: &Path,
    repository: Option<&Path>,
) -> anyhow::Result<()> {
    if !is_github() {
        return Ok(());
    }
    // The runner reads both streams, and standard output may hold --json.
    anstream::eprint!("{}", github::annotations(entries, rootdir, repository));
    let Some(path) = folder("GITHUB_STEP_SUMMARY") else { return Ok(()) };
    let there = path.metadata().map_or(0, |file| file.len() as usize);
    let room = github::SUMMARY_BYTES.saturating_sub(there);
    Ok(append(&path, &github::summary(entries, outline.seed.0, &github::verdict(entries), room))?)
}

/// The sections of a report in a job of GitLab's, whose log is what standard output is piped to.
pub(crate) fn sections() -> Option<Sections> {
    let in_job = std::env::var_os("GITLAB_CI").is_some_and(|value| value == "true");
    let piped =
        fstat(std::io::stdout()).is_ok_and(|file| FileType::from_raw_mode(file.st_mode) == FileType::Fifo);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    (in_job && piped).then_some(Sections { time })
}

fn is_github() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// The folder of the repository, in a job.
fn repository() -> Option<PathBuf> {
    folder("GITHUB_WORKSPACE").or_else(|| folder("CI_PROJECT_DIR"))
}

fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn whole(option: &str, path: &Path, content: &[u8]) -> Result<(), UsageError> {
    atomic_file::write(path, content).map_err(|error| {
        let path = path.display();
        UsageError(format!("cannot write {option} {path}: {error}. Give a file that can be written"))
    })?;
    anstream::eprintln!("wrote {}", path.display());
    Ok(())
}

fn append(path: &Path, text: &str) -> Result<(), UsageError> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        let path = path.display();
        UsageError(format!(
            "cannot write the summary {path}, which $GITHUB_STEP_SUMMARY names: {error}. Unset it, or make it writable"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::everything;

    #[test]
    fn a_file_that_cannot_be_written_keeps_no_other_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let issues = folder.path().join("issues.json");
        let options = ResultOptions {
            junit: Some(folder.path().join("none").join("junit.xml")),
            code_quality: Some(issues.clone()),
            ..ResultOptions::default()
        };
        let [junit, code_quality, sarif, _] = write(&options, &everything(), Again::Gone);
        assert!(junit.is_err_and(|error| error.to_string().starts_with("cannot write --junit")));
        code_quality.unwrap();
        sarif.unwrap();
        let written: Vec<serde_json::Value> =
            serde_json::from_slice(&std::fs::read(issues).unwrap()).unwrap();
        assert!(!written.is_empty());
    }
}
