//! The reaper: a process that outlives jostle by a moment and ends what jostle could not.
//!
//! The parent-death signal ends pytest when jostle is killed, but not what a test has started. So a
//! small process of its own session knows every process group of ours; when its standard input
//! closes, however jostle died, it kills the groups that are left and removes the session's folder.

use std::collections::BTreeMap;
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
    let mut groups = Groups::default();
    let mut folder = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match (line.split_at_checked(1), line.strip_prefix("folder ")) {
            (_, Some(path)) => folder = Some(PathBuf::from(path)),
            (Some((sign, group)), _) => groups.take_in(sign, group, started),
            _ => {}
        }
    }
    for group in groups.left(started) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
    if let Some(folder) = folder {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// When a process was started, as the system counts it; none if there is no such process, or it cannot be told.
fn started(process: Pid) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // proc_pid_stat(5): the 22nd field; the second may hold anything, and ends with the last bracket.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

/// Process groups of jostle's, and when the leader of each was started.
#[derive(Default)]
struct Groups(BTreeMap<i32, Option<String>>);

impl Groups {
    /// Takes in that a group was started (`+`) or ended (`-`).
    fn take_in(&mut self, sign: &str, group: &str, started: impl Fn(Pid) -> Option<String>) {
        let Some(group) = group.parse::<i32>().ok().and_then(Pid::from_raw) else { return };
        match sign {
            "+" => _ = self.0.insert(group.as_raw_nonzero().get(), started(group)),
            "-" => _ = self.0.remove(&group.as_raw_nonzero().get()),
            _ => {}
        }
    }

    /// Those that are still jostle's. The number of a group is free only once all of it has ended; a process that has it and
    /// was started at another time is somebody else's.
    fn left(&self, started: impl Fn(Pid) -> Option<String>) -> Vec<Pid> {
        let is_ours = |(group, then): (&i32, &Option<String>)| {
            let group = Pid::from_raw(*group)?;
            let now = started(group);
            (now.is_none() || now == *then).then_some(group)
        };
        self.0.iter().filter_map(is_ours).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_whose_number_has_gone_to_another_process_is_left_alone() {
        let mut groups = Groups::default();
        let then = |group: Pid| (group.as_raw_nonzero().get() != 14).then(|| "100".to_owned());
        for (sign, group) in
            [("+", "10"), ("+", "11"), ("+", "12"), ("+", "13"), ("+", "14"), ("-", "11"), ("+", "x")]
        {
            groups.take_in(sign, group, then);
        }
        // 12 has ended and may have left others of its group; 13 and 14 are other processes now.
        let now = |group: Pid| match group.as_raw_nonzero().get() {
            10 => Some("100".to_owned()),
            12 => None,
            _ => Some("200".to_owned()),
        };
        let left: Vec<i32> = groups.left(now).into_iter().map(|group| group.as_raw_nonzero().get()).collect();
        assert_eq!(left, [10, 12]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_tells_when_it_was_started() {
        let own = started(rustix::process::getpid());
        assert!(own.as_ref().is_some_and(|told| told.parse::<u64>().is_ok()), "{own:?}");
        assert_eq!(started(rustix::process::getpid()), own);
    }
}
