//! The commit of the project that is tested.

use std::path::Path;
use std::process::Command;

/// What git says of a folder; none if it is in no repository, or there is no git.
pub(crate) fn revision(folder: &Path) -> Option<String> {
    let git = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(folder).output().ok()?;
    let said = String::from_utf8_lossy(&git.stdout).trim().to_owned();
    (git.status.success() && !said.is_empty()).then_some(said)
}
