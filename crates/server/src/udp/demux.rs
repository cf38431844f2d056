//! Which datagram belongs to which session: by ICE user fragment first, then by the address it was seen from.
//!
//! The table is shared by the receive loop, the TCP connections and the media tasks behind one mutex that is held for the
//! lookups of a batch, never across an await. Every map is bounded: routes by the number of sessions (one per peer),
//! addresses per route by [`ADDRESSES_MAX`], connections by the listener's own limit.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use media::Proto;
use tokio::sync::mpsc;

/// Addresses that one peer may be seen from. A browser checks a handful of pairs (interfaces times address families).
const ADDRESSES_MAX: usize = 16;

/// A datagram (or a frame of a TCP connection) on its way to the media task that owns its peer.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// How it came.
    pub(crate) proto: Proto,
    /// From where.
    pub(crate) source: SocketAddr,
    /// To which of our told addresses.
    pub(crate) destination: SocketAddr,
    /// Its content.
    pub(crate) bytes: Bytes,
    /// When it was read from the socket.
    pub(crate) at: Instant,
}

/// Names one route for as long as it exists; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RouteId(u64);

struct Route<O> {
    ufrag: String,
    owner: O,
    addresses: VecDeque<(Proto, SocketAddr)>,
}

/// The demultiplexer's table; `O` is who gets the datagrams of a peer.
pub(super) struct Table<O> {
    next: u64,
    routes: HashMap<RouteId, Route<O>>,
    by_ufrag: HashMap<String, RouteId>,
    by_address: HashMap<(Proto, SocketAddr), RouteId>,
    connections: HashMap<SocketAddr, mpsc::Sender<Bytes>>,
}

impl<O> Default for Table<O> {
    fn default() -> Self {
        Table {
            next: 0,
            routes: HashMap::new(),
            by_ufrag: HashMap::new(),
            by_address: HashMap::new(),
            connections: HashMap::new(),
        }
    }
}

impl<O> Table<O> {
    /// Adds a peer under the user fragment that we told its browser.
    pub(super) fn add(&mut self, ufrag: &str, owner: O) -> RouteId {
        self.next += 1;
        let id = RouteId(self.next);
        self.routes.insert(
            id,
            Route {
                ufrag: ufrag.to_owned(),
                owner,
                addresses: VecDeque::new(),
            },
        );
        self.by_ufrag.insert(ufrag.to_owned(), id);
        id
    }

    /// Gives a peer another user fragment. Under the one before nobody can claim an address any more, but what comes from
    /// the addresses that are known still arrives: an old path is used until a new one works.
    pub(super) fn rename(&mut self, id: RouteId, ufrag: &str) {
        let Some(route) = self.routes.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut route.ufrag, ufrag.to_owned());
        if self.by_ufrag.get(&before) == Some(&id) {
            self.by_ufrag.remove(&before);
        }
        self.by_ufrag.insert(ufrag.to_owned(), id);
    }

    /// Forgets a peer with all its addresses.
    pub(super) fn remove(&mut self, id: RouteId) {
        let Some(route) = self.routes.remove(&id) else {
            return;
        };
        if self.by_ufrag.get(&route.ufrag) == Some(&id) {
            self.by_ufrag.remove(&route.ufrag);
        }
        for address in route.addresses {
            if self.by_address.get(&address) == Some(&id) {
                self.by_address.remove(&address);
            }
        }
    }

    /// Whose a datagram is; nobody's if it comes from a scanner or from a peer that is gone.
    pub(super) fn owner(&mut self, proto: Proto, source: SocketAddr, bytes: &[u8]) -> Option<&O> {
        let key = (proto, source);
        let named = media::demux::ufrag(bytes).and_then(|ufrag| self.by_ufrag.get(ufrag).copied());
        let id = match named {
            Some(id) => {
                self.learn(key, id);
                id
            }
            None => *self.by_address.get(&key)?,
        };
        self.routes.get(&id).map(|route| &route.owner)
    }

    fn learn(&mut self, key: (Proto, SocketAddr), id: RouteId) {
        // Whoever knows a user fragment (random, told only in the answer) may claim an address, also one that another
        // peer used before: a browser that reconnects can get the same port again.
        if self.by_address.insert(key, id) == Some(id) {
            return;
        }
        let Some(route) = self.routes.get_mut(&id) else {
            return;
        };
        route.addresses.push_back(key);
        if route.addresses.len() > ADDRESSES_MAX
            && let Some(oldest) = route.addresses.pop_front()
            && self.by_address.get(&oldest) == Some(&id)
        {
            self.by_address.remove(&oldest);
        }
    }

    /// Adds the writing side of a TCP connection.
    pub(super) fn connect(&mut self, peer: SocketAddr, frames: mpsc::Sender<Bytes>) {
        self.connections.insert(peer, frames);
    }

    /// Forgets a TCP connection.
    pub(super) fn disconnect(&mut self, peer: SocketAddr) {
        self.connections.remove(&peer);
        self.by_address.remove(&(Proto::Tcp, peer));
    }

    /// The writing side of a TCP connection.
    pub(super) fn connection(&self, peer: SocketAddr) -> Option<&mpsc::Sender<Bytes>> {
        self.connections.get(&peer)
    }

    /// Sizes: peers, addresses.
    #[cfg(test)]
    fn sizes(&self) -> (usize, usize) {
        assert_eq!(self.routes.len(), self.by_ufrag.len());
        (self.routes.len(), self.by_address.len())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// A STUN binding request whose USERNAME is `ours:theirs` (RFC 8489, sections 5 and 14.3).
    fn binding(ours: &str) -> Vec<u8> {
        let username = format!("{ours}:theirs");
        let padded = username.len().next_multiple_of(4);
        let mut bytes = vec![0x00, 0x01];
        bytes.extend(u16::try_from(4 + padded).unwrap().to_be_bytes());
        bytes.extend(0x2112_A442_u32.to_be_bytes());
        bytes.extend([7; 12]);
        bytes.extend(0x0006_u16.to_be_bytes());
        bytes.extend(u16::try_from(username.len()).unwrap().to_be_bytes());
        bytes.extend(username.as_bytes());
        bytes.resize(20 + 4 + padded, 0);
        bytes
    }

    /// Whose a datagram from this port is.
    fn owner(table: &mut Table<char>, port: u16, bytes: &[u8]) -> Option<char> {
        let source = SocketAddr::from(([192, 0, 2, 1], port));
        table.owner(Proto::Udp, source, bytes).copied()
    }

    const RTP: [u8; 4] = [0x80, 0x6f, 0, 1];

    #[test]
    fn an_address_belongs_to_who_named_himself_from_it() {
        let mut table = Table::default();
        table.add("abcd", 'a');
        table.add("efgh", 'b');
        assert_eq!(owner(&mut table, 1, &RTP), None);
        assert_eq!(owner(&mut table, 1, &binding("nobody")), None);
        assert_eq!(owner(&mut table, 1, &binding("abcd")), Some('a'));
        assert_eq!(owner(&mut table, 1, &RTP), Some('a'));
        assert_eq!(owner(&mut table, 2, &RTP), None);
        assert_eq!(owner(&mut table, 2, &binding("efgh")), Some('b'));
        assert_eq!(owner(&mut table, 2, &RTP), Some('b'));
    }

    #[test]
    fn a_peer_that_goes_leaves_nothing_behind() {
        let mut table = Table::default();
        let id = table.add("abcd", 'a');
        assert!(owner(&mut table, 1, &binding("abcd")).is_some());
        // A newer peer claims the same address; the older one's end must not take it away.
        let newer = table.add("efgh", 'b');
        assert!(owner(&mut table, 1, &binding("efgh")).is_some());
        table.remove(id);
        assert_eq!(owner(&mut table, 1, &RTP), Some('b'));
        table.remove(newer);
        assert_eq!(table.sizes(), (0, 0));
    }

    #[test]
    fn a_renamed_peer_is_found_by_its_new_name_and_its_old_addresses() {
        let mut table = Table::default();
        let id = table.add("abcd", 'a');
        assert_eq!(owner(&mut table, 1, &binding("abcd")), Some('a'));
        table.rename(id, "efgh");
        assert_eq!(owner(&mut table, 1, &RTP), Some('a'));
        assert_eq!(owner(&mut table, 2, &binding("abcd")), None);
        assert_eq!(owner(&mut table, 2, &binding("efgh")), Some('a'));
        assert_eq!(owner(&mut table, 2, &RTP), Some('a'));
        assert_eq!(table.sizes(), (1, 2));
        table.remove(id);
        assert_eq!(table.sizes(), (0, 0));
        table.rename(id, "ijkl");
        assert_eq!(table.sizes(), (0, 0), "who is gone gets no name");
    }

    #[test]
    fn a_peer_cannot_fill_the_table_with_addresses() {
        let mut table = Table::default();
        table.add("abcd", 'a');
        for port in 1..500 {
            assert!(owner(&mut table, port, &binding("abcd")).is_some());
        }
        assert_eq!(table.sizes(), (1, ADDRESSES_MAX));
    }
}
