//! Connections of a worker to servers of the trial's own, and what is said on them.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::calls::Touch;
use super::names::Names;
use super::target::{Peer, Target};
use crate::race::operation::Operation;
use crate::race::servers::{POSTGRES_SOCKET, Sort};
use crate::race::statements::{Conversation, Said};
use crate::run::protocol::{Server, ServerSort};

/// All that have been met, by their sockets.
#[derive(Debug)]
pub(super) struct Connections {
    servers: Vec<Server>,
    /// Each with the place of its server among these; nothing for those that lead elsewhere.
    met: BTreeMap<OsString, Option<(usize, Conversation)>>,
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
        let met = self.met.entry(socket).or_insert_with(|| {
            let peer = target.peer(descriptor)?;
            let at = servers.iter().position(|server| is_at(server, &peer))?;
            Some((at, conversation(&servers[at])))
        });
        let (server, conversation) = met.as_mut()?;
        let heard = sent().and_then(|bytes| conversation.hears(&bytes, |name| names.is_own(name)));
        let Some(mut said) = heard else { return Some(Vec::new()) };
        if said.operation == Operation::ConnectTo {
            let (server, all) = (*server, conversation.connections());
            let writes = self.leaves_too_few(server, target);
            said.touches.splice(0..0, writes.map(|writes| (all, writes)));
        }
        Some(touches(said))
    }

    /// Whether a worker has so many connections to a server that a second one could not have as many: it keeps others out of
    /// them. Nothing if it is not known how many the server gives.
    fn leaves_too_few(&self, server: usize, target: &Target) -> Option<bool> {
        let most = self.servers[server].connections?;
        let open = target.opens();
        let leads_there =
            |met: &Option<(usize, Conversation)>| met.as_ref().is_some_and(|(at, _)| *at == server);
        let held = self.met.iter().filter(|(socket, met)| leads_there(met) && open.contains(*socket)).count();
        Some(2 * held > most as usize)
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
