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

/// The commands of fcntl that are: those that lock.
const LOCKS: [i32; 4] = [libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_SETLKW];

/// What a call of this number does, if it is told of.
pub(super) fn does(number: i32) -> Option<Does> {
    if c_long::from(number) == libc::SYS_fcntl {
        return Some(Does::Fcntl);
    }
    CALLS.iter().find(|(known, _)| *known == c_long::from(number)).map(|(_, does)| *does)
}

/// The filter that the harness is to install, as hexadecimal digits: `struct sock_filter`, one after the other.
pub(in crate::run) fn filter() -> Option<String> {
    let mut digits = String::new();
    for Instruction(code, yes, no, k) in instructions() {
        for byte in code.to_ne_bytes().into_iter().chain([yes, no]).chain(k.to_ne_bytes()) {
            let _ = write!(digits, "{byte:02x}");
        }
    }
    Some(digits)
}

/// Code, the jumps if true and if false, and the operand.
#[derive(Clone, Copy, Debug)]
struct Instruction(u16, u8, u8, u32);

fn instructions() -> Vec<Instruction> {
    let load = |offset: usize| Instruction((BPF_LD | BPF_W | BPF_ABS) as u16, 0, 0, offset as u32);
    let equals = |k: u32, yes: u8, no: u8| Instruction((BPF_JMP | BPF_JEQ | BPF_K) as u16, yes, no, k);
    let returns = |k: u32| Instruction((BPF_RET | BPF_K) as u16, 0, 0, k);
    // Jumps count from the instruction that follows, and reach 255 of them.
    let (calls, locks) = (CALLS.len() as u8, LOCKS.len() as u8);
    let mut program = vec![
        load(offset_of!(seccomp_data, arch)),
        // Calls of another architecture have other numbers.
        equals(ARCHITECTURE, 0, calls + locks + 3),
        load(offset_of!(seccomp_data, nr)),
    ];
    for (left, (number, _)) in (0..calls).rev().zip(CALLS) {
        program.push(equals(*number as u32, left + locks + 3, 0));
    }
    program.push(equals(libc::SYS_fcntl as u32, 0, locks + 1));
    program.push(load(offset_of!(seccomp_data, args) + size_of::<u64>()));
    for (left, command) in (0..locks).rev().zip(LOCKS) {
        program.push(equals(command as u32, left + 1, 0));
    }
    program.push(returns(SECCOMP_RET_ALLOW));
    program.push(returns(SECCOMP_RET_USER_NOTIF));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel does.
    fn verdict(architecture: u32, number: u32, second: u32) -> u32 {
        let (program, mut at, mut loaded) = (instructions(), 0, 0);
        loop {
            let Instruction(code, yes, no, k) = program[at];
            at += 1;
            match u32::from(code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => {
                    loaded = match k {
                        0 => number,
                        4 => architecture,
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
        for number in 0..1000_u32 {
            let is_seen = CALLS.iter().any(|(known, _)| *known == c_long::from(number));
            let expected = if is_seen { SECCOMP_RET_USER_NOTIF } else { SECCOMP_RET_ALLOW };
            assert_eq!(verdict(ARCHITECTURE, number, u32::MAX), expected, "{number}");
            assert_eq!(verdict(ARCHITECTURE ^ 1, number, 0), SECCOMP_RET_ALLOW, "{number}");
            assert_eq!(does(number as i32).is_some(), is_seen || c_long::from(number) == libc::SYS_fcntl);
        }
        for command in 0..64 {
            let is_seen = LOCKS.contains(&command);
            let expected = if is_seen { SECCOMP_RET_USER_NOTIF } else { SECCOMP_RET_ALLOW };
            assert_eq!(verdict(ARCHITECTURE, libc::SYS_fcntl as u32, command as u32), expected, "{command}");
        }
    }
}
