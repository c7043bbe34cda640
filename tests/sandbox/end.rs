//! When a sandbox ends, or jostle does, nothing is left.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use jostle::run::sandbox::Exit;

use super::stage::{HELPER, Project, as_everybody, is_helper, line, named, shell, start};

/// Leaves a daemon that has left the session and the group, and holds the output open.
const DAEMON: &str = "setsid sh -c 'trap : HUP TERM; echo > /tmp/up; echo daemon; while :; do sleep 1000; done' & \
    until test -e /tmp/up; do sleep 0.01; done; ";

#[test]
fn a_daemon_outlives_its_parent_but_not_the_sandbox() {
    as_everybody("end::a_daemon_outlives_its_parent_but_not_the_sandbox", || {
        let project = Project::new();
        let top = project.top();
        let (mut process, mut output) = start(&top, shell(project.path(), &format!("{DAEMON} exit 3")));
        assert_eq!(line(&mut output), "daemon");
        assert_eq!(process.wait(), Exit::Code(3));
        drop(process);
        let (mut other, _) = start(&top, shell(project.path(), "pgrep -f 'sleep 1000' > /dev/null"));
        assert_eq!(other.wait(), Exit::Code(0), "it still runs");
        drop(top);
        assert_eq!(output.read(&mut [0]).expect("the end of the output"), 0);
    });
}

#[test]
fn what_is_left_of_a_group_ends_with_its_leader_or_with_the_handle() {
    as_everybody("end::what_is_left_of_a_group_ends_with_its_leader_or_with_the_handle", || {
        let project = Project::new();
        let top = project.top();
        let (mut process, mut output) = start(&top, shell(project.path(), "sleep 1000 & echo started"));
        assert_eq!(process.wait(), Exit::Code(0));
        let mut text = String::new();
        output.read_to_string(&mut text).expect("the end of the output");
        assert_eq!(text, "started\n");
        let (process, mut output) = start(&top, shell(project.path(), "sleep 1000 & echo started; wait"));
        assert_eq!(line(&mut output), "started");
        drop(process);
        assert_eq!(output.read(&mut [0]).expect("the end of the output"), 0);
    });
}

#[test]
fn a_base_takes_the_sandboxes_on_top_with_it() {
    as_everybody("end::a_base_takes_the_sandboxes_on_top_with_it", || {
        let project = Project::new();
        let top = project.top();
        let (mut process, mut output) = start(&top, shell(project.path(), "echo started; exec sleep 1000"));
        assert_eq!(line(&mut output), "started");
        drop(project);
        assert_eq!(process.wait(), Exit::SandboxEnded);
        assert_eq!(output.read(&mut [0]).expect("the end of the output"), 0);
    });
}

/// The numbers of a process's descendants.
fn descendants(ancestor: u32) -> Vec<u32> {
    let parent_of = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.split(' ').nth(1)?.parse::<u32>().ok()
    };
    let all: Vec<u32> = fs::read_dir("/proc")
        .expect("the processes")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(all.iter().filter(|pid| parent_of(**pid) == Some(parent)));
        next += 1;
    }
    found.split_off(1)
}

/// A process that has ended and waits to be reaped is gone, too: who is to reap it is not ours.
fn is_gone(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_none_or(|state| state.is_empty() || state.starts_with(['Z', 'X']))
}

#[test]
fn nothing_is_left_when_jostle_is_killed() {
    as_everybody("end::nothing_is_left_when_jostle_is_killed", || {
        let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
        let before = mounts();
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args([&named("end::held_until_killed"), "--exact", "--ignored", "--nocapture"])
            .env(HELPER, "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut output = child.stdout.take().expect("its output");
        let mut folder = String::new();
        let mut daemons = 0;
        while daemons < 2 {
            let said = line(&mut output);
            folder = said.strip_prefix("folder ").map_or(folder, str::to_owned);
            daemons += usize::from(said.ends_with("daemon"));
        }
        let started = descendants(child.id());
        assert!(started.len() >= 4, "a keeper, two inits and two daemons: {started:?}");
        child.kill().expect("it is killed");
        child.wait().expect("its end");
        // All of them hold the pipe open, so its end is theirs.
        let mut rest = String::new();
        output.read_to_string(&mut rest).expect("the end of the output");
        for pid in started {
            // The keeper, which does not hold the pipe, ends by itself.
            while !is_gone(pid) {
                std::thread::yield_now();
            }
        }
        assert_eq!(mounts(), before);
        fs::remove_dir_all(folder).expect("the project that the killed test made");
    });
}

#[test]
#[ignore = "run and killed by another test"]
fn held_until_killed() {
    if !is_helper() {
        return;
    }
    let project = Project::new();
    println!("folder {}", project.around().display());
    let top = project.top();
    let held = [project.base.sandbox(), &top].map(|sandbox| {
        let mut command = shell(project.path(), &format!("{DAEMON} wait"));
        command.fds.push((rustix::io::dup(std::io::stdout()).expect("a descriptor"), 1));
        sandbox.start(command).expect("it starts")
    });
    std::mem::forget(held);
    loop {
        std::thread::park();
    }
}
