//! Where the system does not tell of system calls: nobody is supervised.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use super::names::Names;
use super::{Kept, Noticed, ProcessTree};
use crate::plan::schedule::Resource;
use crate::race::Access;
use crate::run::protocol::Server;

/// The filter that the harness is to install: none.
pub(in crate::run) fn filter(_: bool) -> Option<String> {
    None
}

/// Nobody's.
#[derive(Debug)]
pub(in crate::run) struct Supervisor {
    never: std::convert::Infallible,
}

impl Supervisor {
    /// There is none.
    pub(in crate::run) fn start(
        _: OwnedFd,
        _: Names,
        _: Vec<Server>,
        _: Option<BTreeSet<Resource>>,
        _: impl Fn(Noticed) + Send + 'static,
    ) -> Option<Self> {
        None
    }

    /// Lets a call go on.
    pub(in crate::run) fn answer(&self, _: u64) {
        match self.never {}
    }

    /// The harness is about to make a call on a resource, and has the turn for it.
    pub(in crate::run) fn grants(&self, _: &Resource) {
        match self.never {}
    }

    /// What a test did.
    pub(in crate::run) fn noted(&self, _: u32) -> Vec<(Access, bool)> {
        match self.never {}
    }

    /// The worker's processes.
    pub(in crate::run) fn family(&self) -> ProcessTree {
        match self.never {}
    }

    /// What the worker was kept waiting for.
    pub(in crate::run) fn kept(&self) -> Kept {
        match self.never {}
    }
}
