//! What counts as new, and where results are written, with every default filled in.

use std::path::PathBuf;

use crate::cli::args::ResultArgs;
use crate::cli::options::SuiteOptions;
use crate::cli::page_file;
use crate::cli::values::{UsageError, place_for};
use crate::finding::known::Recorded;
use crate::record::FailureFile;

/// What becomes of a session's results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultOptions {
    /// Where failure files are written.
    pub failures: Option<PathBuf>,
    /// The failures that are known.
    pub known: Vec<Recorded>,
    /// What the user should know of them.
    pub remark: Option<String>,
    /// Whether known failures count as new ones do.
    pub strict: bool,
    /// The folder of the history that the session is kept in.
    pub history: Option<PathBuf>,
    /// Where JUnit XML is written.
    pub junit: Option<PathBuf>,
    /// Where the page for a browser is written.
    pub(crate) html: Option<PathBuf>,
    /// Where GitLab's code quality report is written.
    pub(crate) code_quality: Option<PathBuf>,
    /// Where the results are written as SARIF.
    pub(crate) sarif: Option<PathBuf>,
}

impl ResultOptions {
    /// Resolves the arguments, and reads the failures that are known.
    ///
    /// # Errors
    /// A file of these cannot be read, or one that is to be written has no place.
    pub fn new(args: &ResultArgs, suite: &SuiteOptions) -> Result<Self, UsageError> {
        let config = &suite.config;
        let place = |option, given: &Option<PathBuf>, configured: &Option<PathBuf>| {
            let path = given.clone().or_else(|| suite.configured(configured.as_deref()));
            path.map(|path| place_for(option, &path)).transpose()
        };
        let html = args.page.html.clone().or_else(|| suite.configured(config.html.as_deref()));
        let folder = args.known.clone().or_else(|| suite.configured(config.known.as_deref()));
        let mut known = Vec::new();
        let mut remark = None;
        match folder {
            // Version control keeps no empty folder: this is how it looks before the first failure.
            Some(folder) if !folder.exists() => {
                remark =
                    Some(format!("there is no folder {}, so that no failure is known", folder.display()));
            }
            Some(folder) => known = recorded(&folder)?,
            None => {}
        }
        if args.strict && args.known.is_none() && config.known.is_none() {
            return Err(UsageError(
                "--strict makes known failures count, and none are known: give their folder with --known DIR, or leave \
                 it out"
                    .into(),
            ));
        }
        Ok(Self {
            failures: args.failures.clone().or_else(|| suite.failures_folder()),
            known,
            remark,
            strict: args.strict || config.strict.unwrap_or(false),
            history: args.history.clone().or_else(|| suite.configured(config.history.as_deref())),
            junit: place("--junit", &args.junit, &config.junit)?,
            html: html.as_deref().map(page_file::place).transpose()?,
            sarif: place("--sarif", &args.sarif, &config.sarif)?,
            code_quality: place("--code-quality", &args.code_quality, &config.code_quality)?,
        })
    }
}

/// The failures that are recorded in a folder, each by the name of its file.
fn recorded(folder: &std::path::Path) -> Result<Vec<Recorded>, UsageError> {
    let files = FailureFile::read_folder(folder).map_err(|error| UsageError(format!("--known: {error}")))?;
    let named = |(path, file): (PathBuf, FailureFile)| file.recorded(path.display().to_string());
    Ok(files.into_iter().map(named).collect())
}
