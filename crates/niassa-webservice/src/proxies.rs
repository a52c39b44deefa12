//! Reverse proxies that are trusted to name the client they speak for.

use std::net::IpAddr;

use axum::http::HeaderMap;

/// The addresses of trusted proxies.
pub(crate) struct Proxies(Vec<IpAddr>);

impl Proxies {
    pub(crate) fn new(trusted: &[IpAddr]) -> Self {
        Self(trusted.iter().map(IpAddr::to_canonical).collect())
    }

    /// Returns the address of the client: the peer's own, or what trusted proxies say.
    ///
    /// `X-Forwarded-For` grows at its end, so it is read from there, and everything before the first
    /// address that is not a trusted proxy's could be forged.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if self.0.is_empty() {
            return client;
        }
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        let said = lines.iter().rev().filter_map(|line| line.to_str().ok());
        for address in said.flat_map(|line| line.rsplit(',')) {
            if !self.0.contains(&client) {
                break;
            }
            let Ok(address) = address.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = Proxies::new(&["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()]);
        let ask = |peer: &str, said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", said.parse().unwrap());
            proxies.client(peer.parse().unwrap(), &headers).to_string()
        };
        assert_eq!(ask("10.0.0.1", "1.2.3.4"), "1.2.3.4");
        assert_eq!(ask("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2"), "1.2.3.4");
        assert_eq!(ask("::ffff:10.0.0.1", "1.2.3.4"), "1.2.3.4");
        assert_eq!(ask("9.9.9.9", "1.2.3.4"), "9.9.9.9");
        assert_eq!(ask("10.0.0.1", "nonsense"), "10.0.0.1");
    }
}
