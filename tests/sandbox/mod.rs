//! Sandboxes, with real processes in them: whatever these do, the host stays as it is.
//!
//! Run by root, most tests run a second time as nobody, where a user namespace does what root's privilege
//! does. Where no sandbox can be had nothing is tested, which is said, and an error with `JOSTLE_TEST_NO_SKIPS=1`.
#![cfg(target_os = "linux")]

mod stage;
mod isolation;
mod end;
mod enter;
mod faults;
mod left;

use jostle::run::sandbox::{
    Exit, Network, Sandbox, SandboxError, SandboxOptions, SandboxedCommand, check_owners, probe,
};
use rustix::process::Signal;
use stage::{HELPER, Project, as_everybody, is_helper, jostle, run, says, shell, start};

#[test]
fn a_process_sees_the_project_and_leaves_no_trace_of_what_it_writes() {
    as_everybody("a_process_sees_the_project_and_leaves_no_trace_of_what_it_writes", || {
        let project = Project::new();
        let sandbox = project.base.sandbox();
        let text = says(sandbox, project.path(), "cat data/one two; echo new > data/new; cat data/new; pwd");
        assert_eq!(text, format!("122new\n{}", project.path().display()));
        project.is_whole();
        assert_eq!(sandbox.read_only(), &[] as &[&std::path::Path]);
    });
}

#[test]
fn a_path_may_hold_whatever_separates_mount_options() {
    as_everybody("a_path_may_hold_whatever_separates_mount_options", || {
        let project = Project::named("a:b,c\\d \"e'\nf");
        let top = project.top();
        assert_eq!(says(&top, project.path(), "echo x > two; cat data/one two"), "1x");
        let left = top.leftovers(project.path()).expect("leftovers");
        assert_eq!(
            left.iter().map(|left| left.path.as_path()).collect::<Vec<_>>(),
            [project.path().join("two")]
        );
        project.is_whole();
    });
}

#[test]
fn a_process_has_its_arguments_environment_folder_and_descriptors() {
    as_everybody("a_process_has_its_arguments_environment_folder_and_descriptors", || {
        let project = Project::new();
        let (mut given, far) = std::io::pipe().expect("a pipe");
        let mut command =
            shell(&project.path().join("data"), "echo \"$1/$A/$(pwd)\" >&7; readlink /proc/self/fd/0 >&7");
        command.args.extend(["sh".into(), "b c".into()]);
        command.env.push(("A".into(), "a\nb".into()));
        command.fds.push((far.into(), 7));
        let mut process = project.base.sandbox().start(command).expect("it starts");
        assert_eq!(process.wait(), Exit::Code(0));
        let mut text = String::new();
        std::io::Read::read_to_string(&mut given, &mut text).expect("its output");
        assert_eq!(text, format!("b c/a\nb/{}/data\n/dev/null\n", project.path().display()));
    });
}

#[test]
fn how_a_process_ended_is_told_precisely() {
    as_everybody("how_a_process_ended_is_told_precisely", || {
        let project = Project::new();
        let top = project.top();
        assert_eq!(run(&top, project.path(), "exit 7").1, Exit::Code(7));
        assert_eq!(run(&top, project.path(), "kill -SEGV $$").1, Exit::Signal(libc::SIGSEGV));
        let (mut process, _output) = start(&top, shell(project.path(), "exec sleep 1000"));
        assert_eq!(process.wait_for(std::time::Duration::ZERO), None);
        process.kill(Signal::TERM).expect("it is signalled");
        assert_eq!(process.wait(), Exit::Signal(libc::SIGTERM));
        process.kill(Signal::KILL).expect("what has ended is not signalled");
        assert_eq!(process.wait(), Exit::Signal(libc::SIGTERM), "the answer stays");
    });
}

#[test]
fn what_cannot_be_started_is_an_error_that_names_it() {
    let project = Project::new();
    let start = |command| project.base.sandbox().start(command).expect_err("it does not start");
    let error = start(SandboxedCommand::new("/no/such/program"));
    assert!(matches!(&error, SandboxError::Start { .. }), "{error}");
    assert!(error.to_string().contains("/no/such/program"), "{error}");
    let error = start(shell("/no/such/folder".as_ref(), "true"));
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
    project.base.sandbox().stop();
    assert!(matches!(start(shell(project.path(), "true")), SandboxError::Ended));
    assert!(matches!(Sandbox::on(&project.base), Err(SandboxError::Ended | SandboxError::Missing(_))));
}

#[test]
fn a_shared_path_is_the_hosts_own() {
    as_everybody("a_shared_path_is_the_hosts_own", || {
        let shared = tempfile::tempdir().expect("a folder");
        let share = vec![shared.path().to_owned()];
        let project = Project::with(SandboxOptions { share, ..SandboxOptions::default() });
        says(&project.top(), shared.path(), "echo kept > here");
        assert_eq!(std::fs::read_to_string(shared.path().join("here")).expect("the file"), "kept\n");
        let share = vec!["/no/such/path".into()];
        let error = jostle::run::sandbox::Base::start(
            jostle(),
            &SandboxOptions { share, ..SandboxOptions::default() },
        );
        assert!(error.expect_err("nothing to share").to_string().contains("/no/such/path"));
    });
}

#[test]
fn the_network_is_the_hosts_if_that_is_wanted() {
    as_everybody("the_network_is_the_hosts_if_that_is_wanted", || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let connect =
            format!("python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))'");
        let project = Project::new();
        assert_ne!(run(&project.top(), project.path(), &connect).1, Exit::Code(0), "its loopback is its own");
        let project = Project::with(SandboxOptions { network: Network::Host, ..SandboxOptions::default() });
        says(&project.top(), project.path(), &connect);
        assert!(project.top().namespaces().network.is_none());
    });
}

#[test]
fn sandboxes_are_made_by_several_threads_at_once() {
    let project = Project::new();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let project = &project;
            scope.spawn(move || {
                for _ in 0..5 {
                    let script = format!("echo {number} > own; cat own; ls | wc -l");
                    assert_eq!(says(&project.top(), project.path(), &script), format!("{number}\n3"));
                }
            });
        }
    });
}

#[test]
fn a_limit_of_memory_is_kept() {
    as_everybody("a_limit_of_memory_is_kept", || {
        let project = Project::new();
        let mut command = shell(project.path(), "exec python3 -c 'bytearray(300 << 20)'");
        command.memory = Some(256 << 20);
        let top = project.top();
        let (mut process, mut output) = start(&top, command);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut output, &mut text).expect("its output");
        assert!(text.contains("MemoryError"), "{text}");
        assert_eq!(process.wait(), Exit::Code(1));
    });
}

#[test]
fn the_probe_finds_what_is_there_and_names_what_is_not() {
    as_everybody("the_probe_finds_what_is_there_and_names_what_is_not", || {
        assert_eq!(probe(jostle()), Ok(()));
        // Without a single capability, and with a setting that forbids to get any.
        let forbid = "echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all \
            --inh-caps=-all \"$0\" sandbox::the_probe_names_the_setting --ignored --exact --nocapture";
        let status = std::process::Command::new("unshare")
            .args(["-Ur", "sh", "-c", forbid])
            .arg(std::env::current_exe().expect("this test"))
            .env(HELPER, "1")
            .output()
            .expect("unshare is there");
        let said =
            String::from_utf8_lossy(&status.stdout).into_owned() + &String::from_utf8_lossy(&status.stderr);
        assert!(said.contains("user.max_user_namespaces is 0") && said.contains("sysctl -w"), "{said}");
    });
}

#[test]
#[ignore = "run by another test where user namespaces are forbidden"]
fn the_probe_names_the_setting() {
    if !is_helper() {
        return;
    }
    println!("{}", probe(jostle()).expect_err("no sandbox can be had"));
}

#[test]
fn a_project_of_another_group_is_no_project_for_a_sandbox_without_privilege() {
    as_everybody("a_project_of_another_group_is_no_project_for_a_sandbox_without_privilege", || {
        let project = Project::new();
        check_owners(project.path()).expect("it is ours");
        let others = check_owners(std::path::Path::new("/tmp"));
        assert_eq!(others.is_ok(), rustix::process::geteuid().is_root(), "{others:?}");
    });
}
