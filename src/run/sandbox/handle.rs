//! jostle's side: the base, the sandboxes on top of it, and what can be asked of them.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use command_fds::{CommandFdExt, FdMapping};
use rustix::thread::UnshareFlags;

use super::layout::Place;
use super::leftovers::{Layers, leftovers};
use super::monitor::CHANNEL;
use super::probe::explain;
use super::process::{SandboxedProcess, is_readable_within};
use super::protocol::{Birth, Ready, Said, Start, ToMonitor, receive, send};
use super::{Awaited, SandboxError, SandboxOptions, SandboxedCommand};
use crate::limits::SANDBOX_END;
use crate::trial::Leftover;

/// A sandbox that others are made on top of. They end with it.
#[derive(Debug)]
pub struct Base {
    // Dropped in this order: processes end first, then the keeper hears of the end.
    sandbox: Sandbox,
    keeper: Arc<Monitor>,
    /// The number under which the keeper knows it, if it stands on another.
    kept: Option<u32>,
}

/// What a process sees as the machine. Dropping it ends every process in it.
#[derive(Debug)]
pub struct Sandbox {
    control: Mutex<Option<UnixStream>>,
    init: OwnedFd,
    namespaces: Namespaces,
    layers: Layers,
    places: Arc<[Place]>,
    read_only: Vec<PathBuf>,
}

/// The descriptors of a sandbox's namespaces, for setns(2).
///
/// A process that lives in the base and has one thread may enter all but the user namespace, where it is
/// already. It enters `pid` for its children only: after it has entered, it forks, and the child is
/// to change to its folder again, since a folder is one of the mount namespace it was opened in. The
/// parent has to reap the child, or to end: until then the sandbox cannot end.
///
/// While a descriptor is open, the namespace lives, with what is mounted in it.
#[derive(Debug)]
pub struct Namespaces {
    /// If not root; the base's, and that of all on top of it.
    pub user: Option<OwnedFd>,
    /// Mounts.
    pub mount: OwnedFd,
    /// Process numbers.
    pub pid: OwnedFd,
    /// System V IPC and POSIX message queues.
    pub(crate) ipc: OwnedFd,
    /// Host name.
    pub(crate) host_name: OwnedFd,
    /// If it is not the host's.
    pub network: Option<OwnedFd>,
}

impl Namespaces {
    /// Those a process of the base enters, each with its flag (`CLONE_NEW…`), in an order that works.
    pub fn to_enter(&self) -> Vec<(BorrowedFd<'_>, u32)> {
        let mut entered = vec![
            (self.ipc.as_fd(), UnshareFlags::NEWIPC.bits()),
            (self.host_name.as_fd(), UnshareFlags::NEWUTS.bits()),
            (self.pid.as_fd(), UnshareFlags::NEWPID.bits()),
        ];
        entered.extend(self.network.as_ref().map(|fd| (fd.as_fd(), UnshareFlags::NEWNET.bits())));
        entered.push((self.mount.as_fd(), UnshareFlags::NEWNS.bits()));
        entered
    }
}

impl Base {
    /// Makes a sandbox and what others need to be on top of it. `executable` is this jostle.
    ///
    /// # Errors
    /// [`SandboxError::Missing`] if there can be none here; else a path of the options does not exist, or
    /// the executable cannot be run.
    pub fn start(executable: &Path, options: &SandboxOptions) -> Result<Self, SandboxError> {
        let keeper = Arc::new(Monitor::start(executable)?);
        let real = |path: &PathBuf| {
            path.canonicalize()
                .map_err(|error| SandboxError::io(format!("cannot share {}", path.display()), error))
        };
        let share = options.share.iter().map(real).collect::<Result<_, _>>()?;
        // What does not exist need not be kept.
        let keep = options.keep.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let message = ToMonitor::Base { keep, share, network: options.network, disk: options.disk };
        let (control, ready, fds) = keeper.ask(&message, None)?;
        let sandbox = Sandbox::new(control, ready, fds, None)?;
        Ok(Self { sandbox, keeper, kept: None })
    }

    /// Makes a sandbox on top of this one that others can be made on top of, and no more in turn on those. A process
    /// that lives in it may enter these as one of the base may enter its own.
    ///
    /// # Errors
    /// As those of [`Sandbox::on`].
    pub fn on(&self) -> Result<Self, SandboxError> {
        let number = self.keeper.numbers.fetch_add(1, Ordering::Relaxed);
        let (control, ready, fds) =
            self.keeper.ask(&ToMonitor::Layer { on: None, kept: Some(number) }, None)?;
        let sandbox = Sandbox::new(control, ready, fds, Some(&self.sandbox))?;
        Ok(Self { sandbox, keeper: Arc::clone(&self.keeper), kept: Some(number) })
    }

    /// The sandbox that it is itself.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Sandbox {
    /// Makes a sandbox on top of a base: it sees the base's files, with what has been written there by
    /// now, and the base sees nothing of what is written in it. What is written in the base from now on
    /// may or may not be seen.
    ///
    /// # Errors
    /// [`SandboxError::Ended`] if the base is gone; else the system has no more memory or processes.
    pub fn on(base: &Base) -> Result<Self, SandboxError> {
        let processes = base.kept.map(|_| base.sandbox.namespaces.pid.as_fd());
        let (control, ready, fds) =
            base.keeper.ask(&ToMonitor::Layer { on: base.kept, kept: None }, processes)?;
        Self::new(control, ready, fds, Some(&base.sandbox))
    }

    fn new(
        control: UnixStream,
        ready: Ready,
        fds: Vec<OwnedFd>,
        below: Option<&Self>,
    ) -> Result<Self, SandboxError> {
        let mut fds = fds.into_iter();
        let mut next = || fds.next().ok_or(SandboxError::Ended);
        let (init, layer, skeletons) = (next()?, next()?, next()?);
        let namespaces = Namespaces {
            mount: next()?,
            pid: next()?,
            ipc: next()?,
            host_name: next()?,
            network: ready.network.then(&mut next).transpose()?,
            user: ready.user.then(&mut next).transpose()?,
        };
        let below_layers =
            below.map(|base| [&[Arc::clone(&base.layers.layer)], &*base.layers.below].concat());
        let layers = Layers { layer: Arc::new(layer), below: below_layers.unwrap_or_default(), skeletons };
        let places = below.map_or_else(|| ready.places.into(), |base| base.places.clone());
        let control = Mutex::new(Some(control));
        Ok(Self { control, init, namespaces, layers, places, read_only: ready.read_only })
    }

    /// Starts a process, as the leader of a process group of its own.
    ///
    /// # Errors
    /// [`SandboxError::Start`] if the system refuses, [`SandboxError::Ended`] if there is no sandbox any more.
    pub fn start(&self, command: SandboxedCommand) -> Result<SandboxedProcess, SandboxError> {
        let (sources, targets): (Vec<OwnedFd>, Vec<i32>) = command.fds.into_iter().unzip();
        let start = Start {
            awaits: None,
            user: command.user,
            program: command.program,
            args: command.args,
            env: command.env,
            cwd: command.cwd.into_os_string(),
            targets,
            memory: command.memory,
            enters_layers: command.enters_layers,
        };
        self.ask(&start, &sources)
    }

    /// Starts a process of the sandbox's own that ends, with 0, once something is there.
    ///
    /// # Errors
    /// As those of [`Self::start`].
    pub(crate) fn await_in(&self, awaited: Awaited) -> Result<SandboxedProcess, SandboxError> {
        let start = Start {
            program: OsString::new(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: OsString::new(),
            targets: Vec::new(),
            memory: None,
            enters_layers: false,
            user: None,
            awaits: Some(awaited),
        };
        self.ask(&start, &[])
    }

    fn ask(&self, start: &Start, sources: &[OwnedFd]) -> Result<SandboxedProcess, SandboxError> {
        let io = |error| SandboxError::io("cannot speak to the sandbox", error);
        let (ours, theirs) = UnixStream::pair().map_err(io)?;
        let mut fds = vec![theirs.as_fd()];
        fds.extend(sources.iter().map(AsFd::as_fd));
        {
            let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
            let control = control.as_ref().ok_or(SandboxError::Ended)?;
            send(control, start, &fds).map_err(|error| match error.kind() {
                std::io::ErrorKind::BrokenPipe => SandboxError::Ended,
                _ => io(error),
            })?;
        }
        drop(theirs);
        match receive(&ours) {
            Ok(Some((Said::Started { pid }, _))) => Ok(SandboxedProcess::new(pid, ours)),
            Ok(Some((Said::Refused { errno }, _))) => Err(SandboxError::Start {
                program: start.program.display().to_string(),
                cwd: start.cwd.clone().into(),
                source: std::io::Error::from_raw_os_error(errno),
            }),
            _ => Err(SandboxError::Ended),
        }
    }

    /// The namespaces, for a process of the base that is to enter.
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// Folders that are writable on the host and read-only here, since overlayfs cannot be had over their
    /// file systems.
    pub fn read_only(&self) -> &[PathBuf] {
        &self.read_only
    }

    /// What differs below a folder of the host from what this sandbox started with, in the order of the
    /// paths. It can be asked before and after [`Self::stop`].
    ///
    /// # Errors
    /// The folder does not exist on the host, or a layer cannot be read.
    pub fn leftovers(&self, folder: &Path) -> Result<Vec<Leftover>, SandboxError> {
        let failed =
            |error| SandboxError::io(format!("cannot list what was left in {}", folder.display()), error);
        let folder = folder.canonicalize().map_err(failed)?;
        leftovers(&self.layers, &self.places, &folder).map_err(failed)
    }

    /// Ends every process in it, and waits until they are gone. What was written can still be asked for.
    pub fn stop(&self) {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner).take();
        if control.is_some() {
            drop(control);
            is_readable_within(&self.init, SANDBOX_END);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

/// jostle's side of the keeper.
#[derive(Debug)]
struct Monitor {
    child: Child,
    channel: Option<Mutex<UnixStream>>,
    /// The number of the next sandbox that others stand on.
    numbers: AtomicU32,
}

impl Monitor {
    fn start(executable: &Path) -> Result<Self, SandboxError> {
        let failed = |error| SandboxError::io("cannot start the sandbox's keeper", error);
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut command = Command::new(executable);
        command.arg("__sandbox").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
            .process_group(0)
            .fd_mappings(vec![FdMapping { parent_fd: OwnedFd::from(theirs), child_fd: CHANNEL }])
            .map_err(|error| failed(std::io::Error::other(error)))?;
        let child = command.spawn().map_err(failed)?;
        Ok(Self { child, channel: Some(Mutex::new(ours)), numbers: AtomicU32::new(0) })
    }

    /// Has an init made, and waits until it has told what it is. If it is to stand on a sandbox of its own number, the
    /// namespace of that one's processes is passed on.
    fn ask(
        &self,
        message: &ToMonitor,
        processes: Option<BorrowedFd<'_>>,
    ) -> Result<(UnixStream, Ready, Vec<OwnedFd>), SandboxError> {
        let (ours, theirs) =
            UnixStream::pair().map_err(|error| SandboxError::io("cannot make a socket", error))?;
        if let Some(channel) = &self.channel {
            let channel = channel.lock().unwrap_or_else(PoisonError::into_inner);
            let descriptors: Vec<BorrowedFd<'_>> = [theirs.as_fd()].into_iter().chain(processes).collect();
            send(&channel, message, &descriptors).map_err(|_| SandboxError::Ended)?;
        }
        drop(theirs);
        match receive(&ours) {
            Ok(Some((Birth::Ready(ready), fds))) => Ok((ours, ready, fds)),
            Ok(Some((Birth::Failed(failed), _))) => Err(explain(&failed).into()),
            _ => Err(SandboxError::Ended),
        }
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let (Some(kept), Some(channel)) = (self.kept, &self.keeper.channel) else { return };
        self.sandbox.stop();
        let channel = channel.lock().unwrap_or_else(PoisonError::into_inner);
        // A keeper that is gone keeps nothing.
        let _ = send(&channel, &ToMonitor::Forget { kept }, &[]);
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.channel = None;
        // It ends when its socket does; a failure means that it has been waited for.
        let _ = self.child.wait();
    }
}
