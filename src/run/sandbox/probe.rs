//! Whether a sandbox can be had here, found out by making one; and if not, why not.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::handle::Base;
use super::protocol::Failed;
use super::{Missing, SandboxError, SandboxOptions, Step};

/// Settings that forbid user namespaces, with the value that does, and the value that does not.
const SETTINGS: [(&str, &str, &str); 3] = [
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "10000"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
];
/// Files and folders whose owners are looked at.
const MOST_LOOKED_AT: usize = 10_000;
const IN_A_CONTAINER: &str = "in a container, start it with --privileged, or with --cap-add SYS_ADMIN \
    --security-opt seccomp=unconfined --security-opt apparmor=unconfined; or run with --sandbox off";

/// Whether a sandbox can be had: makes one and ends it. `executable` is this jostle.
///
/// # Errors
/// The facility that is missing, and what the user can do.
pub fn probe(executable: &Path) -> Result<(), Missing> {
    let other = |found: String| Missing::Other { what: "starting its first process".into(), found };
    match Base::start(executable, &SandboxOptions::default()) {
        Ok(_) => Ok(()),
        Err(SandboxError::Missing(missing)) => Err(missing),
        Err(error) => Err(other(error.to_string())),
    }
}

/// Looks through a folder that processes in a sandbox are to change, as far as that takes no time. Only
/// one's own user and group are known in a user namespace, and overlayfs copies nothing of others.
///
/// # Errors
/// [`Missing::Owners`], for what could be changed on the host only.
pub fn check_owners(folder: &Path) -> Result<(), Missing> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if user == 0 {
        return Ok(());
    }
    let mut paths = vec![folder.to_owned()];
    for _ in 0..MOST_LOOKED_AT {
        let Some(path) = paths.pop() else { break };
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let is_ours = found.uid() == user && found.gid() == group;
        if !is_ours && !found.is_symlink() && rustix::fs::access(&path, rustix::fs::Access::WRITE_OK).is_ok()
        {
            return Err(Missing::Owners { path });
        }
        if found.is_dir() {
            paths.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    Ok(())
}

/// What the failure of a step means on this machine.
pub(crate) fn explain(failed: &Failed) -> Missing {
    let setting = |name: &str| {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        fs::read_to_string(path).ok().map(|value| value.trim().to_owned())
    };
    let file_systems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let uid = rustix::process::geteuid();
    explain_with(failed, &setting, file_systems.contains("\toverlay\n"), uid.is_root())
}

fn explain_with(
    failed: &Failed,
    setting: &dyn Fn(&str) -> Option<String>,
    has_overlay: bool,
    is_root: bool,
) -> Missing {
    let found = io::Error::from_raw_os_error(failed.errno).to_string();
    let refused = matches!(failed.errno, libc::EPERM | libc::EACCES);
    let forbidding = || {
        let is = |(name, bad, _): &&(&str, &str, &str)| setting(name).as_deref() == Some(bad);
        SETTINGS.iter().find(is).map(|(name, bad, good)| {
            let remedy =
                format!("allow it with `sysctl -w {name}={good}`, run as root, or with --sandbox off");
            (format!("{name} is {bad}"), remedy)
        })
    };
    let container = || IN_A_CONTAINER.to_owned();
    match &failed.step {
        Step::UserNamespace => {
            let (found, remedy) = forbidding().unwrap_or_else(|| (found, container()));
            Missing::UserNamespaces { found, remedy }
        }
        // With AppArmor's restriction the user namespace can be made, and is then good for nothing.
        Step::Namespace { .. } | Step::Mount { .. } if refused && !is_root && forbidding().is_some() => {
            let (found, remedy) = forbidding().unwrap_or_default();
            Missing::UserNamespaces { found, remedy }
        }
        Step::Namespace { kind } => {
            let remedy = match failed.errno {
                libc::ENOSPC => {
                    format!("raise it with `sysctl -w user.max_{}_namespaces=10000`", sysctl_of(kind))
                }
                libc::EINVAL => "the kernel is built without it; run with --sandbox off".into(),
                _ => container(),
            };
            Missing::Namespace { kind: kind.clone(), found, remedy }
        }
        Step::Overlay { folder } => explain_overlay(folder, failed, has_overlay, is_root),
        Step::Attributes => Missing::Mounting {
            folder: "a tmpfs that keeps the attributes overlayfs needs".into(),
            found,
            remedy: "this takes Linux 6.6, or root; else run with --sandbox off".into(),
        },
        Step::Mount { folder } | Step::Bind { folder } => {
            Missing::Mounting { folder: folder.display().to_string(), found, remedy: container() }
        }
        Step::Proc => Missing::Mounting {
            folder: "a proc for the sandbox".into(),
            found,
            remedy: format!("containers that cover parts of /proc forbid it; {IN_A_CONTAINER}"),
        },
        Step::Root => Missing::Mounting { folder: "a new root".into(), found, remedy: container() },
        Step::Loopback => Missing::Other { what: "bringing the loopback interface up".into(), found },
        Step::Other { what } => Missing::Other { what: what.clone(), found },
    }
}

fn explain_overlay(folder: &Path, failed: &Failed, has_overlay: bool, is_root: bool) -> Missing {
    let found = io::Error::from_raw_os_error(failed.errno).to_string();
    let off = "or run with --sandbox off";
    let (found, remedy) = match failed.errno {
        libc::ENODEV if !has_overlay => {
            ("overlay is not in /proc/filesystems".into(), format!("load it with `modprobe overlay`, {off}"))
        }
        libc::EPERM if !is_root => (found, format!("this takes Linux 5.11, or root, {off}")),
        libc::EINVAL => {
            (found, format!("its file system is no good as a lower layer, which the kernel log tells; {off}"))
        }
        _ => (found, IN_A_CONTAINER.to_owned()),
    };
    Missing::Overlay { folder: PathBuf::from(folder), found, remedy }
}

fn sysctl_of(kind: &str) -> &str {
    if kind == "mount" { "mnt" } else { kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(step: Step, errno: i32, set: (&str, &str), has_overlay: bool) -> String {
        let setting = |name: &str| (name == set.0).then(|| set.1.to_owned());
        explain_with(&Failed { step, errno }, &setting, has_overlay, false).to_string()
    }

    #[test]
    fn each_missing_facility_is_named_with_its_remedy() {
        let nothing = ("", "");
        for (name, bad, _) in SETTINGS {
            let said = says(Step::UserNamespace, libc::EPERM, (name, bad), true);
            assert!(said.contains(name) && said.contains("sysctl -w"), "{said}");
        }
        let restricted = ("kernel.apparmor_restrict_unprivileged_userns", "1");
        let said = says(Step::Mount { folder: "/".into() }, libc::EACCES, restricted, true);
        assert!(said.contains("apparmor"), "{said}");
        let said = says(Step::UserNamespace, libc::EPERM, nothing, true);
        assert!(said.contains("--privileged"), "{said}");
        let said = says(Step::Overlay { folder: "/".into() }, libc::ENODEV, nothing, false);
        assert!(said.contains("modprobe overlay"), "{said}");
        let said = says(Step::Namespace { kind: "mount".into() }, libc::ENOSPC, nothing, true);
        assert!(said.contains("user.max_mnt_namespaces"), "{said}");
        let said = says(Step::Namespace { kind: "net".into() }, libc::EINVAL, nothing, true);
        assert!(said.contains("net namespace"), "{said}");
        let said = says(Step::Attributes, libc::EOPNOTSUPP, nothing, true);
        assert!(said.contains("6.6"), "{said}");
        let said = says(Step::Proc, libc::EPERM, nothing, true);
        assert!(said.contains("cover parts of /proc"), "{said}");
    }
}
