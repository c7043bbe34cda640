//! A process that lives in a base enters a sandbox on top, as the children of a fork server do.

use std::io::{IoSlice, PipeReader, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use jostle::run::sandbox::{Base, Sandbox, SandboxedProcess};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::stage::{Project, as_everybody, line, says, shell};

/// Forks for each message, enters the namespaces it brings, forks again and runs the message's script.
const SERVER: &str = r#"exec python3 -c '
import array, ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *arguments):
    if getattr(libc, name)(*arguments):
        raise OSError(ctypes.get_errno(), name)

def work(folder, flags, descriptors, script):
    output = descriptors.pop()
    for flag, descriptor in zip(flags, descriptors):
        call("setns", descriptor, flag)
    worker = os.fork()
    if worker:
        os.waitpid(worker, 0)
        os._exit(0)
    if os.getuid():
        nothing = (ctypes.c_uint32 * 6)()
        call("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), nothing)
        call("prctl", 47, 4, 0, 0, 0)
    os.chdir(folder)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 100)
    exec(script)
    sys.stdout.flush()
    os._exit(0)

server = socket.socket(fileno=3)
imported = open("two").read()
with open("by-server", "w") as file:
    file.write("server")
server.send(b"\n")
while True:
    message, ancillary, _, _ = server.recvmsg(65536, socket.CMSG_SPACE(4 * 16))
    if not message:
        break
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    flags, script = message.decode().split("\n", 1)
    child = os.fork()
    if not child:
        work(os.getcwd(), [int(flag) for flag in flags.split()], list(descriptors), script)
    for descriptor in descriptors:
        os.close(descriptor)
'"#;

struct Server {
    channel: UnixStream,
    _process: SandboxedProcess,
}

impl Server {
    fn start(project: &Project) -> Self {
        Self::start_in(&project.base, project)
    }

    fn start_in(base: &Base, project: &Project) -> Self {
        let (channel, theirs) = UnixStream::pair().expect("a socket");
        let mut command = shell(project.path(), SERVER);
        command.fds.push((theirs.into(), 3));
        if std::env::var_os("JOSTLE_TEST_SHOW").is_some() {
            command.fds.push((rustix::io::dup(std::io::stderr()).expect("a descriptor"), 2));
        }
        command.enters_layers = true;
        let _process = base.sandbox().start(command).expect("it starts");
        assert_eq!(line(&mut &channel), "", "what it writes is there before a layer is made");
        Self { channel, _process }
    }

    /// Runs a script in a sandbox, in a process of the server's; its output ends with it.
    fn fork(&self, sandbox: &Sandbox, script: &str) -> PipeReader {
        let (output, writer) = std::io::pipe().expect("a pipe");
        let entered = sandbox.namespaces().to_enter();
        let flags: Vec<String> = entered.iter().map(|(_, flag)| flag.to_string()).collect();
        let mut fds: Vec<BorrowedFd<'_>> = entered.iter().map(|(fd, _)| *fd).collect();
        fds.push(writer.as_fd());
        let message = format!("{}\n{script}", flags.join(" "));
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        sendmsg(&self.channel, &[IoSlice::new(message.as_bytes())], &mut control, SendFlags::NOSIGNAL)
            .expect("the server listens");
        output
    }

    fn says(&self, sandbox: &Sandbox, script: &str) -> String {
        let mut text = String::new();
        self.fork(sandbox, script).read_to_string(&mut text).expect("its output");
        text.trim_end().to_owned()
    }
}

const TAKE: &str = "
import socket
port = socket.create_server(('127.0.0.1', 45456))
print('taken', flush=True)
import signal
signal.pause()
";

#[test]
fn a_fork_of_a_server_in_the_base_works_in_the_layer_only() {
    as_everybody("enter::a_fork_of_a_server_in_the_base_works_in_the_layer_only", || {
        let project = Project::new();
        let server = Server::start(&project);
        let first = server
            .says(&project.top(), "print(os.getpid(), os.getcwd(), imported, open('by-server').read())");
        assert_eq!(first, format!("2 {} 22 server", project.path().display()));
        let (one, two) = (project.top(), project.top());
        let write = "open('two', 'w').write('forked'); open('/tmp/mine', 'w').write('m'); os.remove('data/one'); print('done')";
        assert_eq!(server.says(&one, write), "done");
        let look = "cat two by-server; ls data /tmp/mine 2>/dev/null; true";
        assert_eq!(says(&one, project.path(), look), "forkedserver/tmp/mine\n\ndata:");
        assert_eq!(says(&two, project.path(), look), "22serverdata:\none");
        assert_eq!(says(project.base.sandbox(), project.path(), look), "22serverdata:\none");
        let left = one.leftovers(project.path()).expect("leftovers");
        assert_eq!(left.len(), 2, "{left:?}");
        project.is_whole();
    });
}

#[test]
fn layers_stand_on_a_layer_and_see_what_was_written_in_it() {
    as_everybody("enter::layers_stand_on_a_layer_and_see_what_was_written_in_it", || {
        let project = Project::new();
        assert_eq!(says(project.base.sandbox(), project.path(), "echo base > in-base; mkdir /tmp/b"), "");
        let middle = project.base.on().expect("a sandbox to stand on");
        let write =
            "echo middle > in-middle; printf 3 > two; rm -r data; mkdir data; echo > data/new; mkdir /tmp/m";
        assert_eq!(says(middle.sandbox(), project.path(), write), "");
        let server = Server::start_in(&middle, &project);
        let [one, two] = [(); 2].map(|()| Sandbox::on(&middle).expect("a sandbox"));
        let look = "print(os.getpid(), os.getcwd(), imported, sorted(os.listdir()), os.listdir('data'), {'b', 'm'} <= {*os.listdir('/tmp')}, \
                    open('in-base').read())";
        let seen = server.says(&one, look);
        let folder = project.path().display();
        let files = "['by-server', 'data', 'in-base', 'in-middle', 'two'] ['new'] True base";
        assert_eq!(seen, format!("2 {folder} 3 {files}"));
        let write =
            "open('two', 'w').write('4'); os.remove('in-middle'); os.remove('data/new'); print('done')";
        assert_eq!(server.says(&one, write), "done");
        let look = "cat two in-middle; ls data; true";
        assert_eq!(says(&one, project.path(), &format!("({look}) 2>/dev/null")), "4");
        assert_eq!(says(&two, project.path(), look), "3middle\nnew");
        assert_eq!(says(middle.sandbox(), project.path(), look), "3middle\nnew");
        let left: Vec<String> = one
            .leftovers(project.path())
            .expect("leftovers")
            .iter()
            .map(|left| {
                let path = left.path.strip_prefix(project.path()).expect("below").display();
                format!("{:?} {path}", left.change)
            })
            .collect();
        assert_eq!(left, ["Removed data/new", "Removed in-middle", "Changed two"]);
        let mut held = server.fork(&two, TAKE);
        assert_eq!(line(&mut held), "taken");
        drop((server, middle));
        assert_eq!(line(&mut held), "", "it ends with what it stands on");
        assert_eq!(says(&project.top(), project.path(), "cat two in-base; ls"), "22base\ndata\nin-base\ntwo");
        project.is_whole();
    });
}

#[test]
fn forks_in_different_layers_hold_the_same_port_and_end_with_their_layers() {
    as_everybody("enter::forks_in_different_layers_hold_the_same_port_and_end_with_their_layers", || {
        let project = Project::new();
        let server = Server::start(&project);
        let (one, two) = (project.top(), project.top());
        let mut held = [server.fork(&one, TAKE), server.fork(&two, TAKE)];
        for output in &mut held {
            assert_eq!(line(output), "taken");
        }
        assert!(server.says(&one, TAKE).contains("in use"));
        drop(one);
        let [mut first, second] = held;
        assert_eq!(first.read(&mut [0]).expect("the end of the output"), 0);
        assert_eq!(
            server.says(&two, "print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit())[:2])"),
            "[1, 2]"
        );
        drop((two, second));
        let three = project.top();
        assert_eq!(line(&mut server.fork(&three, TAKE)), "taken", "the server serves on");
    });
}

#[test]
fn whoever_entered_without_privilege_can_give_up_what_it_took() {
    as_everybody("enter::whoever_entered_without_privilege_can_give_up_what_it_took", || {
        let project = Project::new();
        let server = Server::start(&project);
        let script = "print([l.split()[1] for l in open('/proc/self/status') if l[:6] in ('CapEff', 'CapPrm', 'CapAmb')])";
        let held = server.says(&project.top(), script);
        if !rustix::process::geteuid().is_root() {
            assert_eq!(held, "['0000000000000000', '0000000000000000', '0000000000000000']");
        }
    });
}
