//! The reaper: a process that outlives jostle by a moment and ends what jostle could not.
//!
//! The parent-death signal ends pytest when jostle is killed, but not what a test has started. So a
//! small process of its own session knows every process group of ours; when its standard input
//! closes, however jostle died, it kills the groups that are left and removes the session's folder.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::run::RunError;

/// jostle's side of the reaper.
#[derive(Debug)]
pub(crate) struct Reaper {
    child: Child,
    input: Option<ChildStdin>,
}

impl Reaper {
    /// Starts the reaper: the given jostle, with its hidden command.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(executable: &Path, folder: &Path) -> Result<Self, RunError> {
        let mut command = Command::new(executable);
        command
            .arg("__reaper")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let mut child = command.spawn().map_err(|source| RunError::io("cannot start the reaper", source))?;
        let input = child.stdin.take();
        let mut reaper = Self { child, input };
        reaper.say(&format!("folder {}", folder.display()));
        Ok(reaper)
    }

    /// A process group has been started.
    pub(crate) fn watch(&mut self, group: Pid) {
        self.say(&format!("+{group}"));
    }

    /// A process group has been ended.
    pub(crate) fn forget(&mut self, group: Pid) {
        self.say(&format!("-{group}"));
    }

    fn say(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            // A reaper that was killed cannot be told; the groups are still ended by ourselves.
            let _ = writeln!(input, "{line}");
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

/// The reaper's side: reads until jostle is gone, then ends what is left.
pub(crate) fn reaper_main() {
    let mut groups = BTreeSet::new();
    let mut folder = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match (line.split_at_checked(1), line.strip_prefix("folder ")) {
            (_, Some(path)) => folder = Some(PathBuf::from(path)),
            (Some(("+", group)), _) => drop(group.parse::<i32>().map(|group| groups.insert(group))),
            (Some(("-", group)), _) => drop(group.parse::<i32>().map(|group| groups.remove(&group))),
            _ => {}
        }
    }
    for group in groups.into_iter().filter_map(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
    if let Some(folder) = folder {
        let _ = std::fs::remove_dir_all(folder);
    }
}
