//! Sandboxes do not see each other, nor the host's private places.

use std::io::Write;
use std::os::fd::OwnedFd;

use super::stage::{Project, as_everybody, line, run, says, shell, start};

#[test]
fn a_layer_sees_what_the_base_wrote_and_the_base_nothing_of_the_layer() {
    as_everybody("isolation::a_layer_sees_what_the_base_wrote_and_the_base_nothing_of_the_layer", || {
        let project = Project::new();
        let base = project.base.sandbox();
        says(
            base,
            project.path(),
            "echo base > by-base; rm data/one; mkdir new; echo x > new/x; echo t > /tmp/by-base",
        );
        let (one, two) = (project.top(), project.top());
        let look = "cat by-base new/x /tmp/by-base; ls data | wc -l";
        assert_eq!(says(&one, project.path(), look), "base\nx\nt\n0");
        says(
            &one,
            project.path(),
            "echo one > by-base; rm -r new; mkdir new; echo y > data/one; rm /tmp/by-base",
        );
        assert_eq!(
            says(&one, project.path(), "cat by-base; ls -A new; test -e /tmp/by-base || cat data/one"),
            "one\ny"
        );
        assert_eq!(says(&two, project.path(), look), "base\nx\nt\n0");
        assert_eq!(says(base, project.path(), look), "base\nx\nt\n0");
        project.is_whole();
    });
}

#[test]
fn private_places_are_empty_at_first_and_hold_nothing_of_the_hosts() {
    as_everybody("isolation::private_places_are_empty_at_first_and_hold_nothing_of_the_hosts", || {
        let host: Vec<_> = ["/tmp", "/var/tmp", "/dev/shm"]
            .map(|folder| tempfile::Builder::new().prefix("jostle-host").tempfile_in(folder).expect("a file"))
            .into();
        let project = Project::new();
        let top = project.top();
        let seen =
            says(&top, "/".as_ref(), "ls -A /tmp /var/tmp /dev/shm; stat -c %a /tmp /var/tmp /dev/shm");
        assert!(!seen.contains("jostle-host"), "{seen}");
        assert!(seen.ends_with("1777\n1777\n1777"), "{seen}");
        says(
            &top,
            "/".as_ref(),
            "for place in /tmp /var/tmp /dev/shm; do echo x > $place/jostle-inside; done",
        );
        for file in host {
            let folder = file.path().parent().expect("its folder");
            assert!(!folder.join("jostle-inside").exists());
            assert!(file.path().exists());
        }
    });
}

/// Holds a port, an abstract socket, a SysV segment and a name in shared memory until its input ends.
const HOLD: &str = r#"exec python3 -c '
import ctypes, os, socket, sys
tcp = socket.create_server(("127.0.0.1", 45454))
tcp6 = socket.create_server(("::1", 45455), family=socket.AF_INET6) if os.path.exists("/proc/net/if_inet6") else None
name = socket.socket(socket.AF_UNIX); name.bind("\0jostle-test"); name.listen()
libc = ctypes.CDLL(None, use_errno=True)
segment = libc.shmget(4711, 4096, 0o1000 | 0o2000 | 0o600)
assert segment >= 0, os.strerror(ctypes.get_errno())
os.close(os.open("/dev/shm/jostle-test", os.O_CREAT | os.O_EXCL))
os.close(os.open("held", os.O_CREAT | os.O_EXCL))
print("held", flush=True)
sys.stdin.read()
'"#;

#[test]
fn what_one_sandbox_holds_is_free_in_another_and_taken_in_its_own() {
    as_everybody("isolation::what_one_sandbox_holds_is_free_in_another_and_taken_in_its_own", || {
        let project = Project::new();
        let (one, two) = (project.top(), project.top());
        let held: Vec<_> = [&one, &two, project.base.sandbox()]
            .map(|sandbox| {
                let (input, keep_open) = std::io::pipe().expect("a pipe");
                let mut command = shell(project.path(), HOLD);
                command.fds.push((OwnedFd::from(input), 0));
                let (process, mut output) = start(sandbox, command);
                let first = line(&mut output);
                let mut rest = String::new();
                if first != "held" {
                    std::io::Read::read_to_string(&mut output, &mut rest).expect("its output");
                }
                assert_eq!(first, "held", "{rest}");
                (keep_open, process)
            })
            .into();
        let (text, _) = run(&one, project.path(), HOLD);
        assert!(text.contains("Address already in use"), "{text}");
        for (mut pipe, mut process) in held {
            pipe.write_all(b".").expect("its input");
            drop(pipe);
            process.wait();
        }
        project.is_whole();
    });
}
