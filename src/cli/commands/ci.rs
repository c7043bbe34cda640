//! What is written for continuous integration: files that are asked for, and what the system at hand shows.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rustix::fs::{FileType, fstat};

use crate::cli::result_options::ResultOptions;
use crate::cli::values::UsageError;
use crate::record::atomic_file;
use crate::report::entry::entries;
use crate::report::gitlab::Sections;
use crate::report::{code_quality, github, junit};
use crate::session::SessionResult;

/// Writes whatever the options ask for and the system at hand understands.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write(options: &ResultOptions, outline: &SessionResult) -> anyhow::Result<()> {
    let entries = entries(outline, options.strict);
    let rootdir = Path::new(&outline.collected.interpreter.rootdir);
    let repository = folder("GITHUB_WORKSPACE").or_else(|| folder("CI_PROJECT_DIR"));
    if let Some(path) = &options.junit {
        let xml = junit::report(outline, &entries).context("cannot write the results as JUnit XML")?;
        whole("--junit", path, xml.as_bytes())?;
    }
    if let Some(path) = &options.code_quality {
        let issues = code_quality::issues(&entries, rootdir, repository.as_deref());
        let mut json = serde_json::to_vec_pretty(&issues).context("cannot write the results as JSON")?;
        json.push(b'\n');
        whole("--code-quality", path, &json)?;
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        // The runner reads both streams, and standard output may hold --json.
        anstream::eprint!("{}", github::annotations(&entries, rootdir, repository.as_deref()));
        if let Some(path) = folder("GITHUB_STEP_SUMMARY") {
            let there = path.metadata().map_or(0, |file| file.len() as usize);
            let room = github::SUMMARY_BYTES.saturating_sub(there);
            append(&path, &github::summary(&entries, outline.seed.0, &github::verdict(&entries), room))?;
        }
    }
    Ok(())
}

/// The sections of a report in a job of GitLab's, whose log is what standard output is piped to.
pub(crate) fn sections() -> Option<Sections> {
    let in_job = std::env::var_os("GITLAB_CI").is_some_and(|value| value == "true");
    let piped =
        fstat(std::io::stdout()).is_ok_and(|file| FileType::from_raw_mode(file.st_mode) == FileType::Fifo);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    (in_job && piped).then_some(Sections { time })
}

fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn whole(option: &str, path: &Path, content: &[u8]) -> Result<(), UsageError> {
    atomic_file::write(path, content).map_err(|error| {
        let path = path.display();
        UsageError(format!("cannot write {option} {path}: {error}. Give a file that can be written"))
    })
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
