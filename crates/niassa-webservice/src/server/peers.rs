//! Connections by the address they come from, so that one machine cannot take all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one address at once.
const MOST: usize = 256;

/// Who is connected, and how often.
pub(crate) struct Peers {
    proxies: Vec<IpAddr>,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one connection, free again when this is dropped.
pub(super) struct Place {
    peers: Arc<Peers>,
    counted: Option<IpAddr>,
}

impl Peers {
    /// Counts nobody yet. Trusted proxies speak for many, so they are never counted, and neither is
    /// this machine, where a hundred programs may well be clients.
    pub(crate) fn new(proxies: &[IpAddr]) -> Arc<Self> {
        let proxies = proxies.iter().map(IpAddr::to_canonical).collect();
        Arc::new(Self { proxies, open: Mutex::default() })
    }

    /// Gives a place to a connection from this address, if it has not too many already.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        if peer.is_loopback() || self.proxies.contains(&peer) {
            return Some(Place { peers: Arc::clone(self), counted: None });
        }
        self.change(|open| {
            let count = open.entry(peer).or_default();
            if *count >= MOST {
                return None;
            }
            *count += 1;
            Some(Place { peers: Arc::clone(self), counted: Some(peer) })
        })
    }

    /// The counts are whole between any two statements, so a panic elsewhere spoils nothing.
    fn change<T>(&self, change: impl FnOnce(&mut HashMap<IpAddr, usize>) -> T) -> T {
        change(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(peer) = self.counted else { return };
        self.peers.change(|open| {
            let left = open.get(&peer).map_or(0, |count| count.saturating_sub(1));
            if left == 0 {
                open.remove(&peer);
            } else {
                open.insert(peer, left);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all_places() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let peers = Peers::new(&[proxy]);
        let far: IpAddr = "10.0.0.9".parse().unwrap();
        let mut places: Vec<_> = (0..MOST).map(|_| peers.enter(far).unwrap()).collect();
        assert!(peers.enter(far).is_none());
        assert!(peers.enter("::ffff:10.0.0.9".parse().unwrap()).is_none());
        assert!(peers.enter("10.0.0.8".parse().unwrap()).is_some());
        places.pop();
        assert!(peers.enter(far).is_some());
        for unbounded in [proxy, "127.0.0.1".parse().unwrap(), "::1".parse().unwrap()] {
            let many: Vec<_> = (0..=MOST).map(|_| peers.enter(unbounded)).collect();
            assert!(many.iter().all(Option::is_some));
        }
        drop(places);
        assert!(peers.open.lock().unwrap().is_empty());
    }
}
