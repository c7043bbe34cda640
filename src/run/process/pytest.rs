//! One pytest process: started in a group of its own, heard over its channel, and ended for certain.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, IoSlice, IoSliceMut, PipeReader, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process_group, setrlimit, waitid,
};

use crate::limits::{END_LOOK, GRACE};
use crate::run::RunError;
use crate::run::protocol::{Message, Request, parse};
use crate::run::sandbox::{Exit, Sandbox, SandboxedCommand, SandboxedProcess};
use crate::run::site::trial_env::SpawnTarget;
use crate::run::syscalls::Noticed;
use crate::run::syscalls::names::Names;

/// How much of a process's output is kept for its error message.
const OUTPUT_KEPT: usize = 64 << 10;

/// The descriptor of the channel in the child.
const CHANNEL: i32 = 3;

/// What is heard of a process.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A message.
    Message(Message),
    /// The system calls of the process are told of here.
    Listener(OwnedFd, Names),
    /// What was told of there.
    Noticed(Noticed),
    /// What is no message.
    Garbage(String),
    /// The channel is closed: the process has ended, or a test closed it.
    Closed,
}

/// A running pytest process.
#[derive(Debug)]
pub(crate) struct Process {
    group: Option<Pid>,
    channel: UnixStream,
    output: Arc<Mutex<VecDeque<u8>>>,
    ending: Box<dyn Ending>,
    /// Once it is reaped, its number may be another's.
    reaped: bool,
}

/// How a process is ended by whoever started it.
pub(crate) trait Ending: std::fmt::Debug + Send {
    /// Waits at most so long for the process to end by itself; tells whether it has.
    fn ends_within(&mut self, patience: Duration) -> bool;

    /// Sends a signal to all of its group.
    fn signal(&mut self, signal: Signal);

    /// Waits for the process, which is bound to end; tells how it did, if that is known.
    fn reap(&mut self) -> Option<Exit>;
}

/// A process that leads a group of its own.
pub(crate) struct Started {
    /// Its group on the host; none in a sandbox, which ends all that is in it.
    pub(crate) group: Option<Pid>,
    /// How it is ended.
    pub(crate) ending: Box<dyn Ending>,
}

/// jostle's ends of a process's channel and output.
pub(crate) struct OurEnds {
    channel: UnixStream,
    output: PipeReader,
}

/// Both ends of a process's channel and output.
pub(crate) struct Ends {
    /// jostle's.
    pub(crate) ours: OurEnds,
    /// The process's end of the channel.
    pub(crate) their_channel: OwnedFd,
    /// Where the process writes what it prints.
    pub(crate) their_output: OwnedFd,
}

impl Ends {
    /// Makes a channel and a pipe.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub(crate) fn new() -> Result<Self, RunError> {
        let (channel, theirs) =
            UnixStream::pair().map_err(|source| RunError::io("cannot make a socket for pytest", source))?;
        let (output, writer) = std::io::pipe()
            .map_err(|source| RunError::io("cannot make a pipe for pytest's output", source))?;
        let ours = OurEnds { channel, output };
        Ok(Self { ours, their_channel: theirs.into(), their_output: writer.into() })
    }
}

impl Process {
    /// Starts a process that may use so many bytes of memory; what it says is sent under `name`.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start<N>(
        mut command: Command,
        place: SpawnTarget<'_>,
        memory: Option<u64>,
        name: N,
        sender: Sender<(N, Heard)>,
    ) -> Result<Self, RunError>
    where
        N: Copy + Send + 'static,
    {
        let Ends { ours, their_channel, their_output } = Ends::new()?;
        command.env("JOSTLE_FD", CHANNEL.to_string());
        let started = start(command, place, memory, their_output, Some((their_channel, CHANNEL)))?;
        Self::started(started, ours, name, sender)
    }

    /// A process that has been started with the other ends of these.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub(crate) fn started<N>(
        started: Started,
        ours: OurEnds,
        name: N,
        sender: Sender<(N, Heard)>,
    ) -> Result<Self, RunError>
    where
        N: Copy + Send + 'static,
    {
        let OurEnds { channel, output: pipe } = ours;
        let output = Arc::new(Mutex::new(VecDeque::new()));
        drain(pipe, Arc::clone(&output));
        let listening =
            channel.try_clone().map_err(|source| RunError::io("cannot listen to pytest", source))?;
        listen(listening, name, sender);
        let Started { group, ending } = started;
        Ok(Self { group, channel, output, ending, reaped: false })
    }

    /// The process group on the host, which is the process's own number; none in a sandbox.
    pub(crate) fn group(&self) -> Option<Pid> {
        self.group
    }

    /// Says something. A process that has just ended does not hear it, which its end tells anyway.
    pub(crate) fn say(&mut self, request: &Request<'_>) {
        let _ = self.channel.write_all(&line(request));
    }

    /// Says something that descriptors belong to.
    ///
    /// # Errors
    /// The process does not listen any more.
    pub(crate) fn say_with(
        &mut self,
        request: &Request<'_>,
        descriptors: &[BorrowedFd<'_>],
    ) -> std::io::Result<()> {
        let line = line(request);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        let sent = sendmsg(&self.channel, &[IoSlice::new(&line)], &mut ancillary, SendFlags::NOSIGNAL)?;
        self.channel.write_all(&line[sent..])
    }

    /// The end of what the process printed, as far as it was read.
    pub(crate) fn output(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = output.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A second mouth for what is said without descriptors.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub(crate) fn speaker(&self) -> Result<Speaker, RunError> {
        let channel = self.channel.try_clone();
        Ok(Speaker(channel.map_err(|source| RunError::io("cannot speak to pytest", source))?))
    }

    /// Says that nothing more will be said: a zygote ends then.
    pub(crate) fn hang_up(&self) {
        let _ = self.channel.shutdown(Shutdown::Both);
    }

    /// Whether it has ended, though it may not have been reaped yet.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.ending.ends_within(Duration::ZERO)
    }

    /// Waits at most so long for the process to end by itself, then ends it and all that is left of
    /// its group. Tells how it ended, if by itself.
    pub(crate) fn end(&mut self, patience: Duration) -> Option<String> {
        if self.reaped {
            return None;
        }
        let by_itself = self.ending.ends_within(patience);
        if !by_itself {
            self.ending.signal(Signal::TERM);
            self.ending.ends_within(GRACE);
        }
        self.ending.signal(Signal::KILL);
        let how = self.ending.reap();
        self.reaped = true;
        how.filter(|_| by_itself).map(|exit| exit.to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// Speaks to a process that somebody else holds.
#[derive(Debug)]
pub(crate) struct Speaker(UnixStream);

impl Speaker {
    /// Says something; see [`Process::say`].
    pub(crate) fn say(&mut self, request: &Request<'_>) {
        let _ = self.0.write_all(&line(request));
    }
}

/// Starts a process that prints to a descriptor, with another one passed on.
///
/// # Errors
/// It cannot be started.
pub(crate) fn start(
    command: Command,
    place: SpawnTarget<'_>,
    memory: Option<u64>,
    output: OwnedFd,
    passed: Option<(OwnedFd, i32)>,
) -> Result<Started, RunError> {
    match place {
        SpawnTarget::Host => start_on_host(command, memory, output, passed),
        SpawnTarget::Sandbox(sandbox) => start_in(sandbox, false, &command, memory, output, passed),
        SpawnTarget::Base(sandbox) => start_in(sandbox, true, &command, memory, output, passed),
    }
}

fn start_on_host(
    mut command: Command,
    memory: Option<u64>,
    output: OwnedFd,
    passed: Option<(OwnedFd, i32)>,
) -> Result<Started, RunError> {
    let second =
        output.try_clone().map_err(|source| RunError::io("cannot pass a descriptor to pytest", source))?;
    command.stdin(Stdio::null()).stdout(output).stderr(second).process_group(0);
    if let Some((parent_fd, child_fd)) = passed {
        command
            .fd_mappings(vec![FdMapping { parent_fd, child_fd }])
            .map_err(|error| RunError::io("cannot pass a socket to pytest", std::io::Error::other(error)))?;
    }
    before_it_runs(&mut command, memory);
    let child = command.spawn().map_err(|source| RunError::io("cannot start pytest", source))?;
    Ok(Started { group: Some(Pid::from_child(&child)), ending: Box::new(OwnChild(child)) })
}

fn start_in(
    sandbox: &Sandbox,
    enters_layers: bool,
    command: &Command,
    memory: Option<u64>,
    output: OwnedFd,
    passed: Option<(OwnedFd, i32)>,
) -> Result<Started, RunError> {
    let second =
        output.try_clone().map_err(|source| RunError::io("cannot pass a descriptor to pytest", source))?;
    let mut fds = vec![(output, 1), (second, 2)];
    fds.extend(passed);
    let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => env.insert(name.to_owned(), value.to_owned()),
            None => env.remove(name),
        };
    }
    let started = sandbox.start(SandboxedCommand {
        program: command.get_program().to_owned(),
        args: command.get_args().map(OsStr::to_owned).collect(),
        env: env.into_iter().collect(),
        cwd: command.get_current_dir().unwrap_or(Path::new("/")).to_owned(),
        fds,
        memory,
        enters_layers,
        user: None,
    });
    let process = started.map_err(|error| RunError::Sandbox(error.to_string()))?;
    Ok(Started { group: None, ending: Box::new(process) })
}

/// A child of ours.
#[derive(Debug)]
struct OwnChild(Child);

impl Ending for OwnChild {
    fn ends_within(&mut self, patience: Duration) -> bool {
        let start = Instant::now();
        loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            match waitid(WaitId::Pid(Pid::from_child(&self.0)), options) {
                Ok(None) if start.elapsed() < patience => std::thread::sleep(END_LOOK),
                Ok(None) => return false,
                _ => return true,
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        // Until it is reaped, no other group can have its number.
        let _ = kill_process_group(Pid::from_child(&self.0), signal);
    }

    fn reap(&mut self) -> Option<Exit> {
        let status = self.0.wait().ok()?;
        // A daemon that left the group may hold the pipe open, so its end is not waited for.
        std::thread::sleep(END_LOOK);
        status.code().map(Exit::Code).or_else(|| status.signal().map(Exit::Signal))
    }
}

impl Ending for SandboxedProcess {
    fn ends_within(&mut self, patience: Duration) -> bool {
        self.wait_for(patience).is_some()
    }

    fn signal(&mut self, signal: Signal) {
        // A sandbox that has ended has no process left.
        let _ = self.kill(signal);
    }

    fn reap(&mut self) -> Option<Exit> {
        let exit = self.wait();
        std::thread::sleep(END_LOOK);
        Some(exit)
    }
}

/// Limits the process's memory, and lets the kernel end it when the thread that starts it ends, where
/// it knows how to.
#[expect(unsafe_code, reason = "the only way to run code between fork and exec")]
fn before_it_runs(command: &mut Command, memory: Option<u64>) {
    // SAFETY: prctl(2) and setrlimit(2) are async-signal-safe, and the closure neither allocates nor
    // takes a lock.
    unsafe {
        command.pre_exec(move || {
            if let Some(most) = memory {
                setrlimit(Resource::Data, Rlimit { current: Some(most), maximum: Some(most) })?;
            }
            #[cfg(target_os = "linux")]
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        });
    }
}

fn line(request: &Request<'_>) -> Vec<u8> {
    let mut line = serde_json::to_vec(request).unwrap_or_default();
    line.push(b'\n');
    line
}

fn drain(mut pipe: PipeReader, kept: Arc<Mutex<VecDeque<u8>>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(&buffer[..read]);
            let surplus = kept.len().saturating_sub(OUTPUT_KEPT);
            kept.drain(..surplus);
        }
    });
}

/// The longest line that is believed to be a message: it would name some millions of tests. A test that
/// finds the channel may write to it without an end.
const MOST_LINE: u64 = 1 << 30;

fn listen<N: Copy + Send + 'static>(channel: UnixStream, name: N, sender: Sender<(N, Heard)>) {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(Ear { channel, descriptors: VecDeque::new() });
        let mut line = Vec::new();
        while let Ok(1..) = lines.by_ref().take(MOST_LINE).read_until(b'\n', &mut line) {
            let heard = match parse(&line) {
                Ok(Message::Listener(names)) => match lines.get_mut().descriptors.pop_front() {
                    Some(listener) => Heard::Listener(listener, names),
                    None => Heard::Garbage("the harness named a descriptor that did not come along".into()),
                },
                parsed => parsed.map_or_else(Heard::Garbage, Heard::Message),
            };
            line.clear();
            if sender.send((name, heard)).is_err() {
                return;
            }
        }
        let _ = sender.send((name, Heard::Closed));
    });
}

/// Reads what is said, and keeps the descriptors that come along.
struct Ear {
    channel: UnixStream,
    descriptors: VecDeque<OwnedFd>,
}

impl Read for Ear {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(buffer)];
        let received = recvmsg(&self.channel, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        Ok(received.bytes)
    }
}
