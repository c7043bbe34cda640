//! What an init does all its life: starts processes, signals their groups and reaps whatever ends.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, kill_process_group, setrlimit, waitpid,
};
use rustix::thread::{CapabilitySet, capabilities, configure_capability_in_ambient_set, set_capabilities};

use super::init::leave;
use super::protocol::{Said, Signalled, Start, receive, send};
use super::{Awaited, Exit};
use crate::limits::{SERVICE_ANSWER, SERVICE_UP_LOOK};

/// What a process needs to enter namespaces of others.
const TO_ENTER: [CapabilitySet; 2] = [CapabilitySet::SYS_ADMIN, CapabilitySet::SYS_CHROOT];

/// Processes that were started on request, by their number, with the socket of each; the socket is gone
/// if jostle has closed its end.
type Running = BTreeMap<i32, Option<UnixStream>>;

/// Serves until jostle closes the socket, or jostle or the keeper has ended. `user` tells whether there is
/// a user namespace.
pub(crate) fn supervise(control: &UnixStream, keeper: &OwnedFd, user: bool) {
    let Ok((mut deaths, writer)) = UnixStream::pair() else { return };
    if signal_hook::low_level::pipe::register(libc::SIGCHLD, writer).is_err()
        || deaths.set_nonblocking(true).is_err()
    {
        return;
    }
    let mut running = Running::new();
    loop {
        let (ready, spoken) = {
            let channels = running.iter().filter_map(|(pid, channel)| Some((*pid, channel.as_ref()?)));
            let (pids, channels): (Vec<i32>, Vec<&UnixStream>) = channels.unzip();
            let mut fds = vec![
                PollFd::new(keeper, PollFlags::IN),
                PollFd::new(&deaths, PollFlags::IN),
                PollFd::new(control, PollFlags::IN),
            ];
            fds.extend(channels.iter().map(|channel| PollFd::new(*channel, PollFlags::IN)));
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            let spoken = pids.into_iter().zip(ready[3..].to_vec()).filter_map(|(pid, is)| is.then_some(pid));
            (ready[..3].to_vec(), spoken.collect::<Vec<_>>())
        };
        if ready[0] {
            return;
        }
        if ready[1] {
            // Only that something was written counts.
            while matches!(deaths.read(&mut [0; 64]), Ok(1..)) {}
        }
        // A process that has ended must be known as such before its number is used.
        reap(&mut running);
        spoken.into_iter().for_each(|pid| obey(pid, &mut running));
        if ready[2] && !serve(control, &mut running, user) {
            return;
        }
    }
}

/// Carries one request out; false if there will be none any more.
fn serve(control: &UnixStream, running: &mut Running, user: bool) -> bool {
    let Ok(Some((start, mut fds))) = receive::<Start>(control) else { return false };
    if fds.is_empty() {
        return false;
    }
    let channel = UnixStream::from(fds.remove(0));
    let started = match &start.awaits {
        Some(awaited) => wait_in_child(awaited),
        None => spawn(start, fds, user),
    };
    match started {
        Ok(pid) => {
            // A handle that is gone already shows itself as a closed socket.
            let _ = send(&channel, &Said::Started { pid }, &[]);
            running.insert(pid, Some(channel));
        }
        Err(error) => {
            let _ = send(&channel, &Said::Refused { errno: error.raw_os_error().unwrap_or(0) }, &[]);
        }
    }
    true
}

/// Forks a process that ends with 0 once something is there.
#[expect(unsafe_code, reason = "fork(2) has no wrapper")]
fn wait_in_child(awaited: &Awaited) -> io::Result<i32> {
    // SAFETY: this process has one thread, so its copy finds no lock taken.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // Where it fails the group is the init's, which is never signalled.
            let _ = rustix::process::setpgid(None, None);
            while !is_there(awaited) {
                std::thread::sleep(SERVICE_UP_LOOK);
            }
            leave(0)
        }
        child => Ok(child),
    }
}

fn is_there(awaited: &Awaited) -> bool {
    match awaited {
        Awaited::Port(address) => connected(*address).is_some(),
        Awaited::Answer { at, asked, answer } => {
            connected(*at).is_some_and(|server| answers(server, asked, answer).unwrap_or(false))
        }
        Awaited::File { path, word: None } => path.symlink_metadata().is_ok(),
        Awaited::File { path, word: Some(word) } => {
            std::fs::read_to_string(path).is_ok_and(|text| text.contains(word.as_str()))
        }
        Awaited::Closed(ports) => ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
            .iter()
            .all(|table| !is_half_closed(&std::fs::read_to_string(table).unwrap_or_default(), ports)),
    }
}

/// Whether a table of connections, as `proc_pid_net(5)` has them, holds one from one of these ports whose other end is gone,
/// while this one has not closed it (CLOSE_WAIT).
fn is_half_closed(table: &str, ports: &[u16]) -> bool {
    table.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        let port = words.nth(1).and_then(|address| u16::from_str_radix(address.rsplit(':').next()?, 16).ok());
        words.nth(1) == Some("08") && port.is_some_and(|port| ports.contains(&port))
    })
}

/// A connection to a port, if somebody else is there. Its own port is chosen before: that of a socket that is connected without
/// one may be the very one that is asked for, and such a socket meets itself and keeps the server from that port for a minute.
fn connected(address: SocketAddr) -> Option<TcpStream> {
    let (family, any) = match address {
        SocketAddr::V4(_) => (AddressFamily::INET, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        SocketAddr::V6(_) => (AddressFamily::INET6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).ok()?;
    bind(&socket, &SocketAddr::new(any, 0)).ok()?;
    let stream = TcpStream::from(socket);
    if stream.local_addr().ok()?.port() == address.port() {
        return None;
    }
    connect(&stream, &address).ok()?;
    Some(stream)
}

fn answers(mut server: TcpStream, asked: &str, answer: &str) -> io::Result<bool> {
    server.set_read_timeout(Some(SERVICE_ANSWER))?;
    server.write_all(asked.as_bytes())?;
    let mut said = vec![0; answer.len()];
    server.read_exact(&mut said)?;
    Ok(said == answer.as_bytes())
}

#[expect(unsafe_code, reason = "the only way to run code between fork and exec")]
fn spawn(start: Start, fds: Vec<OwnedFd>, user: bool) -> io::Result<i32> {
    let mut command = Command::new(&start.program);
    command.args(&start.args).env_clear().envs(start.env).current_dir(&start.cwd).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mappings = fds.into_iter().zip(start.targets);
    let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect();
    command.fd_mappings(mappings).map_err(|_| io::ErrorKind::InvalidInput)?;
    if let Some((id, group)) = start.user {
        command.uid(id).gid(group);
    }
    let (memory, enters) = (start.memory, start.enters_layers && user);
    // SAFETY: the closure only makes system calls, and this process has one thread.
    unsafe {
        command.pre_exec(move || {
            if let Some(bytes) = memory {
                setrlimit(Resource::Data, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
            }
            if enters {
                keep_capabilities()?;
            }
            Ok(())
        });
    }
    // Who is waited for is known from the wait itself, so the handle is of no use.
    command.spawn().map(|child| child.id().cast_signed())
}

/// Lets the two capabilities outlive exec(2), which takes all others away from whoever is not root.
fn keep_capabilities() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    for capability in TO_ENTER {
        sets.inheritable |= capability;
    }
    set_capabilities(None, sets)?;
    for capability in TO_ENTER {
        configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// Signals a process's group as jostle asks, or kills it if jostle has closed the socket.
fn obey(pid: i32, running: &mut Running) {
    let Some(channel) = running.get_mut(&pid) else { return };
    let heard = channel.as_ref().map(receive::<Signalled>);
    let signal = match heard {
        Some(Ok(Some((Signalled(signal), _)))) => signal,
        _ => {
            *channel = None;
            Signal::KILL.as_raw()
        }
    };
    signal_group(pid, signal);
}

/// rustix takes no real-time signals.
#[expect(unsafe_code, reason = "kill(2) for any signal")]
fn signal_group(group: i32, signal: i32) {
    // SAFETY: it has no preconditions. The leader has not been reaped, so the group is no other's; that it
    // is gone already is no error.
    unsafe { libc::kill(-group, signal) };
}

/// Reaps all that have ended, orphans too. With a process that was asked for ends what is left of its
/// group, and that before it is reaped, since its number could then be another's.
fn reap(running: &mut Running) {
    while let Some(pid) = next_dead() {
        let known = running.remove(&pid.as_raw_nonzero().get());
        if known.is_some() {
            // A group of which nothing is left is no error.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let Ok(Some((_, status))) = waitpid(Some(pid), WaitOptions::NOHANG) else { return };
        if let Some(Some(channel)) = known {
            let _ = send(&channel, &Said::Exited(exit_of(status)), &[]);
        }
    }
}

/// A child that has ended, left as it is. rustix does not tell which one it is.
#[expect(unsafe_code, reason = "waitid(2) with the number of the process")]
fn next_dead() -> Option<Pid> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the kernel writes at most a siginfo_t, of which all zeroes is a value.
    let (result, info) =
        unsafe { (libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options), info.assume_init()) };
    // SAFETY: after a success the structure is that of SIGCHLD, or still zero if no child has ended.
    let pid = if result == 0 { unsafe { info.si_pid() } } else { 0 };
    Pid::from_raw(pid)
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::SandboxEnded,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_is_half_closed_if_its_other_end_is_gone_and_this_one_is_not() {
        let table = |address: &str, state: &str| {
            format!(
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: \
                 {address}:1538 0100007F:B0C2 {state} 00000000:00000000 00:00000000 00000000     0        0 28412 1\n"
            )
        };
        let (four, six) = ("0100007F", "00000000000000000000000001000000");
        for address in [four, six] {
            assert!(is_half_closed(&table(address, "08"), &[80, 5432]));
            assert!(!is_half_closed(&table(address, "01"), &[5432]), "it is open");
            assert!(!is_half_closed(&table(address, "08"), &[80]), "it is another's");
        }
        assert!(!is_half_closed("", &[5432]));
    }

    /// As many tries as there are ports to be given out meet each of them about once. At this address nobody else listens.
    #[test]
    fn whoever_asks_for_a_port_does_not_take_it() {
        let free = TcpListener::bind("127.83.1.7:0").and_then(|free| free.local_addr()).unwrap();
        for _ in 0..30_000 {
            assert!(connected(free).is_none());
        }
        let server = TcpListener::bind(free).expect("it is still free");
        assert!(connected(free).is_some());
        drop(server);
    }
}
