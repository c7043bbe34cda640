//! Schedules: what lets two workers run when, one at a time.
//!
//! A worker asks for its turn before each call on a resource that both use. It keeps its turn until it
//! comes to a switch of the schedule, sleeps, waits for something, or ends. So a schedule without a
//! switch is the least disturbed run there is, and each switch is one place at which a worker was
//! overtaken. Any schedule that PCT (Burckhardt et al., ASPLOS 2010) can draw for two workers is one of
//! these: its priorities say who starts, its d-1 change points are switches.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::WAIT_MILLIS;
use crate::plan::WorkerId;

/// Something outside of the process, as the harness names it: `file:$TMPDIR/a.txt`,
/// `listing:$TMPDIR` (what a folder holds), `port:tcp 8080`, `postgresql://127.0.0.1:5432/shop table customers`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resource(pub String);

/// What a server gives to who connects to it.
const CONNECTIONS: &str = "connections";

impl Resource {
    /// Whether this is what a folder lists, which changes commute on.
    pub(crate) fn is_listing(&self) -> bool {
        self.0.starts_with("listing:")
    }

    /// Whether this is something that a server of the trial's own keeps.
    pub(crate) fn is_of_server(&self) -> bool {
        let name = self.0.strip_prefix("listing:").unwrap_or(&self.0);
        ["postgresql://", "redis://"].iter().any(|scheme| name.starts_with(scheme))
    }

    /// The connections that a server gives, which run out: `postgresql://127.0.0.1:5432 connections`.
    pub(crate) fn connections_of(server: &str) -> Self {
        Self(format!("{server} {CONNECTIONS}"))
    }

    /// Whether this is what [`Self::connections_of`] names.
    pub(crate) fn is_connections(&self) -> bool {
        self.is_of_server() && self.0.split_once(' ').is_some_and(|(_, what)| what == CONNECTIONS)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once(':') {
            Some(("listing", folder)) => write!(f, "the entries of {folder}"),
            _ if self.is_of_server() => f.write_str(&self.0),
            Some((kind, name)) => write!(f, "{kind} {name}"),
            None => f.write_str(&self.0),
        }
    }
}

/// What decides the turns of a trial's workers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Who starts.
    pub first: WorkerId,
    /// The resources before whose calls workers ask for their turn. If there are none, the workers run
    /// one after the other, each to its end.
    pub at: BTreeSet<Resource>,
    /// Where a worker is overtaken.
    pub(crate) switches: Vec<Switch>,
    /// Milliseconds after which a worker that waits gives way; see [`WAIT_MILLIS`].
    pub patience: u32,
    /// If not 0, workers run one after the other, and at each of their switches, and after each of their
    /// sleeps, nobody runs for so many milliseconds: to see what the mere delay does.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pause: u32,
    /// If not 0, a worker that is overtaken goes on only when so many milliseconds are over since its last call, or when
    /// the others have ended. If it goes on before they have, nobody waits for a turn any more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay: u32,
    /// Whether workers ask before system calls of their C code and subprocesses as well, which is dear.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub system_calls: bool,
    /// The calls in the order in which they were made when this schedule was recorded, so that a run that
    /// takes others is noticed; empty if it was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
}

/// A worker hands its turn over just before one of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Switch {
    /// Whose call.
    pub(crate) worker: WorkerId,
    /// The 0-based number of that worker's call on one of the schedule's resources.
    pub(crate) point: u32,
    /// Who goes on. If it does not wait for its turn then, there is no switch.
    pub(crate) to: WorkerId,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Schedule {
    /// Workers run one after the other.
    pub(crate) fn sequential(first: WorkerId) -> Self {
        let at = BTreeSet::new();
        Self {
            first,
            at,
            switches: Vec::new(),
            patience: WAIT_MILLIS,
            pause: 0,
            delay: 0,
            system_calls: false,
            calls: Vec::new(),
        }
    }

    /// Workers are switched only where one sleeps, waits or ends.
    pub fn undisturbed(first: WorkerId, at: BTreeSet<Resource>) -> Self {
        Self { at, ..Self::sequential(first) }
    }

    /// Whether the workers run one after the other.
    pub(crate) fn is_sequential(&self) -> bool {
        self.at.is_empty() || self.pause > 0
    }

    /// The worker that a schedule names, if a plan with so many has it not.
    pub(crate) fn stranger(&self, workers: usize) -> Option<WorkerId> {
        let named = self.switches.iter().flat_map(|switch| [switch.worker, switch.to]);
        named.chain([self.first]).find(|worker| worker.0 as usize >= workers)
    }
}
