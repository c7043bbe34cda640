//! The sockets of the machine's servers that have a name in the file system. An overlay hides a server behind its
//! socket: a sandbox in which it is to be reached has to show the socket itself.

use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

/// The kernel's flag of a socket that listens (`__SO_ACCEPTCON`).
const LISTENS: u32 = 0x1_0000;

/// The sockets of this machine on which somebody listens, and that are where their name says. None where the kernel
/// does not tell.
pub(crate) fn listening_sockets() -> Vec<PathBuf> {
    let table = std::fs::read("/proc/net/unix").unwrap_or_default();
    let exists =
        |path: &PathBuf| std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    listening(&String::from_utf8_lossy(&table)).into_iter().filter(exists).collect()
}

/// The named sockets of `/proc/net/unix` that listen, each once, but for those below folders that are shown anyway.
fn listening(table: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = table.lines().skip(1).filter_map(named).collect();
    paths.sort();
    paths.dedup();
    paths.retain(|path| !["/dev", "/proc", "/sys"].iter().any(|folder| path.starts_with(folder)));
    paths
}

/// `ffff8c00: 00000002 00000000 00010000 0001 01 21847 /run/postgresql/.s.PGSQL.5432`
fn named(line: &str) -> Option<PathBuf> {
    let flags = u32::from_str_radix(line.split_ascii_whitespace().nth(3)?, 16).ok()?;
    let path = &line[line.find(" /")? + 1..];
    (flags & LISTENS != 0).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_under_a_name_is_told_once() {
        let table = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 21847 /run/postgresql/.s.PGSQL.5432
0000000000000000: 00000003 00000000 00000000 0001 03 21848 /run/postgresql/.s.PGSQL.5432
0000000000000000: 00000003 00000000 00000000 0001 03 21849
0000000000000000: 00000002 00000000 00010000 0001 01 21850 @/tmp/abstract
0000000000000000: 00000002 00000000 00010000 0001 01 21851 /tmp/a b/socket
0000000000000000: 00000002 00000000 00000000 0002 01 21852 /run/datagrams
0000000000000000: 00000002 00000000 00010000 0001 01 21853 /dev/shm/socket
0000000000000000: 00000002 00000000 00010000 0001 01 21854 /tmp/a b/socket
";
        assert_eq!(listening(table), ["/run/postgresql/.s.PGSQL.5432", "/tmp/a b/socket"].map(PathBuf::from));
        assert_eq!(listening(""), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_socket_of_this_machine_is_found_and_gone_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let found = listening_sockets().contains(&path);
        assert_eq!(found, cfg!(target_os = "linux"));
        std::fs::remove_file(&path).unwrap();
        assert!(!listening_sockets().contains(&path));
    }
}
