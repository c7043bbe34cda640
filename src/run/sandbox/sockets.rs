//! The machine's servers. Those whose sockets have a name in the file system are hidden behind these by an overlay: a
//! sandbox in which one is to be reached has to show the socket itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::plan::schedule::Resource;
use crate::race::servers::Listening;

/// The kernel's flag of a socket that listens (`__SO_ACCEPTCON`).
const LISTENS: u32 = 0x1_0000;
/// How the kernel's tables of TCP say so (`TCP_LISTEN`).
const LISTENS_ON_PORT: &str = "0A";

/// The sockets of this machine on which somebody listens, and that are where their name says. None where the kernel
/// does not tell.
pub(crate) fn listening_sockets() -> Vec<PathBuf> {
    let table = std::fs::read("/proc/net/unix").unwrap_or_default();
    let exists =
        |path: &PathBuf| std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    listening(&String::from_utf8_lossy(&table)).into_iter().filter(exists).collect()
}

/// The servers of this machine as they are now: on ports and on sockets with a name. The program is known of those whose
/// processes one may look at; that whoever asks reaches them is for him to say. None where the kernel does not tell.
pub(crate) fn servers() -> Vec<Listening> {
    let read = |table: &str| String::from_utf8_lossy(&std::fs::read(table).unwrap_or_default()).into_owned();
    let ports = ["/proc/net/tcp", "/proc/net/tcp6"].map(read);
    let ports = ports.iter().flat_map(|table| table.lines().filter_map(port));
    let names = read("/proc/net/unix");
    let names =
        names.lines().skip(1).filter_map(|line| Some((named(line)?, line.split_ascii_whitespace().nth(6)?)));
    let mut found: BTreeMap<String, String> =
        names.map(|(path, inode)| (format!("file:{}", path.display()), inode.to_owned())).collect();
    found.extend(ports.map(|(port, inode)| (format!("port:tcp {port}"), inode.to_owned())));
    let wanted: BTreeSet<String> = found.values().map(|inode| format!("socket:[{inode}]")).collect();
    let programs = if wanted.is_empty() { BTreeMap::new() } else { programs(&wanted) };
    let server = |(resource, inode): (String, String)| Listening {
        resource: Resource(resource),
        program: programs.get(&format!("socket:[{inode}]")).cloned(),
        reached: true,
    };
    found.into_iter().map(server).collect()
}

/// The addresses of this machine's interfaces, but for the loopback's. A sandbox has none of them.
pub(crate) fn own_addresses() -> &'static BTreeSet<IpAddr> {
    static KNOWN: OnceLock<BTreeSet<IpAddr>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (four, six) = (read("/proc/net/fib_trie"), read("/proc/net/if_inet6"));
        let addresses = local_addresses(&four).into_iter().chain(six.lines().filter_map(address_six));
        addresses.filter(|address| !address.is_loopback()).collect()
    })
}

/// What else than its loopback leads to this machine: its name, and the addresses of its interfaces.
pub(crate) fn own_hosts() -> &'static [String] {
    static KNOWN: OnceLock<Vec<String>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let named = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        named.into_iter().chain(own_addresses().iter().map(ToString::to_string)).collect()
    })
}

/// `|-- 192.0.2.2` is an address of this machine's where `/32 host LOCAL` follows.
fn local_addresses(table: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut last: Option<IpAddr> = None;
    for line in table.lines() {
        if let Some(address) = line.trim_start().strip_prefix("|-- ") {
            last = address.trim().parse().ok();
        } else if line.contains("host LOCAL") {
            found.extend(last);
        }
    }
    found
}

/// `fd000000000000000000000000000002 02 40 00 82 eth0`
fn address_six(line: &str) -> Option<IpAddr> {
    let digits = line.split_ascii_whitespace().next()?;
    u128::from_str_radix(digits, 16).ok().map(|bits| Ipv6Addr::from(bits).into())
}

/// `0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 …`
fn port(line: &str) -> Option<(u16, &str)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, port) = words.get(1)?.rsplit_once(':')?;
    let listens = *words.get(3)? == LISTENS_ON_PORT;
    let port = u16::from_str_radix(port, 16).ok()?;
    listens.then_some(())?;
    Some((port, words.get(9)?))
}

/// The names of the programs that hold these sockets. Of several, as a server's children hold it too, that of the first.
fn programs(sockets: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut programs = BTreeMap::new();
    let number = |name: &std::ffi::OsStr| name.to_str()?.parse::<u32>().ok();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut processes: Vec<u32> = processes.filter_map(|entry| number(&entry.file_name())).collect();
    processes.sort_unstable();
    for process in processes {
        let folder = Path::new("/proc").join(process.to_string());
        let held = std::fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
        let held =
            held.filter_map(|entry| std::fs::read_link(entry.path()).ok()?.to_str().map(str::to_owned));
        let held: Vec<String> = held.filter(|link| sockets.contains(link)).collect();
        if held.is_empty() {
            continue;
        }
        let Ok(name) = std::fs::read_to_string(folder.join("comm")) else { continue };
        held.into_iter()
            .for_each(|link| _ = programs.entry(link).or_insert_with(|| name.trim_end().to_owned()));
    }
    programs
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
    fn a_server_on_a_port_is_found_with_its_program() {
        let line = "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0";
        assert_eq!(port(line), Some((5432, "4711")));
        assert_eq!(port(&line.replace(" 0A ", " 01 ")), None, "a connection");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let resource = Resource(format!("port:tcp {}", listener.local_addr().unwrap().port()));
        let found = servers().into_iter().find(|server| server.resource == resource);
        assert_eq!(found.is_some(), cfg!(target_os = "linux"));
        assert!(found.is_none_or(|server| server.program.is_some()), "it is our own process");
    }

    #[test]
    fn addresses_of_interfaces_are_this_machines() {
        let table = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 192.0.2.0
        /24 link UNICAST
Local:
     |-- 192.0.2.2
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
";
        assert_eq!(local_addresses(table), [IpAddr::from([192, 0, 2, 2])]);
        let line = "fd000000000000000000000000000002 02 40 00 82     eth0";
        assert_eq!(address_six(line).map(|found| found.to_string()).as_deref(), Some("fd00::2"));
        assert_eq!(address_six(""), None);
        assert_eq!(own_hosts().is_empty(), !cfg!(target_os = "linux"));
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
