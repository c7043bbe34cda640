//! Connections of a worker to servers of the trial's own, and what is said on them.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::calls::Touch;
use super::names::Names;
use super::target::{Peer, Target};
use crate::plan::schedule::Resource;
use crate::race::operation::Operation;
use crate::race::servers::{POSTGRES_SOCKET, Sort};
use crate::race::statements::{Conversation, Said};
use crate::run::protocol::{Server, ServerSort};

/// All that have been met, by their sockets.
#[derive(Debug)]
pub(super) struct Connections {
    servers: Vec<Server>,
    /// Nothing for those that lead elsewhere.
    met: BTreeMap<OsString, Option<Conversation>>,
}

impl Connections {
    /// Those to some servers.
    pub(super) fn new(servers: Vec<Server>) -> Self {
        Self { servers, met: BTreeMap::new() }
    }

    /// What a thread does by sending something on a socket: to a server if there is a list, which is empty if that is nobody
    /// else's business.
    pub(super) fn hear(
        &mut self,
        target: &Target,
        descriptor: i32,
        names: &Names,
        sent: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Vec<Touch>> {
        if self.servers.is_empty() {
            return None;
        }
        let socket = target.socket(descriptor)?;
        let servers = &self.servers;
        let conversation = self.met.entry(socket).or_insert_with(|| {
            let peer = target.peer(descriptor)?;
            servers.iter().find(|server| is_at(server, &peer)).map(conversation)
        });
        let heard = |conversation: &mut Conversation| conversation.hears(&sent()?, |name| names.is_own(name));
        let Some(mut said) = heard(conversation.as_mut()?) else { return Some(Vec::new()) };
        if said.operation == Operation::ConnectTo {
            said.touches.splice(0..0, self.takes_one(target, descriptor));
        }
        Some(touches(said))
    }

    /// The connections that a server gives, of which one more is taken. Where a worker takes so many that a second one could
    /// not take as many, it keeps others out of them.
    fn takes_one(&self, target: &Target, descriptor: i32) -> Option<(Resource, bool)> {
        let peer = target.peer(descriptor)?;
        let most = self.servers.iter().find(|server| is_at(server, &peer))?.connections?;
        let all = self.met.get(&target.socket(descriptor)?)?.as_ref()?.connections();
        let open = target.opens();
        let to_it = |(socket, met): &(&OsString, &Option<Conversation>)| {
            met.as_ref().is_some_and(|met| met.connections() == all) && open.contains(*socket)
        };
        let held = self.met.iter().filter(to_it).count();
        Some((all, 2 * held > most as usize))
    }
}

fn touches(said: Said) -> Vec<Touch> {
    let Said { operation, statement, touches } = said;
    let touch = |(resource, writes)| Touch { resource, operation, writes, statement: statement.clone() };
    touches.into_iter().map(touch).collect()
}

fn is_at(server: &Server, peer: &Peer) -> bool {
    match peer {
        Peer::Port(host, port) => host.is_loopback() && *port == server.port,
        Peer::Socket(path) => match server.sort {
            ServerSort::Postgres => {
                path.file_name().is_some_and(|name| *name == *format!("{POSTGRES_SOCKET}{}", server.port))
            }
            ServerSort::Redis => server.socket.as_ref() == Some(path),
        },
    }
}

fn conversation(server: &Server) -> Conversation {
    let sort = match server.sort {
        ServerSort::Postgres => Sort::Postgres,
        ServerSort::Redis => Sort::Redis,
    };
    // Who was connected before anybody listened did not say to which.
    let database = server.databases.first().unwrap_or(&server.user);
    Conversation::new(sort, server.port, database)
}
