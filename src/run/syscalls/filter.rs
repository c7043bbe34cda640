//! Which system calls are told of, and the filter (classic BPF, see seccomp(2)) that says so.

use std::fmt::Write;
use std::mem::offset_of;

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF,
    c_long, seccomp_data,
};

/// What a system call does, and so how its arguments are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// `open(path, flags)`
    Open,
    /// `openat(folder, path, flags)`
    OpenAt,
    /// `openat2(folder, path, how)`
    OpenAtHow,
    /// `creat(path)`
    Create,
    /// `rename(from, to)`
    Rename,
    /// `renameat(folder, from, folder, to)`
    RenameAt,
    /// `unlink(path)`
    Remove,
    /// `unlinkat(folder, path, flags)`
    RemoveAt,
    /// `rmdir(path)`
    RemoveFolder,
    /// `mkdir(path)`
    MakeFolder,
    /// `mkdirat(folder, path)`
    MakeFolderAt,
    /// `link(to, path)`, `symlink(to, path)`
    Link,
    /// `linkat(folder, to, folder, path)`
    LinkAt,
    /// `symlinkat(to, folder, path)`
    SymlinkAt,
    /// `truncate(path)`
    Truncate,
    /// `flock(file, operation)`
    Flock,
    /// `fcntl(file, command, lock)`
    Fcntl,
    /// `bind(socket, address, length)`
    Bind,
    /// `connect(socket, address, length)`
    Connect,
    /// `sendto(socket, bytes, length)`, `write(file, bytes, length)`
    Send,
    /// `sendmsg(socket, message)`
    SendMessage,
    /// `writev(file, pieces, count)`
    SendPieces,
    /// `nanosleep(time)`
    Sleep,
    /// `clock_nanosleep(clock, flags, time)`
    SleepOnClock,
    /// `mknodat(folder, path)`: by this the harness tells where it is.
    Mark,
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// The calls that are told of.
pub(super) const CALLS: &[(c_long, Does)] = &[
    (libc::SYS_openat, Does::OpenAt),
    (libc::SYS_openat2, Does::OpenAtHow),
    (libc::SYS_renameat2, Does::RenameAt),
    (libc::SYS_unlinkat, Does::RemoveAt),
    (libc::SYS_mkdirat, Does::MakeFolderAt),
    (libc::SYS_linkat, Does::LinkAt),
    (libc::SYS_symlinkat, Does::SymlinkAt),
    (libc::SYS_truncate, Does::Truncate),
    (libc::SYS_flock, Does::Flock),
    (libc::SYS_bind, Does::Bind),
    (libc::SYS_connect, Does::Connect),
    (libc::SYS_nanosleep, Does::Sleep),
    (libc::SYS_clock_nanosleep, Does::SleepOnClock),
    (libc::SYS_mknodat, Does::Mark),
    (libc::SYS_renameat, Does::RenameAt),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, Does::Open),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, Does::Create),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, Does::Rename),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, Does::Remove),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rmdir, Does::RemoveFolder),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, Does::MakeFolder),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_link, Does::Link),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_symlink, Does::Link),
];

/// The calls that are told of as well where there are servers of the trial's own: every write is one of them, which is dear.
const SENDS: &[(c_long, Does)] = &[
    (libc::SYS_sendto, Does::Send),
    (libc::SYS_write, Does::Send),
    (libc::SYS_sendmsg, Does::SendMessage),
    (libc::SYS_writev, Does::SendPieces),
];

/// Stands in the filter for the descriptor of the harness's channel, which it puts in its place (`_CHANNEL` there): nobody
/// could be told of a call by which the harness tells.
const CHANNEL: u32 = u32::from_ne_bytes(*b"chan");

/// The commands of fcntl that are: those that lock.
const LOCKS: [i32; 4] = [libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_SETLKW];

/// What a call of this number does, if it is told of.
pub(super) fn does(number: i32) -> Option<Does> {
    if c_long::from(number) == libc::SYS_fcntl {
        return Some(Does::Fcntl);
    }
    CALLS.iter().chain(SENDS).find(|(known, _)| *known == c_long::from(number)).map(|(_, does)| *does)
}

/// The filter that the harness is to install, as hexadecimal digits: `struct sock_filter`, one after the other. What is sent
/// is told of on request.
pub(in crate::run) fn filter(sends: bool) -> Option<String> {
    let mut digits = String::new();
    for Instruction(code, yes, no, k) in instructions(if sends { SENDS } else { &[] }) {
        for byte in code.to_ne_bytes().into_iter().chain([yes, no]).chain(k.to_ne_bytes()) {
            let _ = write!(digits, "{byte:02x}");
        }
    }
    Some(digits)
}

/// Code, the jumps if true and if false, and the operand.
#[derive(Clone, Copy, Debug)]
struct Instruction(u16, u8, u8, u32);

fn instructions(sends: &[(c_long, Does)]) -> Vec<Instruction> {
    let load = |offset: usize| Instruction((BPF_LD | BPF_W | BPF_ABS) as u16, 0, 0, offset as u32);
    let argument = |number: usize| load(offset_of!(seccomp_data, args) + number * size_of::<u64>());
    let equals = |k: u32, yes: u8, no: u8| Instruction((BPF_JMP | BPF_JEQ | BPF_K) as u16, yes, no, k);
    let returns = |k: u32| Instruction((BPF_RET | BPF_K) as u16, 0, 0, k);
    // Jumps count from the instruction that follows, and reach 255 of them.
    let (calls, locks, sent) = (CALLS.len() as u8, LOCKS.len() as u8, sends.len() as u8);
    let mut program = vec![
        load(offset_of!(seccomp_data, arch)),
        // Calls of another architecture have other numbers.
        equals(ARCHITECTURE, 0, calls + sent + locks + 3),
        load(offset_of!(seccomp_data, nr)),
    ];
    for (left, (number, _)) in (0..calls).rev().zip(CALLS) {
        program.push(equals(*number as u32, left + sent + locks + 3, 0));
    }
    for (left, (number, _)) in (0..sent).rev().zip(sends) {
        program.push(equals(*number as u32, left + locks + 4, 0));
    }
    program.push(equals(libc::SYS_fcntl as u32, 0, locks + 1));
    program.push(argument(1));
    for (left, command) in (0..locks).rev().zip(LOCKS) {
        program.push(equals(command as u32, left + 1, 0));
    }
    program.push(returns(SECCOMP_RET_ALLOW));
    program.push(returns(SECCOMP_RET_USER_NOTIF));
    program.push(argument(0));
    program.push(equals(CHANNEL, 0, 1));
    program.push(returns(SECCOMP_RET_ALLOW));
    program.push(returns(SECCOMP_RET_USER_NOTIF));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel does.
    fn verdict(sends: &[(c_long, Does)], architecture: u32, number: u32, first: u32, second: u32) -> u32 {
        let (program, mut at, mut loaded) = (instructions(sends), 0, 0);
        loop {
            let Instruction(code, yes, no, k) = program[at];
            at += 1;
            match u32::from(code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => {
                    loaded = match k {
                        0 => number,
                        4 => architecture,
                        16 => first,
                        24 => second,
                        other => panic!("{other}"),
                    }
                }
                code if code == BPF_JMP | BPF_JEQ | BPF_K => {
                    at += usize::from(if loaded == k { yes } else { no });
                }
                _ => return k,
            }
        }
    }

    #[test]
    fn the_filter_tells_of_each_call_of_the_list_and_of_no_other() {
        for (number, sends) in (0..1000_u32).flat_map(|number| [(number, SENDS), (number, &[])]) {
            let verdict = |architecture, first| verdict(sends, architecture, number, first, u32::MAX);
            let is_in =
                |list: &[(c_long, Does)]| list.iter().any(|(known, _)| *known == c_long::from(number));
            let (is_seen, is_sent) = (is_in(CALLS), is_in(sends));
            let expected = |seen| if seen { SECCOMP_RET_USER_NOTIF } else { SECCOMP_RET_ALLOW };
            assert_eq!(verdict(ARCHITECTURE, 1), expected(is_seen || is_sent), "{number}");
            assert_eq!(
                verdict(ARCHITECTURE, CHANNEL),
                expected(is_seen),
                "{number}: by this the harness tells"
            );
            assert_eq!(verdict(ARCHITECTURE ^ 1, 1), SECCOMP_RET_ALLOW, "{number}");
            let is_known = is_seen || is_in(SENDS) || c_long::from(number) == libc::SYS_fcntl;
            assert_eq!(does(number as i32).is_some(), is_known);
        }
        for command in 0..64 {
            let is_seen = LOCKS.contains(&command);
            let expected = if is_seen { SECCOMP_RET_USER_NOTIF } else { SECCOMP_RET_ALLOW };
            for sends in [SENDS, &[]] {
                let verdict = verdict(sends, ARCHITECTURE, libc::SYS_fcntl as u32, 0, command as u32);
                assert_eq!(verdict, expected, "{command}");
            }
        }
    }
}
