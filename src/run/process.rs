//! One pytest process: started in a group of its own, heard over its channel, and ended for certain.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
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
    child: Child,
    group: Pid,
    channel: UnixStream,
    output: Arc<Mutex<VecDeque<u8>>>,
}

impl Process {
    /// Starts a process; what it says is sent under `name`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start<N>(mut command: Command, name: N, sender: Sender<(N, Heard)>) -> Result<Self, RunError>
    where
        N: Copy + Send + 'static,
    {
        let io = |what: &'static str| move |source| RunError::io(what, source);
        let (ours, theirs) = UnixStream::pair().map_err(io("cannot make a socket for pytest"))?;
        let (reader, writer) = std::io::pipe().map_err(io("cannot make a pipe for pytest's output"))?;
        let second = writer.try_clone().map_err(io("cannot make a pipe for pytest's output"))?;
        command.env("JOSTLE_FD", CHANNEL.to_string());
        command.stdin(Stdio::null()).stdout(writer).stderr(second).process_group(0);
        command
            .fd_mappings(vec![FdMapping { parent_fd: OwnedFd::from(theirs), child_fd: CHANNEL }])
            .map_err(|error| RunError::io("cannot pass a socket to pytest", std::io::Error::other(error)))?;
        end_with_parent(&mut command);
        let child = command.spawn().map_err(io("cannot start pytest"))?;
        drop(command);
        let group = Pid::from_child(&child);
        let output = Arc::new(Mutex::new(VecDeque::new()));
        drain(reader, Arc::clone(&output));
        let listening = ours.try_clone().map_err(io("cannot listen to pytest"))?;
        listen(listening, name, sender);
        Ok(Self { child, group, channel: ours, output })
    }

    /// The process group: the process's own number.
    pub fn group(&self) -> Pid {
        self.group
    }

    /// Says something. A process that has just ended does not hear it, which its end tells anyway.
    pub fn say(&mut self, request: &Request<'_>) {
        let mut line = serde_json::to_vec(request).unwrap_or_default();
        line.push(b'\n');
        let _ = self.channel.write_all(&line);
    }

    /// The end of what the process printed, as far as it was read.
    pub fn output(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = output.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether it has ended, though it may not have been reaped yet.
    pub fn has_ended(&self) -> bool {
        self.ends_within(Duration::ZERO)
    }

    /// Waits at most so long for the process to end by itself, then ends it and all that is left of
    /// its group. Tells how it ended, if by itself.
    pub fn end(&mut self, patience: Duration) -> Option<String> {
        let by_itself = self.ends_within(patience);
        if !by_itself {
            let _ = kill_process_group(self.group, Signal::TERM);
            self.ends_within(GRACE);
        }
        // The process is not yet reaped, so that no other group can have its number.
        let _ = kill_process_group(self.group, Signal::KILL);
        let status = self.child.wait().ok();
        if !by_itself {
            return None;
        }
        // A daemon that left the group may hold the pipe open, so its end is not waited for.
        std::thread::sleep(LOOK);
        status.map(describe)
    }

    fn ends_within(&self, patience: Duration) -> bool {
        let start = Instant::now();
        loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            match waitid(WaitId::Pid(self.group), options) {
                Ok(None) if start.elapsed() < patience => std::thread::sleep(LOOK),
                Ok(None) => return false,
                _ => return true,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
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

fn describe(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => match signal_hook::low_level::signal_name(signal) {
            Some(name) => format!("killed by signal {signal} ({name})"),
            None => format!("killed by signal {signal}"),
        },
        (None, None) => "ended".into(),
    }
}

fn drain(mut pipe: std::io::PipeReader, kept: Arc<Mutex<VecDeque<u8>>>) {
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
