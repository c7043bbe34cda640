//! Whether a process computes or waits, as Linux tells it; elsewhere nothing is known.

use std::fs;
use std::path::Path;

/// The programs of servers that trials have of their own and whose statements are read.
const SERVERS: [&str; 3] = ["postgres", "redis-server", "valkey-server"];

/// What a process's threads are at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessActivity {
    /// The CPU time they have used, in nanoseconds.
    pub(crate) cpu: u64,
    /// Whether one of them could use more, or waits for a disk, which is work as well, or for us.
    pub(crate) busy: bool,
}

impl ProcessActivity {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, busy: self.busy || other.busy }
    }
}

/// The host's number of a process that knows itself by `pid` in a namespace (the target of its
/// `/proc/self/ns/pid`). Nothing if there is none such any more.
pub(crate) fn on_host(pid: i32, namespace: &str) -> Option<i32> {
    let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/pid"));
    if of("self").is_ok_and(|own| own.as_os_str() == namespace) {
        return Some(pid);
    }
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let process: i32 = name.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        let inner: i32 = line.split_whitespace().last()?.parse().ok()?;
        (inner == pid && of(&name).is_ok_and(|found| found.as_os_str() == namespace)).then_some(process)
    })
}

/// The servers that have the network of a process.
pub(crate) fn servers_beside(process: i32) -> Vec<i32> {
    let network = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    let Some(own) = network(&process.to_string()) else { return Vec::new() };
    let is_server = |name: &str| {
        let program = fs::read_to_string(format!("/proc/{name}/comm")).unwrap_or_default();
        SERVERS.contains(&program.trim_end()) && network(name).as_ref() == Some(&own)
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = all.filter_map(|entry| entry.file_name().into_string().ok());
    numbered.filter(|name| is_server(name)).filter_map(|name| name.parse().ok()).collect()
}

/// The processes that a process has started and that have not ended.
pub(crate) fn children(process: i32) -> Vec<i32> {
    let told = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    told.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// Looks at a process. Nothing if it has ended, or the system does not tell.
pub(crate) fn look_at(process: i32) -> Option<ProcessActivity> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    // A thread may end while it is looked at.
    let pulses = tasks.flatten().filter_map(|task| of_thread(&task.path()));
    pulses.reduce(ProcessActivity::and)
}

fn of_thread(task: &Path) -> Option<ProcessActivity> {
    let times = fs::read_to_string(task.join("schedstat")).ok()?;
    let stat = fs::read_to_string(task.join("stat")).ok()?;
    // The name before it, in brackets, may hold anything.
    let state = stat.rsplit_once(") ")?.1.as_bytes().first()?;
    // On a busy machine we may take long to hear of a system call.
    let asks = || fs::read_to_string(task.join("wchan")).is_ok_and(|place| place.starts_with("seccomp"));
    Some(ProcessActivity {
        cpu: times.split(' ').next()?.parse().ok()?,
        busy: matches!(state, b'R' | b'D') || asks(),
    })
}

/// Whether the first thread of a process waits for a message on one of its descriptors.
pub(crate) fn waits_at(process: i32, descriptor: i32) -> bool {
    let Ok(call) = fs::read_to_string(format!("/proc/{process}/syscall")) else {
        return false;
    };
    let mut words = call.split(' ');
    let number = words.next().and_then(|word| word.parse().ok());
    let first = words.next().and_then(|word| i64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    number == RECEIVE && first == Some(descriptor.into())
}

#[cfg(target_os = "linux")]
const RECEIVE: Option<i64> = Some(libc::SYS_recvmsg);
#[cfg(not(target_os = "linux"))]
const RECEIVE: Option<i64> = None;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn who_computes_is_told_from_who_waits() {
        let me = i32::try_from(std::process::id()).unwrap();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap();
        assert_eq!(on_host(me, &namespace.to_string_lossy()), Some(me));
        assert_eq!(on_host(me, "pid:[0]"), None);
        assert!(look_at(me).unwrap().busy, "this thread runs");
        // Threads of other tests may end meanwhile, and what they have used is gone with them.
        let mine = || of_thread(Path::new("/proc/thread-self")).unwrap();
        let before = mine();
        let sum: u64 = (0..20_000_000_u64).map(std::hint::black_box).sum();
        assert!(mine().cpu > before.cpu, "{sum}");
        assert_eq!(look_at(-1), None);
    }
}
