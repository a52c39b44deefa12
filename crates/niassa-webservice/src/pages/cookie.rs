//! The cookie of a session: its name, and how it is read, set and taken back.

use std::net::IpAddr;

use axum::http::header::{COOKIE, HOST};
use axum::http::{HeaderMap, HeaderValue};
use niassa_model::limits::SESSION_LONGEST;

use crate::app::Scheme;

/// Most bytes of a secret that is looked at.
const SECRET_BYTES: usize = 128;

/// How the cookie travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Travel {
    /// Over TLS only, and for this host only: browsers enforce what the name begins with.
    Secure,
    /// Without TLS, on this machine only.
    Loopback,
}

impl Travel {
    /// Decides how the cookie of a request's session travels. Without TLS there is a session only
    /// where nobody can listen: between a browser and a service on one machine.
    pub(super) fn of(reached_over: Scheme, peer: IpAddr, headers: &HeaderMap) -> Self {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let is_here = reached_over == Scheme::Http && peer.to_canonical().is_loopback();
        if is_here && is_loopback(host) { Self::Loopback } else { Self::Secure }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Secure => "__Host-niassa",
            Self::Loopback => "niassa",
        }
    }

    fn attributes(self) -> &'static str {
        match self {
            Self::Secure => "Path=/; Secure; HttpOnly; SameSite=Lax",
            Self::Loopback => "Path=/; HttpOnly; SameSite=Lax",
        }
    }

    /// Returns the secret that a request brings.
    pub(super) fn secret(self, headers: &HeaderMap) -> Option<String> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let own = pairs.filter(|(name, _)| name.trim() == self.name()).map(|(_, value)| value);
        own.map(str::trim)
            .find(|secret| !secret.is_empty() && secret.len() <= SECRET_BYTES)
            .map(str::to_owned)
    }

    /// Writes the header that gives a browser its secret.
    pub(super) fn set(self, secret: &str) -> Option<HeaderValue> {
        let age = SESSION_LONGEST.as_secs();
        let text = format!("{}={secret}; Max-Age={age}; {}", self.name(), self.attributes());
        HeaderValue::from_str(&text).ok()
    }

    /// Writes the header that takes it back.
    pub(super) fn clear(self) -> Option<HeaderValue> {
        let text = format!("{}=; Max-Age=0; {}", self.name(), self.attributes());
        HeaderValue::from_str(&text).ok()
    }
}

/// Tells whether a `Host` header names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn only_on_one_machine_it_travels_without_tls() {
        let of = |scheme, peer: &str, host: &'static str| {
            Travel::of(scheme, peer.parse().unwrap(), &headers(&[("host", host)]))
        };
        for host in ["localhost:8080", "127.0.0.1", "[::1]:8080"] {
            assert_eq!(of(Scheme::Http, "127.0.0.1", host), Travel::Loopback, "{host}");
        }
        assert_eq!(of(Scheme::Http, "::ffff:127.0.0.1", "localhost"), Travel::Loopback);
        assert_eq!(of(Scheme::Https, "127.0.0.1", "localhost"), Travel::Secure);
        assert_eq!(of(Scheme::Http, "10.0.0.9", "localhost"), Travel::Secure);
        assert_eq!(of(Scheme::Http, "127.0.0.1", "server1:8080"), Travel::Secure);
        assert_eq!(of(Scheme::Http, "127.0.0.1", "localhost.evil.net"), Travel::Secure);
    }

    #[test]
    fn its_secret_is_found_among_others() {
        let of = |cookie| Travel::Secure.secret(&headers(&[("cookie", cookie)]));
        assert_eq!(of("a=b; __Host-niassa=s3; c=d").as_deref(), Some("s3"));
        assert_eq!(of("niassa=s3"), None);
        assert_eq!(of("__Host-niassa="), None);
        assert_eq!(of("nonsense"), None);
        let two = headers(&[("cookie", "a=b"), ("cookie", "niassa=s4")]);
        assert_eq!(Travel::Loopback.secret(&two).as_deref(), Some("s4"));
    }

    #[test]
    fn scripts_never_see_it() {
        let set = Travel::Secure.set("s3").unwrap();
        let expected = "__Host-niassa=s3; Max-Age=604800; Path=/; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(set, expected);
        assert!(!Travel::Loopback.set("s3").unwrap().to_str().unwrap().contains("Secure"));
        assert!(Travel::Secure.clear().unwrap().to_str().unwrap().contains("Max-Age=0"));
    }
}
