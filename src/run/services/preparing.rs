//! What is done once, before the first trial: a service's folder is made, the service is started on it, is filled by the
//! user's commands, and ends in good order.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::copying::Copied;
use super::running::{Started, log, said};
use super::{Made, Ready, Service, Services, Step, with_data};
use crate::limits::{SERVICE_END, SERVICE_LOOK, SERVICE_PREPARATION, SERVICE_START};
use crate::run::RunError;
use crate::run::process::interrupt::Interrupt;
use crate::run::protocol::Server;
use crate::run::sandbox::{
    Base, Exit, Network, Sandbox, SandboxError, SandboxOptions, SandboxedCommand, SandboxedProcess,
};
use crate::run::site::workspace::copy;

/// Where services are made ready.
pub(crate) struct Place<'a> {
    /// This `jostle`.
    pub(crate) executable: &'a Path,
    /// The session's folder.
    pub(crate) workspace: &'a Path,
    /// What has to be seen of `/tmp` and its like.
    pub(crate) keep: Vec<PathBuf>,
    /// Where the user's commands are run.
    pub(crate) project: &'a Path,
    /// The suite's Python, whose environment they find.
    pub(crate) python: &'a Path,
    /// The user's wish to stop.
    pub(crate) interrupt: &'a Interrupt,
}

/// Why services are not ready.
#[derive(Debug)]
pub(crate) enum Unready {
    /// There can be no sandbox for them.
    Sandbox(SandboxError),
    /// One of them fails.
    Service(RunError),
}

impl From<SandboxError> for Unready {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error)
    }
}

impl From<RunError> for Unready {
    fn from(error: RunError) -> Self {
        Self::Service(error)
    }
}

impl Services {
    /// Makes all ready, unless they are.
    ///
    /// # Errors
    /// There can be no sandbox, or one of them cannot be made, does not start, or a command of the user's fails.
    pub(crate) fn make_ready(&self, place: &Place<'_>) -> Result<(), Unready> {
        if self.all.is_empty() || self.made.get().is_some() {
            return Ok(());
        }
        let folder = place.workspace.join("services");
        let io = |source| RunError::io(format!("cannot make {}", folder.display()), source);
        fs::create_dir_all(&folder).map_err(io)?;
        for service in &self.all {
            service.make_folder(&folder, place.workspace).map_err(|error| {
                service.says(&format!(
                    "its folder {} cannot be made: {error}",
                    service.data_in(&folder).display()
                ))
            })?;
        }
        let options = SandboxOptions {
            keep: place.keep.clone(),
            // What they keep is to stay.
            share: vec![folder.clone()],
            network: Network::Private,
            ..SandboxOptions::default()
        };
        let base = Base::start(place.executable, &options)?;
        let mut servers = Vec::new();
        for service in &self.all {
            service.make_ready(&folder, base.sandbox(), place)?;
            let connections = service.connections(&folder, base.sandbox());
            servers.extend(service.server.clone().map(|server| Server { connections, ..server }));
        }
        // Only whoever was first has been here.
        let _ = self.made.set(Made { folder, servers });
        Ok(())
    }
}

impl Service {
    /// Makes its folder, with what it starts with, for who it runs as.
    fn make_folder(&self, folder: &Path, workspace: &Path) -> io::Result<()> {
        let data = self.data_in(folder);
        match &self.data {
            Some(given) => {
                copy(given, &data)?;
                // The server that it was copied of may have been up, or have had no time to clean up.
                match self.says_up.map(|name| fs::remove_file(data.join(name))) {
                    Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            None => fs::create_dir_all(&data)?,
        }
        fs::set_permissions(&data, Permissions::from_mode(0o700))?;
        if let Some(owner) = self.owner() {
            give(&data, owner)?;
            // It has to get there.
            for above in data.ancestors().skip(1).take_while(|above| above.starts_with(workspace)) {
                fs::set_permissions(above, Permissions::from_mode(0o711))?;
            }
        }
        Ok(())
    }

    fn make_ready(&self, folder: &Path, sandbox: &Sandbox, place: &Place<'_>) -> Result<(), RunError> {
        let data = self.data_in(folder);
        for step in &self.make {
            let log = log()?;
            let process = self.spawn(step, &data, sandbox, &log)?;
            self.has_ended_well(process, log, &step.program.to_string_lossy(), place.interrupt)?;
        }
        let mut started =
            Started::begin(self, &self.prepared_by, folder, sandbox)?.once_up(Some(place.interrupt))?;
        if let Some(copied) = &self.copied {
            self.copy_of(copied, &data, sandbox, place.interrupt)?;
        }
        for line in &self.prepare {
            let log = log()?;
            let command = self.of_the_user(line, place, &log)?;
            let run = sandbox.start(command).map_err(|error| self.says(&error.to_string()))?;
            // Without the server it may fail, or fill another's.
            self.has_ended_well(run, log, line, place.interrupt).map_err(|error| match started.is_up() {
                Err(down) if !matches!(error, RunError::Interrupted) => down,
                _ => error,
            })?;
        }
        started.is_up()?;
        let Started { mut process, log: said, .. } = started;
        let _ = process.kill(self.stop.signal());
        if process.wait_for(SERVICE_END).is_none() {
            // One that cannot write down what it keeps may stay up for that.
            return Err(self.failed(&format!("it does not end within {} s", SERVICE_END.as_secs()), &said));
        }
        if let Ready::File(path, _) = &self.ready
            && path.starts_with("{data}/")
        {
            // One that it has left would say that the next is up before it is.
            let _ = fs::remove_file(with_data(path, &data));
        }
        Ok(())
    }

    /// How many connections it gives at once, as it is set by now. Nothing where it does not say: no claim rests on that.
    fn connections(&self, folder: &Path, sandbox: &Sandbox) -> Option<u32> {
        let log = log().ok()?;
        let step = self.tells_connections.as_ref()?;
        let exit = self.spawn(step, &self.data_in(folder), sandbox, &log).ok()?.wait_for(SERVICE_START)?;
        said(&log).trim().parse().ok().filter(|_| exit == Exit::Code(0))
    }

    /// Fills it with a copy of a database of the user's.
    fn copy_of(
        &self,
        copied: &Copied,
        data: &Path,
        sandbox: &Sandbox,
        interrupt: &Interrupt,
    ) -> Result<(), RunError> {
        let dump = PathBuf::from(with_data("{data}.dump", data));
        copied.write(&self.name, &dump, interrupt)?;
        if let Some((user, group)) = self.owner() {
            lchown(&dump, Some(user), Some(group))
                .map_err(|source| RunError::io(format!("cannot give {} away", dump.display()), source))?;
        }
        let log = log()?;
        let process = self.spawn(&copied.restore, data, sandbox, &log)?;
        self.has_ended_well(process, log, "pg_restore", interrupt)?;
        // It is gone with the session's folder at the latest.
        let _ = fs::remove_file(dump);
        Ok(())
    }

    /// A command of the user's, in the project, with the suite's environment and the service's programs.
    fn of_the_user(&self, line: &str, place: &Place<'_>, log: &File) -> Result<SandboxedCommand, RunError> {
        let io = |source| RunError::io(format!("cannot prepare the service {}", self.name), source);
        let mut env = self.environment();
        let bin = place.python.parent().map(|bin| bin.as_os_str().to_owned()).unwrap_or_default();
        for (name, value) in &mut env {
            if name == "PATH" && !bin.is_empty() {
                let path: OsString = [&*bin, ":".as_ref(), &**value].into_iter().collect();
                *value = path;
            }
        }
        let step = Step::shell(line);
        Ok(SandboxedCommand {
            args: step.arguments.iter().map(Into::into).collect(),
            env,
            cwd: place.project.to_owned(),
            fds: vec![(log.try_clone().map_err(io)?.into(), 1), (log.try_clone().map_err(io)?.into(), 2)],
            ..SandboxedCommand::new(step.program)
        })
    }

    /// Waits for the end of what is run once.
    fn has_ended_well(
        &self,
        mut process: SandboxedProcess,
        log: File,
        what: &str,
        interrupt: &Interrupt,
    ) -> Result<(), RunError> {
        let until = Instant::now() + SERVICE_PREPARATION;
        let exit = loop {
            if let Some(exit) = process.wait_for(SERVICE_LOOK.max(Duration::from_millis(1))) {
                break exit;
            }
            if interrupt.is_set() {
                return Err(RunError::Interrupted);
            }
            if Instant::now() > until {
                return Err(self.failed(
                    &format!("`{what}` has not ended after {} s", SERVICE_PREPARATION.as_secs()),
                    &log,
                ));
            }
        };
        if exit == Exit::Code(0) {
            Ok(())
        } else {
            Err(self.failed(&format!("`{what}` failed: {exit}"), &log))
        }
    }

    fn says(&self, why: &str) -> RunError {
        RunError::Service(format!("the service {}: {why}", self.name))
    }
}

/// Gives a folder and all that is in it to somebody.
fn give(path: &Path, (user, group): (u32, u32)) -> io::Result<()> {
    lchown(path, Some(user), Some(group))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), (user, group))?;
        }
    }
    Ok(())
}
