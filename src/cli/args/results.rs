//! The options for what a session's result is, and where it is written besides.

use std::path::PathBuf;

use clap::Args;

/// What counts, and for whom it is written.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Results")]
pub struct ResultArgs {
    /// Write a file for each isolation failure, for `jostle replay`
    #[arg(long, value_name = "DIR")]
    pub failures: Option<PathBuf>,
    /// The folder of failure files that are known, which do not fail the job
    ///
    /// What they record is reported all the same
    #[arg(long, value_name = "DIR")]
    pub known: Option<PathBuf>,
    /// Fail the job for known failures as well
    #[arg(long, hide_short_help = true)]
    pub strict: bool,
    /// Keep what each trial showed in this folder, for `jostle history`
    #[arg(long, value_name = "DIR")]
    pub history: Option<PathBuf>,
    /// Write the results as JUnit XML, as Jenkins, GitLab and others show it
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// The page.
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Write the findings as a code quality report of GitLab's
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) code_quality: Option<PathBuf>,
    /// Write the findings as SARIF, as GitHub's code scanning shows them
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
}

/// The page for a browser.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PageArgs {
    /// Write the results as one page for a browser, which needs no network
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) html: Option<PathBuf>,
}
