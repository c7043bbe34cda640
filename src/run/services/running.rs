//! Servers in a sandbox: started, waited for, and ended in good order where what they keep is to stay.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Ready, Service, Services, Step, with_data};
use crate::limits::{SERVICE_CLOSE, SERVICE_END, SERVICE_LOOK, SERVICE_START};
use crate::run::RunError;
use crate::run::process::interrupt::Interrupt;
use crate::run::sandbox::{Awaited, Exit, Sandbox, SandboxedCommand, SandboxedProcess};

/// Who is nobody, where no other ordinary user is known.
const NOBODY: (u32, u32) = (65534, 65534);
/// Lines of a server's own words that an error shows.
const LINES: usize = 12;
/// Bytes of them that are looked at.
const MOST_WORDS: u64 = 64 * 1024;
/// What to do, by what such words hold.
const ADVICE: [(&str, &str); 2] = [
    (
        "No space left on device",
        "The disk is full: give trials more with --disk, and the temporary folder (TMPDIR) more room",
    ),
    ("ddress already in use", "Another service of [tool.jostle.services] has its address: give each its own"),
];

/// The servers of a sandbox. They end with it, or when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<Vec<Up>>);

/// A server that was up.
#[derive(Debug)]
struct Up {
    /// What the settings call it.
    name: String,
    /// Where it listens.
    ports: Vec<u16>,
    process: SandboxedProcess,
    log: File,
}

/// How a server ended that nobody of jostle's had told to.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What the settings call it.
    name: String,
    exit: Exit,
    /// The last of its own words, as a sentence.
    said: String,
}

impl Running {
    /// Those that have ended by now, each of which is told once.
    pub(crate) fn ended(&self) -> Vec<Ended> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = running.extract_if(.., |up| up.process.wait_for(Duration::ZERO).is_some());
        let ended =
            ended.map(|mut up| Ended { exit: up.process.wait(), said: words(&up.log), name: up.name });
        // One that ended with its sandbox says nothing of itself.
        ended.filter(|ended| ended.exit != Exit::SandboxEnded).collect()
    }

    /// Waits until they have closed the connections of whoever is gone, as a server hears of that only when it looks: until
    /// then it keeps what was locked, and does not take another in its place. One that does not is not waited for any longer
    /// than [`SERVICE_CLOSE`].
    pub(crate) fn close(&self, sandbox: &Sandbox) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ports: Vec<u16> = running.iter().flat_map(|up| up.ports.iter().copied()).collect();
        drop(running);
        if !ports.is_empty()
            && let Ok(mut waiter) = sandbox.await_in(Awaited::Closed(ports))
            && waiter.wait_for(SERVICE_CLOSE).is_none()
        {
            // It ends with its sandbox at the latest.
            let _ = waiter.kill(Signal::KILL);
        }
    }

    /// That all are up, as they have to be where a trial begins.
    ///
    /// # Errors
    /// One is not.
    pub(crate) fn are_up(&self) -> Result<(), RunError> {
        self.ended().first().map_or(Ok(()), |ended| Err(ended.error("it did not stay up")))
    }
}

impl Ended {
    /// Its name, and how it ended: `redis (exited with code 0)`.
    pub(crate) fn name(&self) -> String {
        format!("{} ({})", self.name, self.exit)
    }

    /// Whether what the tests did told it to end; else it failed by itself.
    pub(crate) fn was_told_to(&self) -> bool {
        was_told_to(self.exit)
    }

    /// That it is missing.
    pub(crate) fn error(&self, what: &str) -> RunError {
        RunError::Service(format!("the service {}: {what}: {}. {}", self.name, how(self.exit), self.said))
    }
}

/// Whether a server ended in good order, or by a signal that asks for that: it does not do so unless a test tells it to.
fn was_told_to(exit: Exit) -> bool {
    let asks = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT].map(Signal::as_raw);
    match exit {
        Exit::Code(0) => true,
        // By a shell's count.
        Exit::Code(code) => asks.iter().any(|signal| code == 128 + signal),
        Exit::Signal(signal) => asks.contains(&signal),
        Exit::SandboxEnded => false,
    }
}

/// How a command ended that was to stay.
fn how(exit: Exit) -> String {
    match exit {
        Exit::Code(0) => format!("{exit}. `command` has to keep the server in the foreground"),
        _ => exit.to_string(),
    }
}

impl Services {
    /// Starts all in a sandbox, and waits until they are up.
    ///
    /// # Errors
    /// One does not start, or not in time.
    pub(crate) fn start(&self, sandbox: &Sandbox) -> Result<Running, RunError> {
        let Some(folder) = self.folder() else { return Ok(Running::default()) };
        let started = self.all.iter().map(|service| Started::begin(service, &service.run, folder, sandbox));
        let started = started.collect::<Result<Vec<_>, _>>()?;
        let up = started.into_iter().map(|started| started.once_up(None).map(Started::into_up));
        up.collect::<Result<_, _>>().map(|up| Running(Mutex::new(up)))
    }

    /// Has servers end in good order, so that what they keep is whole.
    pub(crate) fn stop(&self, running: Running) {
        let mut running = running.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        for up in &running {
            let service = self.all.iter().find(|service| service.name == up.name);
            // One that has ended is not signalled.
            let _ = service.map(|service| up.process.kill(service.stop.signal()));
        }
        for up in &mut running {
            up.process.wait_for(SERVICE_END);
        }
    }
}

/// A server that was started, and may not be up yet.
pub(super) struct Started<'a> {
    service: &'a Service,
    sandbox: &'a Sandbox,
    data: PathBuf,
    pub(super) process: SandboxedProcess,
    pub(super) log: File,
}

impl<'a> Started<'a> {
    /// Starts a server by one of its commands.
    pub(super) fn begin(
        service: &'a Service,
        by: &Step,
        folder: &Path,
        sandbox: &'a Sandbox,
    ) -> Result<Self, RunError> {
        let (data, log) = (service.data_in(folder), log()?);
        let process = service.spawn(by, &data, sandbox, &log)?;
        Ok(Self { service, sandbox, data, process, log })
    }

    /// Waits until it is up; an interrupt ends that.
    pub(super) fn once_up(mut self, interrupt: Option<&Interrupt>) -> Result<Self, RunError> {
        let until = Instant::now() + SERVICE_START;
        let mut waiter = self.waiter()?;
        loop {
            if let Some(exit) = waiter.wait_for(SERVICE_LOOK) {
                if exit == Exit::Code(0) {
                    // Whoever answers may be another, if its address was taken.
                    return match self.process.wait_for(Duration::ZERO) {
                        None => Ok(self),
                        Some(exit) => Err(self.did_not_start(exit)),
                    };
                }
                // A command that is asked again and again until it says so.
                std::thread::sleep(SERVICE_LOOK);
                waiter = self.waiter()?;
            }
            if let Some(exit) = self.process.wait_for(Duration::ZERO) {
                return Err(self.did_not_start(exit));
            }
            if interrupt.is_some_and(Interrupt::is_set) {
                return Err(RunError::Interrupted);
            }
            if Instant::now() > until {
                let waited = SERVICE_START.as_secs();
                let ready = match &self.service.ready {
                    Ready::Port(host, port) => format!("nothing accepts at {host}:{port}"),
                    Ready::Answer(host, port, ..) => format!("nothing answers at {host}:{port}"),
                    Ready::File(path, _) => format!("{} is not there", with_data(path, &self.data)),
                    Ready::Command(line) => format!("`{line}` does not exit with 0"),
                };
                return Err(self
                    .service
                    .failed(&format!("it is not up after {waited} s: {ready}"), &self.log));
            }
        }
    }

    fn did_not_start(&self, exit: Exit) -> RunError {
        self.service.failed(&format!("it did not start: {}", how(exit)), &self.log)
    }

    /// That it is still up.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn is_up(&mut self) -> Result<(), RunError> {
        let exit = self.process.wait_for(Duration::ZERO);
        exit.map_or(Ok(()), |exit| {
            Err(self.service.failed(&format!("it did not stay up: {}", how(exit)), &self.log))
        })
    }

    fn into_up(self) -> Up {
        let ports = self.service.ports().collect();
        Up { name: self.service.name.clone(), ports, process: self.process, log: self.log }
    }

    /// A process that ends with 0 once the server is up.
    fn waiter(&self) -> Result<SandboxedProcess, RunError> {
        let sandboxed = |started: Result<_, _>| {
            started.map_err(|error: crate::run::sandbox::SandboxError| RunError::Sandbox(error.to_string()))
        };
        match &self.service.ready {
            Ready::Port(host, port) => sandboxed(self.sandbox.await_in(Awaited::Port((*host, *port).into()))),
            Ready::Answer(host, port, asked, answer) => sandboxed(self.sandbox.await_in(Awaited::Answer {
                at: (*host, *port).into(),
                asked: (*asked).to_owned(),
                answer: (*answer).to_owned(),
            })),
            Ready::File(path, word) => {
                let (path, word) = (with_data(path, &self.data).into(), word.map(str::to_owned));
                sandboxed(self.sandbox.await_in(Awaited::File { path, word }))
            }
            Ready::Command(line) => {
                self.service.spawn(&Step::shell(line), &self.data, self.sandbox, &self.log)
            }
        }
    }
}

impl Service {
    /// The ports that it listens on.
    fn ports(&self) -> impl Iterator<Item = u16> {
        self.resources.iter().filter_map(|resource| resource.0.strip_prefix("port:tcp ")?.parse().ok())
    }

    /// Where it keeps what it keeps.
    pub(super) fn data_in(&self, folder: &Path) -> PathBuf {
        folder.join(&self.name).join("data")
    }

    /// The user and group it runs as, if these are not jostle's own.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        if !self.refuses_root || !rustix::process::geteuid().is_root() {
            return None;
        }
        let of_socket = self.socket.as_ref().and_then(|folder| std::fs::metadata(folder).ok());
        let of_socket = of_socket.map(|found| (found.uid(), found.gid())).filter(|(user, _)| *user != 0);
        Some(of_socket.or_else(ordinary_user).unwrap_or(NOBODY))
    }

    /// Starts a step of its own in a sandbox.
    pub(super) fn spawn(
        &self,
        step: &Step,
        data: &Path,
        sandbox: &Sandbox,
        log: &File,
    ) -> Result<SandboxedProcess, RunError> {
        let io = |source| RunError::io(format!("cannot start the service {}", self.name), source);
        let owner = self.owner();
        // Whoever is not root may not be let into the project's folder.
        let cwd = if owner.is_some() { PathBuf::from("/") } else { self.folder.clone() };
        let mut fds: Vec<(OwnedFd, i32)> = Vec::new();
        for number in [1, 2] {
            fds.push((log.try_clone().map_err(io)?.into(), number));
        }
        if !step.input.is_empty() {
            let mut input = tempfile::tempfile().map_err(io)?;
            input.write_all(step.input.as_bytes()).and_then(|()| input.rewind()).map_err(io)?;
            fds.push((input.into(), 0));
        }
        let command = SandboxedCommand {
            args: step.arguments.iter().map(|word| with_data(word, data).into()).collect(),
            env: self.environment(),
            cwd,
            fds,
            user: owner,
            ..SandboxedCommand::new(&step.program)
        };
        sandbox
            .start(command)
            .map_err(|error| RunError::Service(format!("the service {}: {error}", self.name)))
    }

    /// The user's variables, and those of the service, whose programs are found first.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut all: Vec<(OsString, OsString)> = std::env::vars_os()
            .filter(|(name, _)| self.variables.iter().all(|(own, _)| own != name) && name != "PATH")
            .collect();
        let mut path = self.programs.clone().unwrap_or_default().into_os_string();
        if let Some(rest) = std::env::var_os("PATH") {
            path = if path.is_empty() { rest } else { [&*path, ":".as_ref(), &*rest].into_iter().collect() };
        }
        all.push(("PATH".into(), path));
        all.extend(self.variables.iter().cloned());
        all
    }

    /// What failed, with the last of its own words.
    pub(super) fn failed(&self, what: &str, log: &File) -> RunError {
        RunError::Service(format!("the service {}: {what}. {}", self.name, words(log)))
    }
}

/// The last of what was said into a file, as a sentence, and what to do where that names what is missing.
pub(super) fn words(log: &File) -> String {
    let said = said(log);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n  ");
    let advice = ADVICE.iter().find(|(named, _)| last.contains(named)).map(|(_, advice)| advice);
    match (last.is_empty(), advice) {
        (true, _) => "It said nothing".to_owned(),
        (false, None) => format!("It said:\n  {last}"),
        (false, Some(advice)) => format!("It said:\n  {last}\n{advice}"),
    }
}

/// What was said into a file last.
pub(super) fn said(log: &File) -> String {
    let size = log.metadata().map_or(0, |about| about.len());
    let mut said = vec![0; size.min(MOST_WORDS) as usize];
    // Where in the file is read does not move where others write. Without its words an error says what it can.
    let read = log.read_at(&mut said, size.saturating_sub(MOST_WORDS));
    said.truncate(read.unwrap_or_default());
    String::from_utf8_lossy(&said).into_owned()
}

/// A file that is gone with its last descriptor.
pub(super) fn log() -> Result<File, RunError> {
    tempfile::tempfile().map_err(|source| RunError::io("cannot make a temporary file", source))
}

/// The ordinary user that systems have for PostgreSQL.
fn ordinary_user() -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut numbers = line.split(':').skip(2).map(|word| word.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_in_good_order_was_told_to_and_any_other_has_failed() {
        let rows = [
            (Exit::Code(0), true),
            (Exit::Code(1), false),
            (Exit::Code(127), false),
            (Exit::Code(128 + 15), true),
            (Exit::Code(128 + 9), false),
            (Exit::Signal(15), true),
            (Exit::Signal(2), true),
            (Exit::Signal(9), false),
            (Exit::Signal(11), false),
            (Exit::SandboxEnded, false),
        ];
        for (exit, told) in rows {
            assert_eq!(was_told_to(exit), told, "{exit}");
        }
    }
}
