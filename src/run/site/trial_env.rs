//! Where trials run: on the host as it is, or each in a sandbox of its own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::race::servers::Listening;
use crate::run::RunError;
use crate::run::sandbox::{Base, Network, Sandbox, SandboxError, SandboxOptions};
use crate::run::services::{Ended, Running, Services};
use crate::run::site::workspace::Workspace;

/// Folders that are empty in a sandbox, unless something in them is kept.
const PRIVATE: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Those of them that can be shown with what is in them: shared memory is no file system to overlay.
const SHOWN: [&str; 2] = ["/tmp", "/var/tmp"];

/// How trials are kept apart from each other and from the user's files.
#[derive(Clone, Debug)]
pub struct Sandboxing {
    /// This `jostle`, which the sandboxes' keeper is started from.
    pub executable: PathBuf,
    /// Absolute paths that are the host's own: what is written there stays.
    pub share: Vec<PathBuf>,
    /// Absolute paths that must be seen though `/tmp` and its like are private.
    pub keep: Vec<PathBuf>,
    /// Whose network it is at first.
    pub network: Network,
    /// Whether it is to become the machine's where the suite needs that.
    pub network_may_change: bool,
    /// How many bytes a trial may write.
    pub disk: u64,
    /// Servers that each has of its own.
    pub services: Arc<Services>,
}

/// What the workers of a trial share: a folder, whose `tmp` is their `TMPDIR`, and a sandbox if there
/// is one.
#[derive(Debug)]
pub(crate) struct TrialEnv {
    /// The folder, as the workers see it. It has one name for all trials, since paths may show up in a
    /// test's verdict.
    pub(crate) path: PathBuf,
    // Dropped in this order: servers end with their sandbox at the latest.
    services: Running,
    sandbox: Option<Held>,
}

/// A sandbox, and who else it is for.
#[derive(Debug)]
enum Held {
    /// A trial's own.
    Own(Sandbox),
    /// One that others will stand on.
    Base(Arc<Base>),
}

/// Where a process is started.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SpawnTarget<'a> {
    /// On the host.
    Host,
    /// In a sandbox.
    Sandbox(&'a Sandbox),
    /// In a base, as one that may enter the sandboxes on top of it.
    Base(&'a Sandbox),
}

/// What trials start from.
#[derive(Debug)]
pub(crate) enum BaseEnv {
    /// The host's files, and what a zygote had written into its own folder.
    Host {
        /// Where that is kept, if it wrote anything.
        left: Option<PathBuf>,
    },
    /// What has been written in a base.
    Base(SandboxPool),
}

/// Sandboxes on top of a base, each of which is made while the one before it is in use.
#[derive(Debug)]
pub(crate) struct SandboxPool {
    base: Arc<Base>,
    path: PathBuf,
    services: Arc<Services>,
    next: Mutex<Option<JoinHandle<Result<Made, RunError>>>>,
}

/// A sandbox, and the servers in it.
type Made = (Sandbox, Running);

impl Sandboxing {
    /// The same with the machine's network, if it has another and may change it.
    pub(crate) fn on_host_network(&self) -> Option<Self> {
        let changes = self.network_may_change && self.network == Network::Private && self.services.is_empty();
        changes.then(|| Self { network: Network::Host, ..self.clone() })
    }

    /// One in which the machine is as its user sees it: its network, and its temporary folders with what is in them.
    /// What is written is thrown away all the same. None if the machine's network is forbidden.
    pub(crate) fn as_on_the_machine(&self) -> Option<Self> {
        let keep = self.keep.iter().cloned().chain(SHOWN.map(PathBuf::from)).collect();
        let open = Self { network: Network::Host, keep, ..self.clone() };
        (self.network == Network::Host || self.network_may_change).then_some(open)
    }

    /// Whether trials reach a server of the machine: by its network, or by its socket. An overlay hides a socket that is not
    /// shared.
    pub(crate) fn reaches(&self, server: &Listening) -> bool {
        let socket = server.resource.0.strip_prefix("file:").map(Path::new);
        socket.map_or(self.network == Network::Host, |socket| {
            let real = socket.canonicalize().unwrap_or_else(|_| socket.to_owned());
            real.starts_with("/dev") || self.share.iter().any(|shared| real.starts_with(shared))
        })
    }

    /// Changes over to the machine's network.
    pub(crate) fn use_host_network(&mut self) {
        self.network = Network::Host;
    }
}

impl TrialEnv {
    /// A folder on the host.
    pub(crate) fn on_host(path: PathBuf) -> Self {
        Self { path, services: Running::default(), sandbox: None }
    }

    /// Its sandbox, if it has one.
    pub(crate) fn sandbox(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref().map(|held| match held {
            Held::Own(sandbox) => sandbox,
            Held::Base(base) => base.sandbox(),
        })
    }

    /// Its servers that have ended by now, each of which is told once.
    pub(crate) fn ended_services(&self) -> Vec<Ended> {
        self.services.ended()
    }

    /// Waits until its servers have closed the connections of processes that are gone.
    pub(crate) fn close_connections(&self) {
        if let Some(sandbox) = self.sandbox() {
            self.services.close(sandbox);
        }
    }

    /// Where its processes are started.
    pub(crate) fn place(&self) -> SpawnTarget<'_> {
        self.sandbox().map_or(SpawnTarget::Host, SpawnTarget::Sandbox)
    }
}

impl Drop for TrialEnv {
    fn drop(&mut self) {
        if self.sandbox.is_none() {
            // What is left is removed with the session's folder, or by the next trial.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl BaseEnv {
    /// An environment without a trace of any process: the host, or a new base.
    ///
    /// # Errors
    /// There can be no sandbox here.
    pub(crate) fn new(workspace: &Workspace, sandboxing: Option<&Sandboxing>) -> Result<Self, SandboxError> {
        match sandboxing {
            None => Ok(Self::Host { left: None }),
            Some(sandboxing) => Ok(Self::Base(SandboxPool::new(workspace, sandboxing)?)),
        }
    }

    /// A site for a trial.
    ///
    /// # Errors
    /// The folder or the sandbox cannot be made.
    pub(crate) fn site(&self, workspace: &Workspace) -> Result<TrialEnv, RunError> {
        match self {
            Self::Host { left } => workspace.trial(left.as_deref()),
            Self::Base(layers) => layers.site(),
        }
    }
}

impl SandboxPool {
    fn new(workspace: &Workspace, sandboxing: &Sandboxing) -> Result<Self, SandboxError> {
        let path = workspace.shown().map_err(|source| SandboxError::Io {
            what: format!("cannot make a folder in {}", workspace.path().display()),
            source,
        })?;
        let keep = sandboxing.keep.iter().map(PathBuf::as_path).chain([workspace.path()]);
        let options = SandboxOptions {
            keep: keep.chain(sandboxing.services.folder()).filter_map(outermost).collect(),
            share: sandboxing.share.clone(),
            network: sandboxing.network,
            disk: sandboxing.disk,
        };
        let base = Arc::new(Base::start(&sandboxing.executable, &options)?);
        let services = Arc::clone(&sandboxing.services);
        Ok(Self { base, path, services, next: Mutex::new(None) })
    }

    /// A pool on top of a sandbox on top of the base: what is written in that one, by processes that run in it as in a
    /// trial's, is seen in those of the pool. It must be written before the first of these is asked for.
    ///
    /// # Errors
    /// As those of [`Sandbox::on`].
    pub(crate) fn on(&self) -> Result<Self, RunError> {
        let base = self.base.on().map_err(|error| RunError::Sandbox(error.to_string()))?;
        let services = Arc::clone(&self.services);
        Ok(Self { base: Arc::new(base), path: self.path.clone(), services, next: Mutex::new(None) })
    }

    /// The base as the site of a trial.
    pub(crate) fn ground(&self) -> TrialEnv {
        let sandbox = Some(Held::Base(Arc::clone(&self.base)));
        TrialEnv { path: self.path.clone(), services: Running::default(), sandbox }
    }

    /// Carries out what is done in the base itself, with servers there meanwhile; what these keep by then is what those of
    /// the sandboxes on top start with.
    ///
    /// # Errors
    /// A server does not start; else those of what is done.
    pub(crate) fn in_base<T>(&self, work: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
        let running = self.services.start(self.base.sandbox())?;
        let done = work();
        let up = running.are_up();
        self.services.stop(running);
        up.and(done)
    }

    /// The base itself.
    pub(crate) fn base(&self) -> &Sandbox {
        self.base.sandbox()
    }

    /// The folder of its trials.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A sandbox of its own; one more is begun, so that the next trial does not wait for its.
    pub(crate) fn site(&self) -> Result<TrialEnv, RunError> {
        let make = |base: &Base, services: &Services| -> Result<Made, RunError> {
            let sandbox = Sandbox::on(base).map_err(|error| RunError::Sandbox(error.to_string()))?;
            let running = services.start(&sandbox)?;
            Ok((sandbox, running))
        };
        let begin =
            |base: Arc<Base>, services: Arc<Services>| std::thread::spawn(move || make(&base, &services));
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let made = match next.take() {
            Some(begun) => {
                begun.join().unwrap_or_else(|_| Err(RunError::Sandbox(SandboxError::Ended.to_string())))
            }
            None => make(&self.base, &self.services),
        };
        let (sandbox, services) = made?;
        services.are_up()?;
        *next = Some(begin(Arc::clone(&self.base), Arc::clone(&self.services)));
        Ok(TrialEnv { path: self.path.clone(), services, sandbox: Some(Held::Own(sandbox)) })
    }
}

impl Drop for SandboxPool {
    fn drop(&mut self) {
        let begun = self.next.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(begun) = begun {
            // Its result was for a trial that did not come.
            let _ = begun.join();
        }
    }
}

/// What has to be kept for a path to be seen: the folder below a private one that it is in. All of it,
/// since a project has its neighbours there too.
pub(crate) fn outermost(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    PRIVATE.iter().find_map(|private| {
        let below = path.strip_prefix(private).ok()?;
        Some(
            below
                .iter()
                .next()
                .map_or_else(|| PathBuf::from(private), |first| Path::new(private).join(first)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_below_a_private_one_is_kept_whole() {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        assert_eq!(outermost(&deep).as_deref(), Some(folder.path()));
        assert_eq!(outermost(Path::new("/tmp")).as_deref(), Some(Path::new("/tmp")));
        assert_eq!(outermost(Path::new("/usr")), None);
        assert_eq!(outermost(&folder.path().join("missing")), None);
    }
}
