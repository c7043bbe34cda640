//! One pytest process: started in a group of its own, heard over its channel, and ended for certain.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IoSlice, PipeReader, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::run::RunError;
use crate::run::protocol::{Message, Request, parse};

/// How much of a process's output is kept for its error message.
const OUTPUT_KEPT: usize = 64 << 10;
/// How long a process may take to end after it was asked to.
const GRACE: Duration = Duration::from_millis(500);
/// How often an ending process is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// The descriptor of the channel in the child.
const CHANNEL: i32 = 3;

/// What is heard of a process.
#[derive(Debug)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// What is no message.
    Garbage(String),
    /// The channel is closed: the process has ended, or a test closed it.
    Closed,
}

/// A running pytest process.
#[derive(Debug)]
pub struct Process {
    group: Pid,
    channel: UnixStream,
    output: Arc<Mutex<VecDeque<u8>>>,
    ending: Box<dyn Ending>,
    /// Once it is reaped, its number may be another's.
    reaped: bool,
}

/// How a process is ended by whoever started it.
pub trait Ending: std::fmt::Debug + Send {
    /// Waits at most so long for the process to end by itself; tells whether it has.
    fn ends_within(&mut self, patience: Duration) -> bool;

    /// Sends a signal to all of its group.
    fn signal(&mut self, signal: Signal);

    /// Waits for the process, which is bound to end; tells how it did, if that is known.
    fn reap(&mut self) -> Option<String>;
}

/// jostle's ends of a process's channel and output.
pub(super) struct OurEnds {
    channel: UnixStream,
    output: PipeReader,
}

/// Both ends of a process's channel and output.
pub(super) struct Ends {
    /// jostle's.
    pub(super) ours: OurEnds,
    /// The process's end of the channel.
    pub(super) their_channel: OwnedFd,
    /// Where the process writes what it prints.
    pub(super) their_output: OwnedFd,
}

impl Ends {
    /// Makes a channel and a pipe.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub(super) fn new() -> Result<Self, RunError> {
        let (channel, theirs) =
            UnixStream::pair().map_err(|source| RunError::io("cannot make a socket for pytest", source))?;
        let (output, writer) = std::io::pipe()
            .map_err(|source| RunError::io("cannot make a pipe for pytest's output", source))?;
        let ours = OurEnds { channel, output };
        Ok(Self { ours, their_channel: theirs.into(), their_output: writer.into() })
    }
}

impl Process {
    /// Starts a child process; what it says is sent under `name`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start<N>(mut command: Command, name: N, sender: Sender<(N, Heard)>) -> Result<Self, RunError>
    where
        N: Copy + Send + 'static,
    {
        let Ends { ours, their_channel, their_output } = Ends::new()?;
        let io = |what: &'static str| move |source| RunError::io(what, source);
        let second = their_output.try_clone().map_err(io("cannot make a pipe for pytest's output"))?;
        command.env("JOSTLE_FD", CHANNEL.to_string());
        command.stdin(Stdio::null()).stdout(their_output).stderr(second).process_group(0);
        command
            .fd_mappings(vec![FdMapping { parent_fd: their_channel, child_fd: CHANNEL }])
            .map_err(|error| RunError::io("cannot pass a socket to pytest", std::io::Error::other(error)))?;
        end_with_parent(&mut command);
        let child = command.spawn().map_err(io("cannot start pytest"))?;
        drop(command);
        Self::started(Pid::from_child(&child), ours, Box::new(OwnChild(child)), name, sender)
    }

    /// A process that has been started with the other ends of these.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub(super) fn started<N>(
        group: Pid,
        ours: OurEnds,
        ending: Box<dyn Ending>,
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
        Ok(Self { group, channel, output, ending, reaped: false })
    }

    /// The process group: the process's own number.
    pub fn group(&self) -> Pid {
        self.group
    }

    /// Says something. A process that has just ended does not hear it, which its end tells anyway.
    pub fn say(&mut self, request: &Request<'_>) {
        let _ = self.channel.write_all(&line(request));
    }

    /// Says something that descriptors belong to.
    ///
    /// # Errors
    /// The process does not listen any more.
    pub(super) fn say_with(
        &mut self,
        request: &Request<'_>,
        descriptors: &[BorrowedFd<'_>],
    ) -> std::io::Result<()> {
        let line = line(request);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        let sent = sendmsg(&self.channel, &[IoSlice::new(&line)], &mut ancillary, SendFlags::NOSIGNAL)?;
        self.channel.write_all(&line[sent..])
    }

    /// The end of what the process printed, as far as it was read.
    pub fn output(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = output.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A second mouth for what is said without descriptors.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub(super) fn speaker(&self) -> Result<Speaker, RunError> {
        let channel = self.channel.try_clone();
        Ok(Speaker(channel.map_err(|source| RunError::io("cannot speak to pytest", source))?))
    }

    /// Says that nothing more will be said: a zygote ends then.
    pub(super) fn hang_up(&self) {
        let _ = self.channel.shutdown(Shutdown::Both);
    }

    /// Whether it has ended, though it may not have been reaped yet.
    pub fn has_ended(&mut self) -> bool {
        self.ending.ends_within(Duration::ZERO)
    }

    /// Waits at most so long for the process to end by itself, then ends it and all that is left of
    /// its group. Tells how it ended, if by itself.
    pub fn end(&mut self, patience: Duration) -> Option<String> {
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
        if by_itself { how } else { None }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// Speaks to a process that somebody else holds.
#[derive(Debug)]
pub(super) struct Speaker(UnixStream);

impl Speaker {
    /// Says something; see [`Process::say`].
    pub(super) fn say(&mut self, request: &Request<'_>) {
        let _ = self.0.write_all(&line(request));
    }
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
                Ok(None) if start.elapsed() < patience => std::thread::sleep(LOOK),
                Ok(None) => return false,
                _ => return true,
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        // Until it is reaped, no other group can have its number.
        let _ = kill_process_group(Pid::from_child(&self.0), signal);
    }

    fn reap(&mut self) -> Option<String> {
        let status = self.0.wait().ok()?;
        // A daemon that left the group may hold the pipe open, so its end is not waited for.
        std::thread::sleep(LOOK);
        Some(describe(status.code(), status.signal()))
    }
}

/// Lets the kernel end the process when the thread that starts it ends, where it knows how to.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the only way to run code between fork and exec")]
fn end_with_parent(command: &mut Command) {
    // SAFETY: prctl(2) is async-signal-safe, and the closure neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command) {}

/// How a process ended, in words.
pub(super) fn describe(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => match signal_hook::low_level::signal_name(signal) {
            Some(name) => format!("killed by signal {signal} ({name})"),
            None => format!("killed by signal {signal}"),
        },
        (None, None) => "ended".into(),
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

fn listen<N: Copy + Send + 'static>(channel: UnixStream, name: N, sender: Sender<(N, Heard)>) {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(channel);
        let mut line = Vec::new();
        while let Ok(1..) = lines.read_until(b'\n', &mut line) {
            let heard = parse(&line).map_or_else(Heard::Garbage, Heard::Message);
            line.clear();
            if sender.send((name, heard)).is_err() {
                return;
            }
        }
        let _ = sender.send((name, Heard::Closed));
    });
}
