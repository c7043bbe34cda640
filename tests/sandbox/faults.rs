//! What careless tests do to their machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use jostle::run::sandbox::{Base, Exit, Sandbox, SandboxOptions};
use jostle::trial::Change;
use rustix::process::geteuid;

use super::stage::{HELPER, Project, as_everybody, copies, is_helper, is_possible, jostle, named, run, says};
use crate::support;

#[test]
fn a_project_removed_in_a_sandbox_is_whole_outside() {
    as_everybody("faults::a_project_removed_in_a_sandbox_is_whole_outside", || {
        let project = Project::new();
        let top = project.top();
        let script =
            format!("rm -rf {0} {0}/* {1}; ls -A {0}", project.path().display(), project.around().display());
        assert_eq!(
            run(&top, "/".as_ref(), &script).0.lines().filter(|line| !line.contains("rm:")).count(),
            0
        );
        let left = top.leftovers(project.path()).expect("leftovers");
        assert_eq!(left.len(), 2, "{left:?}");
        project.is_whole();
    });
}

#[test]
fn everything_that_can_be_removed_may_be() {
    as_everybody("faults::everything_that_can_be_removed_may_be", || {
        let project = Project::new();
        let top = project.top();
        run(&top, "/".as_ref(), "cd /; rm -rf bin boot etc opt sbin srv tmp var/tmp usr/bin 2>/dev/null");
        project.is_whole();
        assert!(fs::exists("/usr/bin/env").expect("a path") && fs::exists("/etc/passwd").expect("a path"));
        says(&project.top(), project.path(), "test -e /etc/passwd");
    });
}

#[test]
fn a_full_disk_is_the_sandboxs_own() {
    as_everybody("faults::a_full_disk_is_the_sandboxs_own", || {
        let project = Project::with(SandboxOptions { disk: 4 << 20, ..SandboxOptions::default() });
        let (text, exit) = run(&project.top(), project.path(), "exec head -c 8M /dev/zero > big");
        assert!(text.contains("No space left") && exit == Exit::Code(1), "{text} {exit}");
        says(&project.top(), project.path(), "head -c 2M /dev/zero > big");
    });
}

#[test]
fn the_first_process_cannot_be_killed_from_within() {
    as_everybody("faults::the_first_process_cannot_be_killed_from_within", || {
        let project = Project::new();
        let top = project.top();
        run(
            &top,
            project.path(),
            "for signal in TERM INT HUP KILL STOP SEGV; do kill -$signal 1; done; kill -9 -1",
        );
        assert_eq!(says(&top, project.path(), "cat data/one"), "1");
    });
}

#[test]
fn a_home_is_written_to_in_the_sandbox_only() {
    if !is_possible() {
        return;
    }
    let Some(home) = std::env::home_dir().filter(|home| home.is_dir() && home.as_os_str() != "/") else {
        return;
    };
    let project = Project::new();
    let top = project.top();
    says(&top, &home, "mkdir .jostle-test-home && echo x > .jostle-test-home/x");
    assert!(!home.join(".jostle-test-home").exists());
    assert_eq!(top.leftovers(&home).expect("leftovers").len(), 2);
}

#[test]
fn nobody_has_no_more_rights_than_he_had() {
    as_everybody("faults::nobody_has_no_more_rights_than_he_had", || {
        let project = Project::new();
        let top = project.top();
        let own = geteuid().as_raw().to_string();
        assert_eq!(says(&top, project.path(), "id -u"), own);
        if !geteuid().is_root() {
            assert_eq!(
                says(&top, project.path(), "grep CapEff /proc/self/status"),
                "CapEff:\t0000000000000000"
            );
            assert_ne!(run(&top, project.path(), "echo x > /etc/jostle-test").1, Exit::Code(0));
            assert_ne!(run(&top, project.path(), "echo x > /jostle-test").1, Exit::Code(0));
            assert_ne!(run(&top, project.path(), "mkdir /usr/jostle-test").1, Exit::Code(0));
        }
    });
}

/// Whether this is root, for tests that are about nobody else.
fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        support::not_for_us("only root may mount");
    }
    is_root
}

#[test]
fn root_may_mount_and_unmount_and_be_somebody_else() {
    if !is_possible() || !is_root() {
        return;
    }
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
    let before = mounts();
    let project = Project::new();
    let top = project.top();
    let script = "mkdir -p m && mount -t tmpfs none m && echo x > m/x; umount -l /tmp; umount -l /tmp; \
        umount -l /dev/shm; umount -l /dev/shm; umount -l /proc; echo y > /tmp/jostle-umounted; \
        echo y > /dev/shm/jostle-umounted; hostname jostle-test; true";
    run(&top, project.path(), script);
    for place in ["/tmp", "/dev/shm"] {
        assert!(!fs::exists(format!("{place}/jostle-umounted")).expect("a path"), "{place}");
    }
    assert_ne!(fs::read_to_string("/proc/sys/kernel/hostname").expect("a name").trim(), "jostle-test");
    let change = "chmod 777 . && exec python3 -c 'import os; os.setgid(65534); os.setuid(65534); open(\"theirs\", \"w\")'";
    let top = project.top();
    // The folder around the project is root's alone.
    says(&top, project.path(), &format!("chmod 755 {}; {change}", project.around().display()));
    assert_eq!(says(&top, project.path(), "stat -c %u theirs"), "65534");
    project.is_whole();
    drop(top);
    drop(project);
    assert_eq!(mounts(), before);
}

#[test]
fn a_mount_within_the_project_is_seen_and_safe() {
    if !is_possible() || !is_root() {
        return;
    }
    // Seen from a user namespace the mount is locked, so that the project cannot be one lower layer.
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("its mode");
    let script = "cd \"$0\" && mkdir inner && mount -t tmpfs none inner && mkdir -p inner/deep dir && \
        echo i > inner/i && echo f > f && echo d > dir/d && chown -R \"$1\" . && shift && exec \"$@\"";
    let nobody = ["65534:65534", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    for who in [&["0:0"][..], &nobody] {
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", script])
            .arg(folder.path())
            .args(who)
            .arg(copies().join("test"))
            .args([&named("faults::with_a_mount_within_the_project"), "--exact", "--ignored", "--nocapture"])
            .env(HELPER, "1")
            .env("JOSTLE_TEST_EXECUTABLE", copies().join("jostle"))
            .output()
            .expect("unshare is there");
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{who:?}: {text}");
        for made in ["inner", "f", "dir/d"] {
            let path = folder.path().join(made);
            let removed = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
            removed.expect("what the host had is still there");
        }
    }
}

#[test]
#[ignore = "run by another test, in a folder with a mount"]
fn with_a_mount_within_the_project() {
    if !is_helper() {
        return;
    }
    let folder = std::env::current_dir().expect("the folder");
    let options = SandboxOptions { keep: vec![folder.clone()], ..SandboxOptions::default() };
    let base = Base::start(jostle(), &options).expect("a base");
    let top = Sandbox::on(&base).expect("a sandbox");
    says(
        &top,
        &folder,
        "cat inner/i f dir/d; echo 2 > f; echo 2 > dir/d; rm inner/i; echo n > n; echo n > inner/deep/n",
    );
    let left = top.leftovers(&folder).expect("leftovers");
    let left: Vec<_> = left
        .iter()
        .map(|left| (left.path.strip_prefix(&folder).expect("within").to_str(), left.change))
        .collect();
    let all = [
        ("dir/d", Change::Changed),
        ("f", Change::Changed),
        ("inner/deep/n", Change::Created),
        ("inner/i", Change::Removed),
        ("n", Change::Created),
    ];
    assert_eq!(left, all.map(|(path, change)| (Some(path), change)));
    assert_eq!(fs::read_to_string("inner/i").expect("the host's"), "i\n");
    assert_eq!(fs::read_to_string("f").expect("the host's"), "f\n");
    assert!(!Path::new("inner/deep/n").exists() && !Path::new("n").exists());
}
